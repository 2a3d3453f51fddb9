#!/usr/bin/env python3
"""Run one of Rapport's commands: `manage.py serve`, `manage.py demo`, `manage.py help`."""

import os
import sys

OLDEST_PYTHON = (3, 11)


def main() -> None:
    if sys.version_info < OLDEST_PYTHON:
        sys.exit(f"Rapport needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
