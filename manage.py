#!/usr/bin/env python3
"""Run one of Rapport's commands: `manage.py serve`, `manage.py demo`, `manage.py help`."""

import gc
import os
import sys

OLDEST_PYTHON = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Rapport needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Loading makes a million objects, and all stay: looking through them as often as usual is a fifth of it.
    gc.set_threshold(100_000, 50, 100)
    refuse_unusable_settings()
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError

    try:
        execute_from_command_line(sys.argv)
    except DatabaseError as error:  # it is away, locked, damaged, or nothing was made in it yet
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database refused (--traceback shows where): {str(error).splitlines()[0]}")


def refuse_unusable_settings() -> None:
    """One line about a setting that makes no sense or a data folder that cannot be written."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured

    try:
        settings.DATABASES  # noqa: B018 (reads the settings)
    except ImproperlyConfigured as error:
        sys.exit(f"Rapport cannot start: {error}")
    except OSError as error:
        sys.exit(f"Rapport cannot start: {error.filename} cannot be written ({error.strerror}).")


if __name__ == "__main__":
    main()
