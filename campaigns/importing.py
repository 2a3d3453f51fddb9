"""Files of people for a campaign: checked first, then imported in chunks that survive a kill."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from campaigns import csv_reading, stopping
from campaigns.csv_reading import CsvRefusedError, Person, RowError, Table
from campaigns.models import Campaign, ContactImport, Recipient
from config.api.ids import uuid7
from crm import consent
from crm.models import Contact, ContactAddress
from crm.models.consent import Purpose
from crm.models.contacts import Channel

CHUNK = 500  # rows of a transaction
RUN_SECONDS = 40
MAX_ERRORS = 5_000  # kept; all are counted
KEPT_FIELDS = 60  # columns a contact may gather over many imports
TAKES_PEOPLE = (Campaign.State.DRAFT, Campaign.State.SCHEDULED, Campaign.State.RUNNING, Campaign.State.PAUSED)
State = ContactImport.State


class ImportRefusedError(Exception):
    """The file, or the campaign, does not allow an import. `str()` is for people."""


@dataclass(slots=True)
class DryRun:
    """What an import would do. Each row counts once, in the first of: invalid, duplicate, suppressed."""

    rows: int = 0
    new: int = 0
    updated: int = 0
    invalid: int = 0
    suppressed: int = 0
    duplicate: int = 0
    encoding: str = "utf-8"
    delimiter: str = ","
    mapping: dict[str, str] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        names = ("rows", "new", "updated", "invalid", "suppressed", "duplicate")
        return {name: getattr(self, name) for name in names}

    def note(self, error: RowError) -> None:
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(asdict(error))


# --- Checking ---------------------------------------------------------------------------------------


def check(campaign: Campaign, content: bytes) -> DryRun:
    """What importing the file would do; nothing is written. Raises ImportRefusedError."""
    try:
        table = csv_reading.read(content)
        mapping = csv_reading.guess_mapping(table.headings)
        found = DryRun(encoding=table.encoding, delimiter=table.delimiter, mapping=mapping)
        seen: set[str] = set()
        for rows in _chunked(table):
            people = _sorted_out(rows, table.fields(mapping), seen, found=found)
            _count_people(campaign, people, found)
    except CsvRefusedError as error:
        raise ImportRefusedError(str(error)) from None
    if not found.rows:
        raise ImportRefusedError(_("The file has a heading, and no rows below it."))
    return found


def _chunked(table: Table) -> Iterator[list[tuple[int, list[str]]]]:
    rows = table.rows()
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


def _sorted_out(
    rows: Sequence[tuple[int, list[str]]],
    fields: Sequence[str],
    seen: set[str],
    *,
    found: DryRun | None = None,
) -> list[Person]:
    """The people among the rows, each address once in the whole file (`seen`)."""
    report, people = found or DryRun(), []
    report.rows += len(rows)
    for line, cells in rows:
        person = csv_reading.person_of(line, cells, fields=fields)
        if isinstance(person, RowError):
            report.invalid += 1
            report.note(person)
        elif person.email in seen:
            report.duplicate += 1
            report.note(RowError(line, _("The same address stands further up.")))
        else:
            seen.add(person.email)
            people.append(person)
    return people


def _count_people(campaign: Campaign, people: Sequence[Person], found: DryRun) -> None:
    emails = [person.email for person in people]
    blocked = consent.blocked(campaign.account, Channel.EMAIL, emails, purpose=Purpose.INVITATION)
    known = set(_addresses(campaign, emails).values_list("value", flat=True))
    for person in people:
        if person.email in blocked:
            found.suppressed += 1
            reason = _("Suppressed (%(why)s): will not be invited.") % {"why": blocked[person.email]}
            found.note(RowError(person.line, reason))
        elif person.email in known:
            found.updated += 1
        else:
            found.new += 1


def _addresses(campaign: Campaign, emails: Sequence[str]) -> Any:
    return ContactAddress.objects.for_account(campaign.account).filter(
        kind=ContactAddress.Kind.EMAIL, value__in=emails
    )


def keep(campaign: Campaign, content: bytes, *, filename: str) -> ContactImport:
    """Checks the file and keeps it, to be looked at and then run. Raises ImportRefusedError."""
    if campaign.state not in TAKES_PEOPLE:
        raise ImportRefusedError(_("This campaign has ended; nobody can be added to it."))
    found = check(campaign, content)
    kept = ContactImport(
        id=uuid7(),
        campaign=campaign,
        filename=csv_reading.CONTROL.sub(" ", filename)[-300:] or "people.csv",
        encoding=found.encoding,
        delimiter=found.delimiter,
        mapping=found.mapping,
        row_count=found.rows,
        counts=found.counts,
        errors=found.errors,
    )
    kept.file.save(f"imports/{kept.pk}.csv", ContentFile(content), save=False)
    kept.save()
    return kept


# --- Importing --------------------------------------------------------------------------------------


def start(kept: ContactImport) -> bool:
    """Checked → running, and wakes the task. False when it was started before."""
    from campaigns.tasks import import_people

    if not ContactImport.objects.filter(pk=kept.pk, state=State.CHECKED).update(state=State.RUNNING):
        return False
    import_people.delay_on_commit(str(kept.pk))  # type: ignore[attr-defined]
    return True


def run(import_id: UUID, *, seconds: float = RUN_SECONDS) -> bool:
    """Imports on from where it stood. True when there is more. Twice at once, each row is still done once."""
    kept = ContactImport.objects.select_related("campaign__account").filter(pk=import_id).first()
    if kept is None or kept.state != State.RUNNING:
        return False
    try:
        return _run(kept, ends_at=time.monotonic() + seconds)
    except (CsvRefusedError, FileNotFoundError) as error:
        running = ContactImport.objects.filter(pk=import_id, state=State.RUNNING)
        running.update(state=State.FAILED, reason=str(error)[:500])
        return False


def _run(kept: ContactImport, *, ends_at: float) -> bool:
    table, seen, position = _table(kept), set[str](), kept.done_rows
    rows, fields = table.rows(), table.fields(kept.mapping)
    # What is done only tells which addresses were there already.
    _sorted_out(list(itertools.islice(rows, position)), fields, seen)
    while chunk := list(itertools.islice(rows, CHUNK)):
        people = _sorted_out(chunk, fields, seen)
        start_row, position = position, position + len(chunk)
        if time.monotonic() > ends_at or stopping.is_stopping():
            return True
        if not _store_chunk(kept, people, start=start_row, end=position):
            return False
    done = ContactImport.objects.filter(pk=kept.pk, state=State.RUNNING, done_rows=position)
    if done.update(state=State.DONE) and kept.campaign.state == Campaign.State.RUNNING:
        from campaigns.tasks import run_campaign

        run_campaign.delay_on_commit(str(kept.campaign_id))  # type: ignore[attr-defined]
    return False


def _table(kept: ContactImport) -> Table:
    with kept.file.open("rb") as file:
        return csv_reading.read(file.read(), delimiter=kept.delimiter)


def _store_chunk(kept: ContactImport, people: Sequence[Person], *, start: int, end: int) -> bool:
    """False when another worker has done these rows."""
    for tries_left in (1, 0):
        try:
            with transaction.atomic():
                mine = ContactImport.objects.filter(pk=kept.pk, state=State.RUNNING, done_rows=start)
                if not mine.update(done_rows=end):
                    return False
                _store(kept, people)
                return True
        except IntegrityError:  # somebody made one of these contacts at this moment; now it is known
            if not tries_left:
                raise
    return False


def _store(kept: ContactImport, people: Sequence[Person]) -> None:
    campaign = kept.campaign
    known = {
        row.value: row.contact
        for row in _addresses(campaign, [person.email for person in people]).select_related("contact")
    }
    contacts = {p.email: known[p.email] for p in people if p.email in known}
    contacts |= _make(campaign, [person for person in people if person.email not in known])
    _complete([(known[person.email], person) for person in people if person.email in known])
    Recipient.objects.bulk_create(
        (
            Recipient(campaign=campaign, contact=contacts[person.email], fields=dict(person.fields))
            for person in people
        ),
        ignore_conflicts=True,  # already in this campaign
        batch_size=CHUNK,
    )


def _make(campaign: Campaign, people: Sequence[Person]) -> dict[str, Contact]:
    contacts = {
        person.email: Contact(
            account=campaign.account,
            name=person.name,
            company=person.company,
            language=person.language,
            time_zone=person.time_zone,
            fields=dict(person.fields),
        )
        for person in people
    }
    Contact.objects.bulk_create(contacts.values(), batch_size=CHUNK)
    ContactAddress.objects.bulk_create(
        (_address(campaign, contacts[person.email], person) for person in people), batch_size=CHUNK
    )
    return contacts


def _address(campaign: Campaign, contact: Contact, person: Person) -> ContactAddress:
    return ContactAddress(
        account=campaign.account,
        contact=contact,
        kind=ContactAddress.Kind.EMAIL,
        value=person.email,
        as_given=person.as_given,
        is_primary=True,
        source="csv import",
    )


def _complete(pairs: Sequence[tuple[Contact, Person]]) -> None:
    """What was empty is filled in, and columns are brought up to date. What staff wrote stays."""
    changed = []
    for contact, person in pairs:
        if contact.erased_at is not None:
            continue
        for name in ("name", "company", "language", "time_zone"):
            setattr(contact, name, getattr(contact, name) or getattr(person, name))
        merged = {**contact.fields, **person.fields}
        contact.fields = dict(list(merged.items())[-KEPT_FIELDS:])
        changed.append(contact)
    Contact.objects.bulk_update(
        changed, ["name", "company", "language", "time_zone", "fields"], batch_size=CHUNK
    )


# --- What could not be imported -----------------------------------------------------------------------


def error_rows(kept: ContactImport) -> str:
    """The rows with errors as CSV, as they were sent, with line and reason; safe to open in a spreadsheet."""
    reasons = {error["line"]: error["reason"] for error in kept.errors}
    rows: list[Sequence[str]] = []
    try:
        table = _table(kept)
        rows.append([_("line"), _("reason"), *table.headings])
        rows += [(str(line), reasons[line], *cells) for line, cells in table.rows() if line in reasons]
    except (CsvRefusedError, FileNotFoundError, ValueError):  # the file is gone: the reasons are still there
        rows = [[_("line"), _("reason")], *([str(line), why] for line, why in reasons.items())]
    return csv_reading.written(rows)
