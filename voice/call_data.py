"""What calls hold of a person (voice/personal_data.py runs it)."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from crm.models import Contact
from voice import recordings
from voice.models import Appointment, Callee, CallRecording, CallTurn, PhoneCall


def collect(contact: Contact) -> dict[str, Any]:
    rows = PhoneCall.objects.filter(contact=contact).prefetch_related("turns").order_by("started_at")
    sounds: dict[Any, list[CallRecording]] = defaultdict(list)
    for one in CallRecording.objects.filter(call__contact=contact).order_by("id"):
        sounds[one.call_id].append(one)
    appointments = Appointment.objects.filter(contact=contact).select_related("slot").order_by("booked_at")
    return {
        "phone_calls": [_call(call, sounds[call.pk]) for call in rows],
        "call_batches": [
            {"state": one.state, "called_at": one.called_at.isoformat() if one.called_at else None}
            for one in Callee.objects.filter(contact=contact).order_by("pk")
        ],
        "appointments": [
            {"starts_at": one.slot.starts_at.isoformat(), "state": one.state} for one in appointments
        ],
    }


def _call(call: PhoneCall, sounds: Sequence[CallRecording]) -> dict[str, Any]:
    return {
        "to": call.to_number,
        "started_at": call.started_at.isoformat(),
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "outcome": call.outcome,
        "recordings": [
            {"recorded_at": one.created_at.isoformat(), "duration_seconds": one.duration_seconds}
            for one in sounds
        ],
        "confirmed_slot": call.confirmed_slot,
        "turns": [
            {"number": turn.number, "heard": turn.words or turn.digits, "said": turn.said}
            for turn in call.turns.all()
        ],
    }


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Safe to repeat. Of one talk: the call that it is the transcript of, and those by which it went on."""
    if conversation_id is not None:
        of_it = Q(transcript=conversation_id) | Q(continues=conversation_id)
        theirs = PhoneCall.objects.filter(of_it, contact=contact)
        sounds = recordings.remove(CallRecording.objects.filter(call__in=theirs))
        turns = CallTurn.objects.filter(call__in=theirs).delete()[0]
        calls = theirs.delete()[1].get("voice.PhoneCall", 0)
        return {"phone_calls": calls, "call_turns": turns, "call_recordings": sounds}
    sounds = recordings.remove(CallRecording.objects.filter(call__contact=contact))
    with transaction.atomic():
        turns = CallTurn.objects.filter(call__contact=contact).delete()[0]
        appointments = Appointment.objects.filter(contact=contact).delete()[0]
        calls = PhoneCall.objects.filter(contact=contact).delete()[1].get("voice.PhoneCall", 0)
        places = Callee.objects.filter(contact=contact).delete()[0]
    return {
        "phone_calls": calls,
        "call_turns": turns,
        "call_recordings": sounds,
        "appointments": appointments,
        "batch_places": places,
    }
