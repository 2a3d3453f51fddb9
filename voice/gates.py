"""May this person be called now? Consent, do-not-call, their own hours, how often: asked before each call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
from django.conf import settings
from django.db.models import Count
from django.utils.translation import gettext as _
from phonenumbers import timezone as number_zones

from config.api.models import Account
from config.api.zones import first_zone, zone_named
from crm import consent
from crm.contacts import InvalidAddress, normalise_phone, phone_of
from crm.models import Contact
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from voice.models import PhoneCall

WEEK, QUARTER = timedelta(days=7), timedelta(minutes=15)
SAMPLE_NUMBER = "+1234567890"  # of the documented example: nobody's


@dataclass(frozen=True, slots=True)
class Refusal:
    code: str
    text: str
    details: dict[str, Any] = field(default_factory=dict)


def number_of(contact: Contact) -> str:
    """The number in E.164, or "" when there is none that could ring."""
    try:
        number = normalise_phone(phone_of(contact))
    except InvalidAddress:
        return ""
    return number if is_dialled(number) else ""


def is_dialled(number: str) -> bool:
    """Whether a number in E.164 could ring."""
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number)) and number != SAMPLE_NUMBER
    except phonenumbers.NumberParseException:
        return False


def refusal(contact: Contact, *, now: datetime) -> Refusal | None:
    """Why this person is not called now; None when they may be."""
    return refusals(contact.account, [contact], now=now)[0]


def refusals(account: Account, people: Sequence[Contact], *, now: datetime) -> list[Refusal | None]:
    """`refusal` for many people of an account, in their order. Four queries for some 500 of them."""
    asked = [(one, number_of(one)) for one in people]
    return refusals_at(account, asked, Purpose.INVITATION, now=now)


def refusal_at(contact: Contact, number: str, purpose: Purpose, *, now: datetime) -> Refusal | None:
    """`refusal` for a number of theirs and another purpose."""
    return refusals_at(contact.account, [(contact, number)], purpose, now=now)[0]


def refusals_at(
    account: Account, people: Sequence[tuple[Contact, str]], purpose: Purpose, *, now: datetime
) -> list[Refusal | None]:
    asked = [(one, number) for one, number in people if number]
    said = consent.verdicts(account, Channel.PHONE, purpose, asked, at=now)
    verdicts = {one.pk: verdict for (one, _number), verdict in zip(asked, said, strict=True)}
    attempts = _attempts(account, asked, now=now)
    return [
        _refusal(one, number, verdicts.get(one.pk), attempts(one, number), now=now) for one, number in people
    ]


def _attempts(
    account: Account, asked: Sequence[tuple[Contact, str]], *, now: datetime
) -> Callable[[Contact, str], int]:
    """Of the last days: by the person, and by the number, which may be written in by somebody else."""
    lately = PhoneCall.objects.filter(account=account, started_at__gt=now - WEEK, is_test=False).order_by()
    of_people = lately.filter(contact__in=[one.pk for one, _number in asked]).values_list("contact")
    of_numbers = lately.filter(to_number__in=[number for _one, number in asked]).values_list("to_number")
    by_person = dict(of_people.annotate(count=Count("pk")))
    by_number = dict(of_numbers.annotate(count=Count("pk")))
    return lambda one, number: max(by_person.get(one.pk, 0), by_number.get(number, 0))


def _refusal(
    contact: Contact, number: str, verdict: consent.Verdict | None, attempts: int, *, now: datetime
) -> Refusal | None:
    if verdict is None:
        return Refusal("NO_PHONE_NUMBER", _("This person has no phone number that can be called."))
    if not verdict.allowed:
        words = _("This person must not be called: %(reason)s.") % {"reason": verdict.reason}
        return Refusal("MAY_NOT_CALL", words, {"reason": verdict.reason})
    return _too_often(attempts) or _wrong_hour(contact, number, now=now)


def _too_often(attempts: int) -> Refusal | None:
    most = settings.CALLS_PER_WEEK
    if attempts < most:
        return None
    words = _("This person was called %(count)d times in the last seven days; that is enough.")
    facts = {"call_limit_reached": True, "attempts": attempts, "max_attempts": most}
    return Refusal("CALL_LIMIT_REACHED", words % {"count": attempts}, facts)


def zones_of(contact: Contact, number: str) -> list[ZoneInfo]:
    """Where the person may be: their own zone, else every zone that their number may be in."""
    if own := zone_named(contact.time_zone):
        return [own]
    names = number_zones.time_zones_for_number(phonenumbers.parse(number))
    found = [zone for name in names if (zone := zone_named(name)) is not None]
    return found or [first_zone(settings.CANDIDATE_TIME_ZONE, settings.TIME_ZONE)]


def next_hour(contact: Contact, number: str, *, after: datetime) -> datetime | None:
    """The first time from then on, by quarters of an hour, at which this person may be rung by the clock.

    None when a week has none: the zones of the number have no hour in common.
    """
    zones = zones_of(contact, number)
    times = (after + QUARTER * step for step in range(WEEK // QUARTER))
    return next((at for at in times if _is_day(zones, at)), None)


def _is_day(zones: list[ZoneInfo], at: datetime) -> bool:
    first, last = settings.CALL_HOURS
    return all(first <= at.astimezone(zone).hour < last for zone in zones)


def _wrong_hour(contact: Contact, number: str, *, now: datetime) -> Refusal | None:
    if _is_day(zones_of(contact, number), now):
        return None
    first, last = settings.CALL_HOURS
    words = _("It is not between %(first)d:00 and %(last)d:00 where this person may be. Call later.")
    return Refusal("OUTSIDE_HOURS", words % {"first": first, "last": last})
