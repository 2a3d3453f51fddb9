"""Accounts as the marketing API makes them, and the ids and the vendor's key that they keep there."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from config.api.marketing_words import MASK
from config.api.models import Account, ApiKey
from personas.models import LyzrLink, ProviderCredential

LYZR = "lyzr"
IDS = ("agent_id", "rag_id", "chat_agent_id", "agent_prompt")
# What a new account's own key may do: what this API asks for, and not the making of accounts.
SCOPES = ("campaigns", "interviews")


class BadUserId(ValueError):  # noqa: N818
    """`str()` says what a `user_id` looks like."""


@dataclass(frozen=True, slots=True)
class Made:
    """`key` is the new account's own; nobody can read it again. None for an account that was there."""

    account: Account
    key: str | None


def find(user_id: str) -> Account | None:
    return Account.objects.filter(slug=user_id).first()


def make(user_id: str, *, vendor_key: str, ids: Mapping[str, str]) -> Made:
    """A new account with its first key. Raises BadUserId; IntegrityError never: the first caller wins."""
    account = Account(slug=user_id, name=user_id)
    try:
        account.clean_fields()
    except ValidationError as error:
        raise BadUserId(" ".join(error.messages)) from None
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            keep_ids(account, ids)
            keep_vendor_key(account, vendor_key)
            _row, key = ApiKey.issue(account, "Made with the account", scopes=list(SCOPES))
    except IntegrityError:
        return Made(Account.objects.get(slug=user_id), None)
    return Made(account, key)


def link_of(account: Account) -> LyzrLink:
    """With empty ids where nothing was kept."""
    return LyzrLink.objects.for_account(account).first() or LyzrLink(account=account)


def keep_ids(account: Account, ids: Mapping[str, str]) -> bool:
    """False when there is nothing to keep."""
    wanted = {name: value for name, value in ids.items() if name in IDS and value}
    if wanted:
        LyzrLink.objects.update_or_create(account=account, defaults=wanted)
    return bool(wanted)


def vendor_key_of(account: Account) -> str:
    row = ProviderCredential.objects.for_account(account).filter(provider=LYZR).first()
    return row.secret if row is not None else ""


def keep_vendor_key(account: Account, key: str) -> bool:
    """A rotated key replaces the former. The mask, or nothing, changes nothing."""
    if not key or key == MASK or key == vendor_key_of(account):
        return False
    ProviderCredential.objects.update_or_create(account=account, provider=LYZR, defaults={"secret": key})
    return True
