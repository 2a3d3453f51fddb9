"""What the page of one call shows beside its fields: the line over time, attempts, times, cost."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from config.api.zones import first_zone
from voice.admin.pages import CALL_COLOURS
from voice.models import Appointment, CallRecording, PhoneCall, TimeSlot

OTHER_CALLS = 10


@dataclass(frozen=True, slots=True)
class Offered:
    """A time that was in this talk, and what became of it there."""

    words: str
    fate: str


def facts(call: PhoneCall) -> dict[str, Any]:
    """The same number of queries for every call."""
    turns = list(call.turns.defer("twiml").order_by("number"))
    return {
        "call": call,
        "colour": CALL_COLOURS[call.status],
        "moves": list(call.line_moves.order_by("id")),
        "others": _others(call),
        "offered": _offered(call),
        "appointment": Appointment.objects.filter(call=call).select_related("slot").first(),
        "cost": cost_of(call),
        "model_cost": _dollars(sum(turn.model_micro_usd for turn in turns)),
        "spoken": turns,
        "recordings": list(CallRecording.objects.filter(call=call).order_by("id")),
    }


def _others(call: PhoneCall) -> list[PhoneCall]:
    """Calls to the same person: the attempts before and after this one among them."""
    if call.contact_id is None:
        return []
    rows = PhoneCall.objects.filter(contact=call.contact_id, account=call.account_id)
    return list(rows.order_by("-started_at")[:OTHER_CALLS])


def _offered(call: PhoneCall) -> list[Offered]:
    """As the talk keeps them: read out last, refused, chosen. What was said in each turn is in the turns."""
    talk = call.talk or {}
    read_out, refused = list(talk.get("offered", ())), list(talk.get("refused", ()))
    chosen = str(talk.get("chosen", ""))
    keys = [key for key in dict.fromkeys([*refused, *read_out, chosen]) if key]
    if not keys:
        return []
    slots = {str(slot.pk): slot for slot in TimeSlot.objects.for_account(call.account).filter(pk__in=keys)}
    zone = first_zone(str(call.invitation.get("zone", "")))
    found = []
    for key in keys:
        fate = _("chosen") if key == chosen else _("refused") if key in refused else _("offered")
        slot = slots.get(key)
        at = slot and slot.starts_at.astimezone(zone)
        found.append(Offered(f"{at:%A} {at.day} {at:%B %Y, %H:%M}" if at else _("a time that is gone"), fate))
    return found


def cost_of(call: PhoneCall) -> str:
    """What Twilio took, in words. Its prices are negative: money that left the balance."""
    if call.is_test or not call.sid:
        return _("nothing")
    if call.price is None:
        return _("not known yet") if call.price_due_at else _("not known")
    return f"{abs(call.price).normalize():f} {call.price_unit}".strip()


def _dollars(micro_usd: int) -> str:
    return f"{Decimal(micro_usd) / 1_000_000:f} USD" if micro_usd else ""
