"""Two contacts become one, and two again: exactly what was moved goes back.

Whatever has a relation to a contact moves, in this app and in those above it, found by `_meta`. Nothing is
deleted: the other contact keeps its row and its facts, inactive. A row that cannot move, because the one
who stays has its like already (both in one campaign), stays where it is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from config.api import audit
from config.api.models import AuditEntry
from crm import erasure
from crm.models import Contact, ContactAddress, ContactMerge, Erasure, Likeness, MovedRows

UNDO_FOR = timedelta(days=30)
CHUNK = 500  # keys in one row of MovedRows
FACTS = ("name", "company", "role", "language", "time_zone")
OBJECTS = ("preferences", "fields")
# Of the merging itself; and an erasure is about the person that was asked for, not whom they became.
NOT_MOVED = (ContactMerge, Likeness, Erasure)
DEMOTED = "crm.ContactAddress.is_primary"
AT_ONCE = 50
ERASURES_FOLLOWED = timedelta(days=30)
STRAGGLERS_FOR = timedelta(minutes=10)

State = ContactMerge.State


class MergeRefused(Exception):  # noqa: N818
    """A merge, or its undoing, that cannot be; its text is for people."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What staff chose: who stays, and of which facts the other's value is taken."""

    kept_id: UUID
    taken_from_other: frozenset[str] = frozenset()


def merge(proposal_id: Any, choice: Choice, *, by: str) -> ContactMerge:
    """Raises MergeRefused; then nothing has changed."""
    with transaction.atomic():
        row = _locked(proposal_id)
        kept, removed = _ordered(row, choice.kept_id)
        _refuse_unmergeable(kept, removed)
        _claim(row, kept, removed, by=by)
        _merge_facts(row, kept, removed, choice.taken_from_other)
        _demote(row, kept, removed)
        for field in relations():
            _move(row, field, removed.pk, kept.pk)
        _note(row, by, "merged contacts")
    row.refresh_from_db()
    return row


def dismiss(proposal_id: Any, *, by: str) -> bool:
    """They are two people: this pair is not proposed again."""
    rows = ContactMerge.objects.filter(pk=proposal_id, state=State.PROPOSED)
    return rows.update(state=State.DISMISSED, decided_by=by[:150]) > 0


def undo(proposal_id: Any, *, by: str) -> ContactMerge:
    """What was moved goes back; what came since stays. Raises MergeRefused."""
    with transaction.atomic():
        row = _locked(proposal_id)
        kept, removed = _ordered(row, row.kept_id)
        _refuse_unmendable(row, kept, removed)
        rows = ContactMerge.objects.filter(pk=row.pk, state=State.MERGED)
        if not rows.update(state=State.UNDONE, undone_at=timezone.now(), decided_by=by[:150]):
            raise MergeRefused(_("This merge has been undone already."))
        demoted = [moved for moved in row.moved.all() if moved.relation == DEMOTED]
        for moved in row.moved.exclude(relation=DEMOTED):
            _move_back(moved, row)
        for moved in demoted:
            _promote(moved, removed)
        _restore_facts(row, kept, removed)
        row.moved.all().delete()
        _note(row, by, "undid merge of contacts")
    row.refresh_from_db()
    return row


def can_be_undone(row: ContactMerge, *, at: datetime | None = None) -> bool:
    now = at or timezone.now()
    return row.state == State.MERGED and row.merged_at is not None and now - row.merged_at <= UNDO_FOR


def relations() -> Iterator["models.ForeignKey[Any, Any]"]:
    """Every foreign key to a contact, in whichever app: also without a reverse name, and of M2M tables."""
    for relation in Contact._meta.get_fields(include_hidden=True):
        field = getattr(relation, "field", None)
        if not (relation.auto_created and isinstance(field, models.ForeignKey)):
            continue
        if field.model not in NOT_MOVED and not field.model._meta.proxy:
            yield field


def counted(contact: Contact) -> list[tuple[str, int]]:
    """What would move, by what it is called: for the page on which staff decide."""
    found = []
    for field in relations():
        count = field.model._base_manager.filter(**{field.attname: contact.pk}).count()
        if count:
            found.append((str(field.model._meta.verbose_name_plural), count))
    return found


def _locked(proposal_id: Any) -> ContactMerge:
    """Both contacts' rows are locked, in one order everywhere, so that two merges cannot cross."""
    row = ContactMerge.objects.filter(pk=proposal_id).first()
    if row is None:
        raise MergeRefused(_("This proposal is gone."))
    list(Contact.objects.select_for_update().filter(pk__in=[row.kept_id, row.removed_id]).order_by("pk"))
    found: ContactMerge = ContactMerge.objects.select_related("kept__account", "removed").get(pk=row.pk)
    return found


