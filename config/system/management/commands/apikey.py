"""Make, list and revoke API keys."""

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.api import audit
from config.api.models import DEFAULT_ACCOUNT, Account, ApiKey, AuditEntry
from config.api.permissions import SCOPES, unknown_scopes

ACTOR = "manage.py apikey"
MOST_LISTED = 500


class Command(BaseCommand):
    help = "Make, list and revoke API keys: apikey create NAME | apikey list | apikey revoke HINT"

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        create = actions.add_parser("create", help="Make a key; it is shown once.")
        create.add_argument("name", help="What the key is for, to tell keys apart.")
        create.add_argument("--account", default=DEFAULT_ACCOUNT, metavar="SLUG")
        create.add_argument("--scopes", default="*", help="Separated by commas; * is every scope.")
        create.add_argument("--plain", action="store_true", help="Print the key and nothing else.")
        listing = actions.add_parser("list", help="List keys, newest first.")
        listing.add_argument("--account", default="", metavar="SLUG")
        revoke = actions.add_parser("revoke", help="Revoke the key that begins with HINT.")
        revoke.add_argument("hint", help="The first characters of the key, as `apikey list` shows them.")
        revoke.add_argument("--account", default="", metavar="SLUG")

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        actions: dict[str, Callable[..., None]] = {
            "create": self.create,
            "list": self.list_keys,
            "revoke": self.revoke,
        }
        run = actions[action]
        run(**{name: value for name, value in options.items() if name in run.__annotations__})

    def create(self, *, name: str, account: str, scopes: str, plain: bool) -> None:
        owner = account_called(account)
        row, key = ApiKey.issue(owner, key_name(name), scopes=scope_words(scopes))
        audit.record(owner, AuditEntry.ActorKind.SYSTEM, ACTOR, "create API key", target=row)
        if plain:
            self.stdout.write(key)
            return
        self.stdout.write(f"API key “{row.name}” of account {owner.slug}, scopes {', '.join(row.scopes)}.")
        self.stdout.write("It is shown once; keep it now:")
        self.stdout.write(key)

    def list_keys(self, *, account: str) -> None:
        keys = ApiKey.objects.select_related("account")
        if account:
            keys = keys.for_account(account_called(account))
        shown = list(keys[:MOST_LISTED])
        if not shown:
            self.stdout.write("There are no API keys. Make one: apikey create NAME")
        for key in shown:
            columns = (
                f"{key.hint}…",
                f"{state_of(key):8}",
                f"{key.account.slug:20}",
                f"{','.join(key.scopes):20}",
            )
            self.stdout.write("  ".join((*columns, key.name)))

    def revoke(self, *, hint: str, account: str) -> None:
        key = key_beginning(hint, account=account)
        if not ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now()):
            raise CommandError(f"The key {key} is revoked already.")
        audit.record(key.account, AuditEntry.ActorKind.SYSTEM, ACTOR, "revoke API key", target=key)
        self.stdout.write(f"Revoked: {key} of account {key.account.slug}.")


def account_called(slug: str) -> Account:
    """The account; `default` is made when it is missing. Raises CommandError."""
    if slug == DEFAULT_ACCOUNT:
        return Account.objects.get_or_create(slug=slug, defaults={"name": "Default"})[0]
    found = Account.objects.filter(slug=slug).first()
    if found is None:
        raise CommandError(f"There is no account with the slug {slug!r}.")
    return found


def scope_words(text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise CommandError("Name at least one scope, or leave --scopes out for all of them.")
    if unknown := unknown_scopes(words):
        raise CommandError(f"There is no scope {unknown[0]!r}; there are {', '.join(SCOPES)}, and * for all.")
    return words


def key_name(text: str) -> str:
    longest = ApiKey._meta.get_field("name").max_length or 0
    if not 0 < len(text.strip()) <= longest:
        raise CommandError(f"Name the key with 1 to {longest} characters.")
    return text.strip()


def key_beginning(hint: str, *, account: str) -> ApiKey:
    """The one key with this hint; the whole key is understood too. Raises CommandError."""
    keys = ApiKey.objects.select_related("account").filter(hint__startswith=hint.rstrip("…")[:8])
    if account:
        keys = keys.for_account(account_called(account))
    found = list(keys[:2])
    if not found or len(hint.rstrip("…")) < len(ApiKey.PREFIX) + 1:
        raise CommandError("No key begins like that; `apikey list` shows how they begin.")
    if len(found) > 1:
        raise CommandError("Several keys begin like that: give more of it, or --account.")
    return found[0]


def state_of(key: ApiKey) -> str:
    if key.revoked_at:
        return "revoked"
    return "expired" if key.expires_at and key.expires_at <= timezone.now() else "usable"
