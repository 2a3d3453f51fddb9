"""Run as a child of the tests: the real web server (daphne, config.asgi) on the database of the tests.

`python -m tests.browser.serving PORT DATABASE_NAME`
"""

import sys

from django.conf import settings


def main(port: str, database: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    from daphne.cli import CommandLineInterface

    arguments = ["-b", "127.0.0.1", "-p", port, "-v", "0", "--ping-interval", "0", "config.asgi:application"]
    CommandLineInterface().run(arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
