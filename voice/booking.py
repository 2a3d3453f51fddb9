"""A time slot and a person: booked at most once, by the database's word."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account
from config.api.zones import first_zone
from crm import timeline
from crm.contacts import uuid_of
from crm.models.contacts import Channel
from voice import tasks
from voice.models import Appointment, PhoneCall, TimeSlot
from voice.scheduling import Slot

MOST_OFFERED = 30  # slots that one talk chooses from


class SlotTaken(Exception):  # noqa: N818
    """Somebody else has this time now, or it is not offered any more."""


def slots_of(account: Account, *, at: datetime | None = None) -> list[Slot]:
    """What can be offered now, the earliest first."""
    rows = TimeSlot.objects.for_account(account).open(at=at).order_by("starts_at", "id")
    return [Slot(str(row.pk), row.starts_at, row.ends_at) for row in rows[:MOST_OFFERED]]


def book(call: PhoneCall, slot_id: str) -> Appointment:
    """In the caller's transaction. Booked again by the same call, it is the same appointment.

    Raises SlotTaken; then nothing has changed.
    """
    slot = _open_slot(call.account, uuid_of(slot_id))
    try:
        with transaction.atomic():  # a savepoint: the turn goes on when this fails
            appointment = Appointment.objects.create(
                account_id=call.account_id, slot=slot, contact_id=call.contact_id, call=call
            )
    except IntegrityError:
        own = Appointment.objects.filter(call=call, slot=slot, state=Appointment.State.BOOKED).first()
        if own is None:
            raise SlotTaken from None
        return own
    _note(appointment, call)
    tasks.tell.delay_on_commit(str(appointment.pk))  # type: ignore[attr-defined]
    return appointment


def _open_slot(account: Account, key: UUID | None) -> TimeSlot:
    slot = TimeSlot.objects.for_account(account).filter(pk=key).first() if key else None
    if slot is None or not slot.is_offered or slot.starts_at <= timezone.now():
        raise SlotTaken
    return slot


def _note(appointment: Appointment, call: PhoneCall) -> None:
    title = _("Interview agreed for %(time)s") % {
        "time": words_for(appointment.slot, zone=call.invitation.get("zone", ""))
    }
    ref = {"kind": "appointment", "id": str(appointment.pk), "call": str(call.pk)}
    timeline.write(call.contact, "appointment_booked", title, channel=Channel.PHONE, ref=ref)


def words_for(slot: TimeSlot, *, zone: str) -> str:
    """What the documented API shows of a slot: the words it was made from, else its date and time."""
    if slot.origin:
        return slot.origin
    local = slot.starts_at.astimezone(first_zone(zone))
    return f"{local:%A} {local.day} {local:%B} at {local:%H:%M}"


def cancel(appointment: Appointment) -> bool:
    """Frees the slot. False when it was cancelled before."""
    rows = Appointment.objects.filter(pk=appointment.pk, state=Appointment.State.BOOKED)
    return rows.update(state=Appointment.State.CANCELLED, cancelled_at=timezone.now()) > 0
