"""`manage.py demo`: the main job against a running server, without a browser."""

import asyncio
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.system.demonstration import DemonstrationError, Report, demonstrate


class Command(BaseCommand):
    help = "Invite, interview, process and ask, through the public HTTP and websocket interfaces alone."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the report as JSON and nothing else")
        parser.add_argument("--url", default=settings.PUBLIC_BASE_URL, help="where the server runs")
        parser.add_argument("--key", default="", help="an API key, where the server asks for one")

    def handle(self, *args: Any, **options: Any) -> None:
        def say(line: str) -> None:
            if not options["json"]:
                self.stdout.write(f"· {line}")

        try:
            report = asyncio.run(demonstrate(options["url"], key=options["key"], say=say))
        except DemonstrationError as failure:
            self.stderr.write(f"The demonstration failed. {failure}")
            sys.exit(1)
        self.stdout.write(report.as_json() if options["json"] else in_words(report))


def in_words(report: Report) -> str:
    notes = [f"  [{c['number']}] {c['text'][:200]}\n      {c['url']}" for c in report.citations]
    return "\n".join(
        [
            f"PDF with {report.pdf['pages']} pages at {report.pdf['path']}",
            f"Document {report.document} with {report.chunks} chunks",
            f"\n{report.question}\n  {report.answer}",
            *notes,
        ]
    )
