"""Who and what a call names: an account, an address on its list."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rest_framework.request import Request

from campaigns import addresses
from campaigns.api import SCOPE
from campaigns.models import Recipient
from campaigns.standing import EndedError
from config.api.audit import record
from config.api.authentication import caller_of
from config.api.errors import ConflictError, NotFoundError
from config.api.models import Account
from config.api.named_accounts import account_in
from interviews.api.marketing.naming import EMAIL, USER_ID, email_in

__all__ = ["EMAIL", "SCOPE", "USER_ID", "account_in", "email_in"]


def person_named(account: Account, email: str) -> Recipient:
    found = addresses.person_at(account, email_in(email))
    if found is None:
        raise NotFoundError("address")
    return found


@contextmanager
def while_it_runs() -> Iterator[None]:
    """A standing campaign that staff ended is the API's 409."""
    try:
        yield
    except EndedError as error:
        raise ConflictError(str(error)) from None


def noted(request: Request, account: Account, action: str, **detail: Any) -> None:
    record(account, "key", caller_of(request).name, action, target=account, detail=detail, request=request)
