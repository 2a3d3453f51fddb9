"""A worker at a call batch, to be killed: python -m voice.tests.dialling_child DB BATCH MODE.

`claim`: it claims the first person, says so, and waits. `dial`: it calls whoever is due.
"""

import os
import sys
from uuid import UUID


def main(database: str, batch_id: UUID, mode: str) -> None:
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from django.utils import timezone

    from voice import dialling, twilio
    from voice.models import CallBatch

    twilio.READ_SECONDS = 600  # it is killed while it waits for an answer, however long that takes
    if mode == "dial":
        dialling.dial(batch_id, seconds=60)
        return
    assert dialling.claim(CallBatch.objects.get(pk=batch_id), now=timezone.now())
    print("claimed", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(sys.argv[1], UUID(sys.argv[2]), sys.argv[3])
