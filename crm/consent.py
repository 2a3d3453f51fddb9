"""May we write to or call this person, for this purpose? Asked by every sender at send time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from config.api.models import Account, digest
from config.api.prepared import PreparedValues, among, given
from crm.contacts import InvalidAddress, email_of, normalise_email, normalise_phone, phone_of
from crm.models import Consent, Contact, Suppression
from crm.models.consent import Purpose
from crm.models.contacts import Channel

# A call nobody agreed to is unlawful in most places; an invitation by email may be answered by "unsubscribe".
NEEDS_YES = {
    (Channel.PHONE, purpose) for purpose in (Purpose.INVITATION, Purpose.MARKETING, Purpose.INTERVIEW)
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` is empty when allowed, else: inactive, no_address, no_consent, declined, or a
    suppression's reason.
    """

    allowed: bool
    reason: str = ""


def may_contact(
    contact: Contact, channel: str, purpose: str, *, at: datetime | None = None, address: str | None = None
) -> Verdict:
    to = address if address is not None else _address_of(contact, channel)
    return verdicts(contact.account, channel, purpose, [(contact, to)], at=at)[0]


def verdicts(
    account: Account,
    channel: str,
    purpose: str,
    addressed: Iterable[tuple[Contact, str]],
    *,
    at: datetime | None = None,
) -> list[Verdict]:
    """`may_contact` for many people, each at the address given, in their order. Some 500 people a query."""
    asked = list(addressed)
    held = blocked(account, channel, filter(None, (address for _who, address in asked)), purpose=purpose)
    said = _last_words([who.pk for who, _address in asked], channel, purpose, at=at or timezone.now())
    about = (channel, purpose)
    return [_verdict(who, address, held.get(address, ""), said.get(who.pk), about) for who, address in asked]


def _verdict(contact: Contact, address: str, held: str, said: bool | None, about: tuple[str, str]) -> Verdict:
    if not contact.is_active or contact.erased_at is not None:
        return Verdict(False, "inactive")
    if not address or held:
        return Verdict(False, held or "no_address")
    if said is None:
        return Verdict(False, "no_consent") if about in NEEDS_YES else Verdict(True)
    return Verdict(True) if said else Verdict(False, "declined")


def _last_words(contact_ids: Sequence[UUID], channel: str, purpose: str, *, at: datetime) -> dict[UUID, bool]:
    """What each of them said last to this purpose; who said nothing is missing."""
    said: dict[UUID, bool] = {}
    for start in range(0, len(contact_ids), 500):
        asked = contact_ids[start : start + 500]
        said |= {
            who: is_given for who, is_given in _said(who=asked, channel=channel, purpose=purpose, until=at)
        }
    return said


_said = PreparedValues(
    lambda: (
        Consent.objects.filter(
            among(Consent, "contact", name="who"),
            channel=given(Consent, "channel"),
            purpose=given(Consent, "purpose"),
            at__lte=given(Consent, "at", name="until"),
        )
        .order_by("at", "id")
        .values_list("contact", "given")
    )
)


def _address_of(contact: Contact, channel: str) -> str:
    return phone_of(contact) if channel == Channel.PHONE else email_of(contact)


def _suppressions(account: Any, channel: Any, purpose: Any) -> Any:
    """In force for this purpose; an empty purpose on the row blocks every one."""
    every = Q(purpose="") | Q(purpose=purpose)
    return Suppression.objects.filter(every, account=account, channel=channel, lifted_at=None)


def blocked(account: Account, channel: str, addresses: Iterable[str], *, purpose: str) -> dict[str, str]:
    """Those of many addresses that are suppressed, with the reason. Some 500 addresses a query."""
    by_digest: dict[str, list[str]] = {}
    for address in addresses:
        by_digest.setdefault(address_digest(channel, address), []).append(address)
    digests = list(by_digest)
    found: dict[str, str] = {}
    for start in range(0, len(digests), 500):
        part = digests[start : start + 500]
        rows = _suppressed(account=account.pk, channel=channel, purpose=purpose, digests=part)
        for key, reason in rows:
            found |= dict.fromkeys(by_digest[key], reason)
    return found


_suppressed = PreparedValues(
    lambda: (
        _suppressions(*(given(Suppression, name) for name in ("account", "channel", "purpose")))
        .filter(among(Suppression, "address_digest", name="digests"))
        .order_by()
        .values_list("address_digest", "reason")
    )
)


def in_force(account: Account, channel: str, purpose: str) -> dict[str, str]:
    """Digest of an address → why it is suppressed, for all of an account: to go through a long list."""
    rows = _suppressions(account, channel, purpose)
    return dict(rows.values_list("address_digest", "reason").iterator())


def normalised(channel: str, address: str) -> str:
    """The written form that digests are made of. What cannot be read is only lower-cased."""
    try:
        return normalise_phone(address) if channel == Channel.PHONE else normalise_email(address)
    except InvalidAddress:
        return address.strip().lower()


def address_digest(channel: str, address: str) -> str:
    return digest(normalised(channel, address))


def hint_of(channel: str, address: str) -> str:
    """Enough for staff to recognise an address they already know: "a…@example.com", "…4567"."""
    if channel == Channel.PHONE:
        return f"…{address[-4:]}"
    local, _at, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"[:40]


def suppress(
    account: Account,
    channel: str,
    address: str,
    reason: str,
    *,
    purpose: str = "",
    source: dict[str, Any] | None = None,
) -> Suppression:
    """Nothing more to this address, for one purpose or (empty) for all. Doing it twice changes nothing."""
    to = normalised(channel, address)
    key = {
        "account": account,
        "channel": channel,
        "address_digest": digest(to),
        "purpose": purpose,
        "lifted_at": None,
    }
    found = Suppression.objects.filter(**key).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return Suppression.objects.create(
                **key, hint=hint_of(channel, to), reason=reason, source=source or {}
            )
    except IntegrityError:
        return Suppression.objects.get(**key)


def lift(account: Account, channel: str, address: str, *, purpose: str = "") -> bool:
    """Ends a suppression; the row stays, for the record. False when none was in force."""
    rows = Suppression.objects.for_account(account).filter(
        channel=channel, address_digest=address_digest(channel, address), purpose=purpose, lifted_at=None
    )
    return rows.update(lifted_at=timezone.now()) > 0


def record(
    contact: Contact,
    channel: str,
    purpose: str,
    *,
    given: bool,
    source: str,
    text_version: str = "",
    evidence: dict[str, Any] | None = None,
    at: datetime | None = None,
) -> Consent:
    """What a person said to one purpose on one channel, added to what they said before."""
    return Consent.objects.create(
        contact=contact,
        channel=channel,
        purpose=purpose,
        given=given,
        source=source[:60],
        text_version=text_version[:40],
        evidence=evidence or {},
        at=at or timezone.now(),
    )
