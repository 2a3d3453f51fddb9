"""Files of people for a campaign: columns chosen, checked, then imported, in steps that survive a kill."""

import itertools
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import columns, csv_reading, stopping, storing
from campaigns.columns import CONTROL, ColumnsRefusedError, Person, RowError
from campaigns.csv_reading import CsvRefusedError, Table
from campaigns.models import Campaign, ContactImport
from config.api.ids import uuid7
from crm import consent
from crm.models.consent import Purpose
from crm.models.contacts import Channel

CHUNK = 1_000  # rows of a transaction
RUN_SECONDS = 40
AT_ONCE_SECONDS = 1.5  # a small file is checked before the page comes back
LEASE = timedelta(seconds=60)  # renewed with each chunk; reading what is done comes before the first
SHOWN_ERRORS = 100  # kept to show; all are counted, and all can be downloaded
TAKES_PEOPLE = (Campaign.State.DRAFT, Campaign.State.SCHEDULED, Campaign.State.RUNNING, Campaign.State.PAUSED)
State = ContactImport.State
CHANGEABLE = (State.UPLOADED, State.CHECKING, State.CHECKED)
Chunk = list[tuple[int, list[str]]]
Refused = (CsvRefusedError, ColumnsRefusedError)


class ImportRefusedError(Exception):
    """The file, or the campaign, does not allow an import. `str()` is for people."""


@dataclass(frozen=True, slots=True)
class Choices:
    """How to read a file; what is empty is found out. `mapping`: column → field, empty for left out."""

    mapping: Mapping[str, str] | None = None
    encoding: str = ""
    delimiter: str = ""


@dataclass(slots=True)
class DryRun:
    """What an import would do. Each row counts once, in the first of: invalid, duplicate, suppressed."""

    rows: int = 0
    new: int = 0
    updated: int = 0
    invalid: int = 0
    suppressed: int = 0
    duplicate: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    most_errors: int = SHOWN_ERRORS

    @property
    def counts(self) -> dict[str, int]:
        names = ("rows", "new", "updated", "invalid", "suppressed", "duplicate")
        return {name: getattr(self, name) for name in names}

    def note(self, error: RowError) -> None:
        if len(self.errors) < self.most_errors:
            self.errors.append(asdict(error))


@dataclass(frozen=True, slots=True)
class Checked:
    """A file, how it was read, and what importing it would do."""

    table: Table
    mapping: dict[str, str]
    found: DryRun


# --- The file ---------------------------------------------------------------------------------------


def check(campaign: Campaign, content: bytes, choices: Choices | None = None) -> Checked:
    """What importing the file would do, in one go; nothing is written. Raises ImportRefusedError."""
    chosen = choices or Choices()
    try:
        table = csv_reading.read(content, delimiter=chosen.delimiter, encoding=chosen.encoding)
        mapping = columns.check_mapping(
            table.headings,
            columns.guess_mapping(table.headings) if chosen.mapping is None else chosen.mapping,
        )
        found, seen = DryRun(), set[str]()
        for rows in chunked(table.rows()):
            look_at(campaign, rows, table.fields(mapping), seen=seen, found=found)
    except Refused as error:
        raise ImportRefusedError(str(error)) from None
    if not found.rows:
        raise ImportRefusedError(NO_ROWS())
    return Checked(table, mapping, found)


def NO_ROWS() -> str:  # noqa: N802  words that are translated when they are said
    return _("The file has a heading, and no rows below it.")


def keep(
    campaign: Campaign, content: bytes, *, filename: str, choices: Choices | None = None
) -> ContactImport:
    """Checks the whole file and keeps it, ready for `start`. Raises ImportRefusedError."""
    _refuse_ended(campaign)
    checked = check(campaign, content, choices)
    found = checked.found
    kept = _new(campaign, checked.table, content, filename=filename)
    kept.mapping, kept.state = checked.mapping, State.CHECKED
    kept.row_count, kept.done_rows = found.rows, found.rows
    kept.counts, kept.errors = found.counts, found.errors
    kept.save()
    return kept


def receive(campaign: Campaign, content: bytes, *, filename: str) -> ContactImport:
    """Keeps a file that can be read, with a guess at its columns, for a person to look at.

    Raises ImportRefusedError.
    """
    _refuse_ended(campaign)
    try:
        table = csv_reading.read(content)
        first = next(table.rows(), None)
    except CsvRefusedError as error:
        raise ImportRefusedError(str(error)) from None
    if first is None:
        raise ImportRefusedError(NO_ROWS())
    kept = _new(campaign, table, content, filename=filename)
    kept.mapping = columns.guess_mapping(table.headings)
    kept.row_count = table.most_rows
    kept.save()
    return kept


