"""An importer in a process of its own, to be killed: python -m campaigns.tests.importing_child DB IMPORT.

It says how many rows are done after each chunk.
"""

import os
import sys
from uuid import UUID


def main(database: str, import_id: str) -> None:
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    import django

    django.setup()
    from campaigns import importing

    importing.CHUNK = 50
    store = importing.storing.store

    def told(*words):
        store(*words)
        print("storing", flush=True)

    importing.storing.store = told
    importing.go_on(UUID(import_id))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    main(*sys.argv[1:])
