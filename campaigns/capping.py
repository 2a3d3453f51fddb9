"""How many campaign emails one person may get, over all campaigns of an account.

Counted when an email is queued, with the contacts locked, and again when it is about to leave. What a person
asked for (Purpose.TRANSACTIONAL, all that has no campaign) is never counted and never held.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

from django.conf import settings

from campaigns.models import Delivery
from config.api.models import Account
from config.api.prepared import PreparedValues, among
from crm.models import Contact

State = Delivery.State
# Sent, or perhaps sent, or certain to be sent unless something stops them.
UNDER_WAY = (State.QUEUED, State.DEFERRED, State.CLAIMED, State.IN_DATA, State.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Cap:
    """At most `emails` in any `days`."""

    emails: int
    days: timedelta


def cap_of(account: Account) -> Cap | None:
    """The account's own, else the installation's; None when there is no limit."""
    emails = settings.EMAIL_CAP if account.email_cap is None else account.email_cap
    return Cap(emails, timedelta(days=account.email_cap_days)) if emails else None


def lock(contacts: Iterable[UUID]) -> None:
    """Until the transaction ends nobody else counts for these people. Always in one order."""
    rows = Contact.objects.filter(pk__in=list(contacts)).order_by("pk")
    list(rows.select_for_update(no_key=True).values_list("pk", flat=True))


def free_at(cap: Cap, contacts: Collection[UUID], *, at: datetime) -> dict[UUID, datetime]:
    """Contact → when they may get one more, for those who have reached the cap. One query.

    What is under way counts as sent now.
    """
    return _free(cap, _emails(cap, contacts, UNDER_WAY, at=at), at=at)


def free_to_leave(cap: Cap, contacts: Collection[UUID], *, at: datetime) -> dict[UUID, datetime]:
    """The same for emails that are queued already: these do not count against each other."""
    return _free(cap, _emails(cap, contacts, (State.IN_DATA, State.UNKNOWN), at=at), at=at)


def _emails(
    cap: Cap, contacts: Collection[UUID], under_way: tuple[str, ...], *, at: datetime
) -> dict[UUID, list[datetime]]:
    times: dict[UUID, list[datetime]] = {}
    for contact, sent_at in _sent(under_way)(contacts=contacts):
        if sent_at is None or sent_at > at - cap.days:
            times.setdefault(contact, []).append(sent_at or at)
    return times


@cache
def _sent(under_way: tuple[str, ...]) -> PreparedValues:
    theirs = Delivery.objects.filter(
        among(Delivery, "contact", name="contacts"),
        campaign__isnull=False,
        state__in=[State.SENT, *under_way],
    )
    return PreparedValues(lambda: theirs.order_by().values_list("contact_id", "sent_at"))


def _free(cap: Cap, times: dict[UUID, list[datetime]], *, at: datetime) -> dict[UUID, datetime]:
    """So many of the oldest must be out of the days that one more fits in."""
    return {
        contact: sorted(sent)[len(sent) - cap.emails] + cap.days
        for contact, sent in times.items()
        if len(sent) >= cap.emails
    }