def check_as_guessed(kept: ContactImport) -> None:
    """Begins the check where the headings leave no question; else the question is the row's `reason`."""
    try:
        choose(kept, Choices(kept.mapping))
    except ImportRefusedError as error:
        _of(kept).update(reason=str(error)[:500])


def _refuse_ended(campaign: Campaign) -> None:
    if campaign.state not in TAKES_PEOPLE:
        raise ImportRefusedError(_("This campaign has ended; nobody can be added to it."))


def _new(campaign: Campaign, table: Table, content: bytes, *, filename: str) -> ContactImport:
    kept = ContactImport(
        id=uuid7(),
        campaign=campaign,
        filename=CONTROL.sub(" ", filename)[-300:] or "people.csv",
        encoding=table.encoding,
        encoding_is_sure=table.is_sure,
        delimiter=table.delimiter,
        sheet=table.sheet,
    )
    kept.file.save(f"imports/{kept.pk}.csv", ContentFile(table.kept if table.sheet else content), save=False)
    return kept


def table_of(kept: ContactImport, *, encoding: str = "", delimiter: str = "") -> Table:
    """Raises CsvRefusedError, or FileNotFoundError when the file is gone."""
    if not kept.file:
        raise FileNotFoundError(_("The file was deleted."))
    with kept.file.open("rb") as file:
        content = file.read()
    return csv_reading.read(
        content,
        delimiter=delimiter or kept.delimiter,
        encoding=encoding or kept.encoding,
        sheet=kept.sheet,
    )


# --- Looking at rows ----------------------------------------------------------------------------------


def chunked(rows: Iterator[tuple[int, list[str]]]) -> Iterator[Chunk]:
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


def look_at(
    campaign: Campaign, rows: Chunk, fields: Sequence[str], *, seen: set[str], found: DryRun
) -> list[Person]:
    """Counts what would become of the rows. `seen`: the addresses further up in the file."""
    people = sorted_out(rows, fields, seen, found=found)
    emails = [person.email for person in people]
    blocked = consent.blocked(campaign.account, Channel.EMAIL, emails, purpose=Purpose.INVITATION)
    known = set(storing.addresses_of(campaign, emails).values_list("value", flat=True))
    for person in people:
        if person.email in blocked:
            found.suppressed += 1
            reason = _("Suppressed (%(why)s): will not be invited.") % {"why": blocked[person.email]}
            found.note(RowError(person.line, reason))
        elif person.email in known:
            found.updated += 1
        else:
            found.new += 1
    return people


def sorted_out(
    rows: Iterable[tuple[int, list[str]]], fields: Sequence[str], seen: set[str], *, found: DryRun
) -> list[Person]:
    """The people among the rows, each address once in the whole file (`seen`)."""
    people = []
    for line, cells in rows:
        found.rows += 1
        person = columns.person_of(line, cells, fields=fields)
        if isinstance(person, RowError):
            found.invalid += 1
            found.note(person)
        elif person.email in seen:
            found.duplicate += 1
            found.note(RowError(line, _("The same address stands further up.")))
        else:
            seen.add(person.email)
            people.append(person)
    return people


# --- Steps: checking, then importing ------------------------------------------------------------------


def choose(kept: ContactImport, choices: Choices) -> None:
    """Reads the file as chosen and begins its check: at once when it is small, else in steps.

    Raises ImportRefusedError when the columns are not clear, or the import has begun.
    """
    try:
        table = table_of(kept, encoding=choices.encoding, delimiter=choices.delimiter)
        mapping = columns.check_mapping(table.headings, choices.mapping or {})
    except (*Refused, FileNotFoundError) as error:
        raise ImportRefusedError(str(error)) from None
    changed = ContactImport.objects.filter(pk=kept.pk, state__in=CHANGEABLE).update(
        encoding=table.encoding,
        encoding_is_sure=kept.encoding_is_sure or bool(choices.encoding),
        delimiter=table.delimiter,
        mapping=mapping,
        state=State.CHECKING,
        row_count=table.most_rows,
        done_rows=0,
        counts=DryRun().counts,
        errors=[],
        reason="",
        lease_until=None,
    )
    if not changed:
        raise ImportRefusedError(_("This import was started before."))
    if go_on(kept.pk, seconds=AT_ONCE_SECONDS):
        _wake(kept.pk)


def start(kept: ContactImport) -> bool:
    """Checked → running, and wakes the task. False when it was started before, or the campaign has ended."""
    ready = ContactImport.objects.filter(
        pk=kept.pk, state=State.CHECKED, campaign__in=Campaign.objects.filter(state__in=TAKES_PEOPLE)
    )
    if not ready.update(state=State.RUNNING, done_rows=0, lease_until=None):
        return False
    _wake(kept.pk)
    return True


