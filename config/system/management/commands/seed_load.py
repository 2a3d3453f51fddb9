"""Fills an account with many people, talks and messages, to see and measure how everything behaves then."""

import time
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from config.api.models import Account
from config.system import daily
from config.system.load import Load, Size
from crm.models import Contact

ACCOUNT = "load"
MOST = 100_000_000


class Command(BaseCommand):
    help = "Make many contacts and messages in an account of their own, and count the figures of their days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--contacts", type=int, default=10_000)
        parser.add_argument("--messages", type=int, default=1_000_000)
        parser.add_argument("--documents", type=int, default=500)
        parser.add_argument("--days", type=int, default=180, help="How long ago the first of it happened.")
        parser.add_argument(
            "--account",
            help=f"The slug of the account, also one that holds people already. Else: {ACCOUNT}, once.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        size = checked_size(options)
        slug = options["account"] or ACCOUNT
        account = account_called(slug)
        if not options["account"] and Contact.objects.for_account(account).exists():
            raise CommandError(
                f"The account {slug} is filled already. Name one with --account to add to what it holds."
            )
        started = time.perf_counter()
        with transaction.atomic():
            Load(account, size, say=self.say).fill()
        self.count_days()
        self.say(f"done in {time.perf_counter() - started:.0f} s, account {slug}")

    def count_days(self) -> None:
        """All of them anew: the rows made now lie in days that were counted before."""
        daily.forget()
        while not daily.catch_up():
            if daily.is_being_counted():
                self.say("a worker counts the figures already")
                return
        self.say("figures of each day")

    def say(self, words: str) -> None:
        self.stdout.write(f"  {words}")


def account_called(slug: str) -> Account:
    """The account, made when it is missing. Raises CommandError for a slug that none may have."""
    try:
        Account._meta.get_field("slug").clean(slug, None)
    except ValidationError as error:
        raise CommandError(f"--account: {error.messages[0]}") from None
    return Account.objects.get_or_create(slug=slug, defaults={"name": slug.title()})[0]


def checked_size(options: dict[str, Any]) -> Size:
    limits = {"contacts": 1, "messages": 0, "documents": 0, "days": 1}
    for name, least in limits.items():
        if not least <= options[name] <= MOST:
            raise CommandError(f"--{name} must be from {least:,} to {MOST:,}.")
    return Size(**{name: options[name] for name in limits})
