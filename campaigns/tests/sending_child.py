"""A sender in a process of its own, to be killed: python -m campaigns.tests.sending_child DB SERVER MODE.

It says that it is ready, and begins at the first line it is told.
"""

import os
import signal
import sys


def main(database: str, server_id: int, *, holds: bool) -> None:
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from campaigns import claiming, sending, stopping
    from campaigns.models import SmtpServer

    signal.signal(signal.SIGTERM, lambda *_words: stopping.stop())
    print("ready", flush=True)
    sys.stdin.readline()
    if holds:
        while sending.send_due(server_id).sent:
            pass
        return
    # Without the server's lease, so that two senders really work at once.
    sending.Run(SmtpServer.objects.get(pk=server_id), claim=claiming.new_claim()).work()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1], int(sys.argv[2]), holds=sys.argv[3] == "hold")