def _wake(import_id: UUID) -> None:
    from campaigns.tasks import import_people

    import_people.delay_on_commit(str(import_id))  # type: ignore[attr-defined]


def go_on(import_id: UUID, *, seconds: float = RUN_SECONDS) -> bool:
    """Checks or imports on from where it stood, one worker at a time. True when there is more."""
    if not _claim(import_id):
        return False
    kept = ContactImport.objects.select_related("campaign__account").get(pk=import_id)
    work = {State.CHECKING: _check_on, State.RUNNING: _run_on}[State(kept.state)]
    try:
        is_more = work(kept, ends_at=time.monotonic() + seconds)
    except (*Refused, FileNotFoundError) as error:
        back = State.UPLOADED if kept.state == State.CHECKING else State.FAILED
        _mine(kept).update(state=back, reason=str(error)[:500], lease_until=None)
        return False
    if is_more:
        _mine(kept).update(lease_until=None)
    return is_more


def _claim(import_id: UUID) -> bool:
    free = ContactImport.objects.under_way().filter(pk=import_id)
    return free.update(lease_until=timezone.now() + LEASE) == 1


def _of(kept: ContactImport, **where: Any) -> Any:
    """The row, as long as nobody has moved it on."""
    return ContactImport.objects.filter(pk=kept.pk, state=kept.state, **where)


def _mine(kept: ContactImport, **where: Any) -> Any:
    """The row, as long as this worker's lease holds and the columns are those it reads by."""
    return _of(kept, lease_until=kept.lease_until, **where)


def _advance(kept: ContactImport, *, begin: int, **changes: Any) -> bool:
    """Writes how far it is, and renews the lease. False when the file is no longer this worker's."""
    until = timezone.now() + LEASE
    if not _mine(kept, done_rows=begin).update(**changes, lease_until=until):
        return False
    kept.lease_until = until
    return True


def _chunks_left(kept: ContactImport, table: Table, seen: set[str]) -> Iterator[tuple[Chunk, int, int]]:
    """Chunks from where it stood, with their first and last row. What is done only fills `seen`."""
    rows, position = table.rows(), kept.done_rows
    sorted_out(itertools.islice(rows, position), table.fields(kept.mapping), seen, found=DryRun())
    for chunk in chunked(rows):
        yield chunk, position, position + len(chunk)
        position += len(chunk)


def _must_stop(ends_at: float) -> bool:
    return time.monotonic() > ends_at or stopping.is_stopping()


def _check_on(kept: ContactImport, *, ends_at: float) -> bool:
    table, seen = table_of(kept), set[str]()
    found = DryRun(**kept.counts, errors=list(kept.errors))
    fields = table.fields(kept.mapping)
    for rows, begin, end in _chunks_left(kept, table, seen):
        if _must_stop(ends_at):
            return True
        look_at(kept.campaign, rows, fields, seen=seen, found=found)
        most = max(kept.row_count, end)
        done = {"counts": found.counts, "errors": found.errors, "done_rows": end, "row_count": most}
        if not _advance(kept, begin=begin, **done):
            return False
    if not found.rows:
        raise CsvRefusedError(NO_ROWS())
    _mine(kept, done_rows=found.rows).update(state=State.CHECKED, row_count=found.rows, lease_until=None)
    return False


def _run_on(kept: ContactImport, *, ends_at: float) -> bool:
    table, seen, position = table_of(kept), set[str](), kept.done_rows
    fields = table.fields(kept.mapping)
    for rows, begin, position in _chunks_left(kept, table, seen):
        if _must_stop(ends_at):
            return True
        people = sorted_out(rows, fields, seen, found=DryRun())
        if not _store_chunk(kept, people, begin=begin, end=position):
            return False
    done = _mine(kept, done_rows=position).update(state=State.DONE, row_count=position, lease_until=None)
    if done and kept.campaign.state == Campaign.State.RUNNING:
        from campaigns.tasks import run_campaign

        run_campaign.delay_on_commit(str(kept.campaign_id))  # type: ignore[attr-defined]
    return False


def _store_chunk(kept: ContactImport, people: Sequence[Person], *, begin: int, end: int) -> bool:
    """False when another worker has done these rows."""
    lease = kept.lease_until
    for tries_left in (1, 0):
        kept.lease_until = lease
        try:
            with transaction.atomic():
                if not _advance(kept, begin=begin, done_rows=end):
                    return False
                storing.store(kept.campaign, people)
                return True
        except IntegrityError:  # somebody made one of these contacts at this moment; now it is known
            if not tries_left:
                raise
    return False
