"""Emails sent again by decision of a person: on record, since they may reach people twice."""

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import ngettext

from config.api.audit import record
from config.api.models import Account

RESENT = "sent unknown emails again"


def note_resent(request: HttpRequest, account: Account, count: int, *, target: Model | None = None) -> None:
    detail = {"emails": count}
    record(account, "staff", request.user.get_username(), RESENT, target=target, detail=detail)


def tell_resent(request: HttpRequest, count: int) -> None:
    words = ngettext("%(n)s email is queued again.", "%(n)s emails are queued again.", count)
    messages.success(request, words % {"n": count})
