"""Whom a pasted list means: one email address, phone number or id of a contact on each line."""

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from config.api.models import Account
from crm.contacts import InvalidAddress, normalise_email, normalise_phone, uuid_of
from crm.models import Contact, ContactAddress

MOST_LINES = 1000
Kind = ContactAddress.Kind


@dataclass(frozen=True, slots=True)
class Named:
    people: "QuerySet[Contact]"
    missing: list[str]  # lines that name nobody


def named(account: Account, text: str) -> Named:
    """At most MOST_LINES lines are read. Three queries."""
    lines = list(dict.fromkeys(line for line in map(str.strip, text.splitlines()) if line))[:MOST_LINES]
    keys = {line: _key(line) for line in lines}
    ids = {key for key in keys.values() if isinstance(key, UUID)}
    own = Contact.objects.for_account(account)
    people: set[UUID] = set(own.filter(pk__in=ids).values_list("pk", flat=True))
    known: set[UUID | tuple[str, str] | None] = {*people}
    rows = ContactAddress.objects.for_account(account).filter(_any(keys.values()))
    for contact, kind, value in rows.values_list("contact", "kind", "value"):
        known.add((kind, value))
        people.add(contact)
    missing = [line for line, key in keys.items() if key not in known]
    return Named(own.filter(pk__in=people), missing)


def _key(line: str) -> UUID | tuple[str, str] | None:
    """What a line can be: an id of ours, or a kind of address with its normal form."""
    if key := uuid_of(line):
        return key
    try:
        is_email = "@" in line
        form = normalise_email(line) if is_email else normalise_phone(line)
    except InvalidAddress:
        return None
    return (Kind.EMAIL if is_email else Kind.PHONE, form)


def _any(keys: "Collection[UUID | tuple[str, str] | None]") -> Q:
    found = Q(pk__in=[])
    for kind in (Kind.EMAIL, Kind.PHONE):
        values = [key[1] for key in keys if isinstance(key, tuple) and key[0] == kind]
        found |= Q(kind=kind, value__in=values)
    return found
