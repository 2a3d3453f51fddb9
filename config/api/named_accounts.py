"""The accounts that callers of the marketing API name as `user_id`: a name, never a credential."""

from django.conf import settings
from django.db.models import QuerySet
from rest_framework.request import Request

from config.api.authentication import Caller, caller_of
from config.api.errors import NotFoundError
from config.api.models import Account

WHAT = "account"


def may_name_any(caller: Caller) -> bool:
    """In demo mode a caller without a key acts for the account it names; only this machine can call."""
    return settings.RAPPORT_ENV == "demo" and not caller.key_id


def accounts_of(caller: Caller) -> "QuerySet[Account]":
    """Those whose data the caller may touch."""
    rows = Account.objects.all()
    return rows if may_name_any(caller) else rows.filter(pk=caller.account.pk)


def account_named(caller: Caller, user_id: str) -> Account:
    """The account of a `user_id`. Raises NotFoundError, also for one that is somebody else's."""
    if user_id == caller.account.slug:
        return caller.account
    found = accounts_of(caller).filter(slug=user_id).first() if may_name_any(caller) else None
    if found is None:
        raise NotFoundError(WHAT)
    return found


def account_in(request: Request, user_id: str) -> Account:
    return account_named(caller_of(request), user_id)
