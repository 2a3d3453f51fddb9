"""Rows of a file become contacts and recipients, a thousand at a time, in the caller's transaction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from campaigns import bulk
from campaigns.columns import Person
from campaigns.models import Campaign, Recipient
from config.api.ids import uuid7
from crm.models import Contact, ContactAddress

KEPT_FIELDS = 60  # columns a contact may gather over many imports
FACTS = ("name", "company", "language", "time_zone")


@dataclass(slots=True)
class Known:
    """What is stored of somebody whose address the file holds."""

    pk: UUID
    is_erased: bool
    facts: list[str]
    fields: dict[str, Any]


def addresses_of(campaign: Campaign, emails: Sequence[str]) -> Any:
    return ContactAddress.objects.for_account(campaign.account).filter(
        kind=ContactAddress.Kind.EMAIL, value__in=emails
    )


def store(campaign: Campaign, people: Sequence[Person]) -> None:
    """Each person once: made, or completed when known. Raises IntegrityError when one was made just now."""
    known = _known(campaign, [person.email for person in people])
    new = [(uuid7(), person) for person in people if person.email not in known]
    _make(campaign, new)
    _complete([(known[person.email], person) for person in people if person.email in known])
    keys = {person.email: pk for pk, person in new} | {email: one.pk for email, one in known.items()}
    bulk.insert(
        Recipient,
        ("contact_id", "fields"),
        ((keys[person.email], person.fields) for person in people),
        same={"campaign": campaign},
        is_lenient=True,  # already in this campaign
    )


def _known(campaign: Campaign, emails: Sequence[str]) -> dict[str, Known]:
    leading_to = dict(addresses_of(campaign, emails).values_list("contact_id", "value"))
    # Held until the commit, so that what staff change meanwhile is neither lost nor written back.
    contacts = Contact.objects.filter(pk__in=list(leading_to)).order_by("pk")
    if connection.features.has_select_for_update:
        contacts = contacts.select_for_update()
    rows = contacts.values_list("pk", "erased_at", "fields", *FACTS)
    return {
        leading_to[pk]: Known(pk, erased is not None, facts, fields) for pk, erased, fields, *facts in rows
    }


def _make(campaign: Campaign, new: Sequence[tuple[UUID, Person]]) -> None:
    same = {"account": campaign.account}
    bulk.insert(
        Contact,
        ("id", *FACTS, "fields"),
        ((pk, p.name, p.company, p.language, p.time_zone, p.fields) for pk, p in new),
        same=same,
    )
    of_import = {"kind": ContactAddress.Kind.EMAIL, "is_primary": True, "source": "import"}
    bulk.insert(
        ContactAddress,
        ("contact_id", "value", "as_given"),
        ((pk, person.email, person.as_given) for pk, person in new),
        same={**same, **of_import},
    )


def _complete(pairs: Sequence[tuple[Known, Person]]) -> None:
    """What was empty is filled in, and columns are brought up to date. What staff wrote stays."""
    bulk.update(Contact, (*FACTS, "fields", "updated_at"), _completed(pairs))


def _completed(pairs: Sequence[tuple[Known, Person]]) -> Iterator[list[Any]]:
    now = timezone.now()
    for known, person in pairs:
        facts = [fact or getattr(person, name) for fact, name in zip(known.facts, FACTS, strict=True)]
        merged = {**known.fields, **person.fields}
        fields = dict(list(merged.items())[-KEPT_FIELDS:])
        if not known.is_erased and (facts, fields) != (known.facts, known.fields):
            yield [*facts, fields, now, known.pk]
