"""A time slot and a person: booked at most once, by the database's word; later moved, or cancelled."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.prepared import PreparedValues, given
from config.api.zones import first_zone
from crm import timeline
from crm.contacts import uuid_of
from crm.models import TimelineEntry
from crm.models.contacts import Channel
from voice import reminding, tasks
from voice.models import Appointment, PhoneCall, TimeSlot
from voice.notices import written_time
from voice.scheduling import Slot

# Slots that one talk, or one page, chooses from: what lies beyond them is told to be no time on offer.
MOST_OFFERED = 200
State = Appointment.State


class SlotTaken(Exception):  # noqa: N818
    """Somebody else has this time now, or it is not offered any more."""


_open_slots = PreparedValues(
    lambda: (
        TimeSlot.objects.filter(account_id=given(TimeSlot, "account"))
        .open(at=given(TimeSlot, "starts_at"))
        .order_by("starts_at", "id")
        .values_list("id", "starts_at", "ends_at")[:MOST_OFFERED]
    )
)


def slots_of(account: Account, *, at: datetime | None = None) -> list[Slot]:
    """What can be offered now, the earliest first."""
    found = _open_slots(account=account.pk, starts_at=at or timezone.now())
    return [Slot(str(key), starts_at, ends_at) for key, starts_at, ends_at in found]


def agree(call: PhoneCall, slot_id: str) -> TimeSlot:
    """The slot that was said yes to, booked; a test call only looks whether it could be. Raises SlotTaken."""
    if not call.is_test:
        return book(call, slot_id).slot
    open_slots = TimeSlot.objects.for_account(call.account).open()
    slot: TimeSlot | None = open_slots.filter(pk=uuid_of(slot_id)).first()
    if slot is None:
        raise SlotTaken
    return slot


def book(call: PhoneCall, slot_id: str) -> Appointment:
    """In the caller's transaction. Booked again by the same call, it is the same appointment.

    Raises SlotTaken; then nothing has changed.
    """
    slot, now = _open_slot(call.account, uuid_of(slot_id)), timezone.now()
    try:
        with transaction.atomic():  # a savepoint: the turn goes on when this fails
            appointment = Appointment.objects.create(
                account_id=call.account_id,
                slot=slot,
                contact=call.person,
                call=call,
                booked_at=now,
                changed_at=now,
                remind_at=reminding.time_for(slot, now=now),
            )
    except IntegrityError:
        own = Appointment.objects.filter(call=call, slot=slot, state=State.BOOKED).first()
        if own is None:
            raise SlotTaken from None
        return own
    words = words_for(slot, zone=str(call.invitation.get("zone", "")))
    _note(appointment, "appointment_booked", _("Interview agreed for %(time)s") % {"time": words}, call=call)
    tasks.tell.delay_on_commit(str(appointment.pk))  # type: ignore[attr-defined]
    return appointment


def move(appointment: Appointment, slot_id: str) -> bool:
    """Another time for the same appointment; the person is told. False when it has that time, or changed
    meanwhile. Raises SlotTaken; then nothing has changed.
    """
    slot, now = _open_slot(appointment.account, uuid_of(slot_id)), timezone.now()
    if slot.pk == appointment.slot_id:
        return False
    seen = Appointment.objects.filter(pk=appointment.pk, state=State.BOOKED, slot=appointment.slot_id)
    remind_at = reminding.time_for(slot, now=now)
    try:
        with transaction.atomic():
            if not _changed(seen, at=now, slot=slot, remind_at=remind_at, reminded_at=None):
                return False
            title = _("Interview moved to %(time)s") % {"time": written_time(appointment, slot)}
            _note(appointment, "appointment_moved", title, direction=TimelineEntry.Direction.IN)
    except IntegrityError:
        raise SlotTaken from None
    return True


def cancel(appointment: Appointment) -> bool:
    """Frees the slot; the person is told. False when it was cancelled before."""
    now = timezone.now()
    rows = Appointment.objects.filter(pk=appointment.pk, state=State.BOOKED)
    with transaction.atomic():
        won = _changed(rows, at=now, state=State.CANCELLED, cancelled_at=now, remind_at=None)
        if won:
            title = _("Interview cancelled: %(time)s") % {"time": written_time(appointment, appointment.slot)}
            _note(appointment, "appointment_cancelled", title)
    return won


def _changed(rows: "QuerySet[Appointment]", *, at: datetime, **changes: Any) -> bool:
    """The calendar entry gets a new version, and its email is due again."""
    again = {"sequence": F("sequence") + 1, "notice": Appointment.Notice.PENDING, "changed_at": at}
    won = list(rows.values_list("pk", flat=True))
    if not won or not rows.update(**again, **changes):
        return False
    tasks.tell.delay_on_commit(str(won[0]))  # type: ignore[attr-defined]
    return True


def _open_slot(account: Account, key: UUID | None) -> TimeSlot:
    slot = TimeSlot.objects.for_account(account).filter(pk=key).first() if key else None
    if slot is None or not slot.is_offered or slot.starts_at <= timezone.now():
        raise SlotTaken
    return slot


def _note(
    appointment: Appointment,
    kind: str,
    title: str,
    *,
    call: PhoneCall | None = None,
    direction: str = TimelineEntry.Direction.NONE,
) -> None:
    ref = {"kind": "appointment", "id": str(appointment.pk)} | ({"call": str(call.pk)} if call else {})
    channel = Channel.PHONE if call else ""
    timeline.write(appointment.contact, kind, title, channel=channel, direction=direction, ref=ref)


def words_for(slot: TimeSlot, *, zone: str) -> str:
    """What the documented API shows of a slot: the words it was made from, else its date and time."""
    if slot.origin:
        return slot.origin
    local = slot.starts_at.astimezone(first_zone(zone))
    return f"{local:%A} {local.day} {local:%B} at {local:%H:%M}"
