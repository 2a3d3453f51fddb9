"""A reader of a mailbox in a process of its own, to be killed: -m … .mailbox_child DB MAILBOX POINT.

It says that it is ready, begins at the first line it is told, and stops for good where it is to be killed:

    fetched     a message is here, and nothing of it stored
    kept        its row is written, the transaction open
    committed   its row is there, and nobody was woken to read it
    noted       all of that is done, and the next message is not asked for
"""

import os
import sys
from typing import Any


def stops_after(work: Any, point: str) -> Any:
    def done(*words: Any, **given: Any) -> Any:
        result = work(*words, **given)
        stop(point)
        return result

    return done


def stop(point: str) -> None:
    print(point, flush=True)
    sys.stdin.read()  # until it is killed


def main(database: str, mailbox_id: int, point: str) -> None:
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from campaigns import inbound, mailboxes

    if point == "fetched":
        mailboxes._fetch = stops_after(mailboxes._fetch, point)
    elif point == "kept":
        inbound.keep = stops_after(inbound.keep, point)
    elif point == "committed":
        inbound.read = lambda _email_id: stop(point)
    else:
        mailboxes._Reader._store = stops_after(mailboxes._Reader._store, point)
    print("ready", flush=True)
    sys.stdin.readline()
    mailboxes.read_new(mailbox_id)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