def _ordered(row: ContactMerge, kept_id: Any) -> tuple[Contact, Contact]:
    if str(kept_id) == str(row.kept_id):
        return row.kept, row.removed
    if str(kept_id) == str(row.removed_id):
        return row.removed, row.kept
    raise MergeRefused(_("Choose which of the two stays."))


def _refuse_unmergeable(kept: Contact, removed: Contact) -> None:
    if kept.account_id != removed.account_id:
        raise MergeRefused(_("These contacts belong to different accounts."))
    _refuse_erased(kept, removed)
    merged = ContactMerge.objects.filter(removed__in=[kept, removed], state=State.MERGED)
    if merged.exists():
        raise MergeRefused(_("One of them has become part of another contact already."))


def _refuse_erased(*pair: Contact) -> None:
    if any(contact.erased_at for contact in pair):
        raise MergeRefused(_("One of them was erased."))
    if Erasure.objects.filter(contact__in=pair, state=Erasure.State.REQUESTED).exists():
        raise MergeRefused(_("One of them is being erased."))


def _refuse_unmendable(row: ContactMerge, kept: Contact, removed: Contact) -> None:
    if row.state != State.MERGED:
        raise MergeRefused(_("This pair is not merged."))
    if not can_be_undone(row):
        raise MergeRefused(_("A merge can be undone for 30 days."))
    _refuse_erased(kept, removed)
    if ContactMerge.objects.filter(removed=kept, state=State.MERGED).exists():
        raise MergeRefused(_("%(name)s was merged again since. Undo that merge first.") % {"name": kept})


def _claim(row: ContactMerge, kept: Contact, removed: Contact, *, by: str) -> None:
    rows = ContactMerge.objects.filter(pk=row.pk).exclude(state=State.MERGED)
    now = timezone.now()
    if not rows.update(
        state=State.MERGED, kept=kept, removed=removed, merged_at=now, undone_at=None, decided_by=by[:150]
    ):
        raise MergeRefused(_("This pair is merged already."))
    row.kept, row.removed, row.state, row.merged_at = kept, removed, State.MERGED, now


def _note(row: ContactMerge, by: str, action: str) -> None:
    detail = {"kept": str(row.kept_id), "removed": str(row.removed_id)}
    kind = AuditEntry.ActorKind.STAFF
    audit.record(row.kept.account, kind, by, action, target=row, detail=detail)


# --- facts ---------------------------------------------------------------------------------


def _merge_facts(row: ContactMerge, kept: Contact, removed: Contact, taken: frozenset[str]) -> None:
    """Empty facts are filled in; of two values one is taken, and the other is kept in `conflicts`."""
    new: dict[str, Any] = {}
    conflicts: dict[str, Any] = {}
    for name in (*FACTS, *OBJECTS):
        mine, theirs = getattr(kept, name), getattr(removed, name)
        if isinstance(mine, dict) and isinstance(theirs, dict):
            value, left = _joined(mine, theirs)
        else:
            value, left = _one_of(mine, theirs, take=name in taken)
        new |= {name: value} if value != mine else {}
        conflicts |= {name: left} if left else {}
    now = timezone.now()
    changes: dict[str, Any] = {name: [getattr(kept, name), value] for name, value in new.items()}
    changes["updated_at"] = [kept.updated_at.isoformat(), now.isoformat()]
    changes["removed_was_active"] = removed.is_active
    Contact.objects.filter(pk=kept.pk).update(**new, updated_at=now)
    Contact.objects.filter(pk=removed.pk).update(is_active=False)
    ContactMerge.objects.filter(pk=row.pk).update(changes=changes, conflicts=conflicts)


def _joined(mine: dict[str, Any], theirs: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both objects in one, and what of theirs found its place taken."""
    left = {key: value for key, value in theirs.items() if key in mine and mine[key] != value}
    return {**theirs, **mine}, left


def _one_of(mine: Any, theirs: Any, *, take: bool) -> tuple[Any, Any]:
    """The value that is taken, and the one that is not."""
    if not theirs or mine == theirs:
        return mine, None
    return (theirs, mine) if take or not mine else (mine, theirs)


def _restore_facts(row: ContactMerge, kept: Contact, removed: Contact) -> None:
    """What staff changed since the merge stays changed."""
    changes: Mapping[str, Any] = row.changes
    restored: dict[str, Any] = {}
    for name in (*FACTS, *OBJECTS):
        if name not in changes:
            continue
        now, (former, written) = getattr(kept, name), changes[name]
        if now == written:
            restored[name] = former
        elif all(isinstance(value, dict) for value in (now, former, written)):
            restored[name] = _without_added(now, former, written)
    before, after = (parse_datetime(text) for text in changes["updated_at"])
    restored["updated_at"] = before if kept.updated_at == after else timezone.now()
    Contact.objects.filter(pk=kept.pk).update(**restored)
    Contact.objects.filter(pk=removed.pk).update(is_active=changes["removed_was_active"])


def _without_added(now: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    added = {key for key in after if key not in before and now.get(key) == after[key]}
    return {key: value for key, value in now.items() if key not in added}


# --- rows ----------------------------------------------------------------------------------


def _demote(row: ContactMerge, kept: Contact, removed: Contact) -> None:
    """A contact has one primary address of a kind: that of the one who stays."""
    taken = kept.addresses.filter(is_primary=True).values_list("kind", flat=True)
    rows = removed.addresses.filter(is_primary=True, kind__in=list(taken))
    keys = list(rows.values_list("pk", flat=True))
    if keys:
        ContactAddress.objects.filter(pk__in=keys).update(is_primary=False)
        MovedRows.objects.create(merge=row, relation=DEMOTED, keys=keys)


def _promote(moved: MovedRows, removed: Contact) -> None:
    for key in moved.keys:
        try:
            with transaction.atomic():
                ContactAddress.objects.filter(pk=key, contact=removed).update(is_primary=True)
        except IntegrityError:
            continue  # they were given another primary address since


def _move(row: ContactMerge, field: "models.ForeignKey[Any, Any]", source: UUID, target: UUID) -> None:
    rows = field.model._base_manager.filter(**{field.attname: source})
    keys = list(rows.order_by("pk").values_list("pk", flat=True))
    relation = f"{field.model._meta.label}.{field.name}"
    for start in range(0, len(keys), CHUNK):
        if moved := _pointed(field, keys[start : start + CHUNK], source, target):
            texts = [key if isinstance(key, int) else str(key) for key in moved]
            MovedRows.objects.create(merge=row, relation=relation, keys=texts)


def _move_back(moved: MovedRows, row: ContactMerge) -> None:
    label, _dot, name = moved.relation.rpartition(".")
    field = apps.get_model(label)._meta.get_field(name)
    if isinstance(field, models.ForeignKey):
        _pointed(field, moved.keys, row.kept_id, row.removed_id)


def _pointed(field: "models.ForeignKey[Any, Any]", keys: list[Any], source: UUID, target: UUID) -> list[Any]:
    """Points these rows from one contact to the other, and gives the keys of those that could be."""
    rows = field.model._base_manager.filter(**{field.attname: source})
    try:
        with transaction.atomic():
            rows.filter(pk__in=keys).update(**{field.attname: target})
        return keys
    except IntegrityError:
        pass
    # Something among them is there once per contact, and the other has it: each by itself.
    moved = []
    for key in keys:
        try:
            with transaction.atomic():
                moved += [key] if rows.filter(pk=key).update(**{field.attname: target}) else []
        except IntegrityError:
            continue
    return moved


# --- the sweep -----------------------------------------------------------------------------


def sweep() -> None:
    follow_erasures()
    catch_up()


def follow_erasures() -> int:
    """Whoever was erased is erased also as the contact that became part of them, and in what merges remember.

    A bounded piece at a time; what was done is not found again.
    """
    done = Erasure.objects.filter(
        state=Erasure.State.DONE,
        conversation_id_only=None,
        finished_at__gt=timezone.now() - ERASURES_FOLLOWED,
        contact__isnull=False,
    ).values("contact")
    of_erased = ContactMerge.objects.filter(models.Q(kept__in=done) | models.Q(removed__in=done))
    rows = of_erased.exclude(state=State.DISMISSED, reasons=[]).select_related("removed__account")
    Likeness.objects.filter(contact__in=done).delete()
    found = list(rows[:AT_ONCE])
    for row in found:
        if row.state == State.MERGED and row.removed.erased_at is None:
            erasure.run(erasure.request(row.removed, requested_by="merge").pk)
        forget(row)
    return len(found)


def forget(row: ContactMerge) -> None:
    """The pair stays as one that is not proposed again; what was known of them goes."""
    with transaction.atomic():
        row.moved.all().delete()
        ContactMerge.objects.filter(pk=row.pk).update(
            state=State.DISMISSED, reasons=[], changes={}, conflicts={}
        )


def catch_up() -> None:
    """Rows that were on their way to the other contact while it was merged follow the rest."""
    since = timezone.now() - STRAGGLERS_FOR
    fresh = ContactMerge.objects.filter(state=State.MERGED, merged_at__gt=since)
    for key in fresh.values_list("pk", flat=True):
        with transaction.atomic():
            row = _locked(key)
            if row.state == State.MERGED:
                for field in relations():
                    _move(row, field, row.removed_id, row.kept_id)
