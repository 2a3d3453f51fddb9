"""What a call cost at Twilio: asked for some minutes after its end, and later again while it is not known."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from voice import twilio
from voice.models import PhoneCall

# Twilio rates a call some time after it ended (twilio.com/docs/voice/api/call-resource, `price`).
WAITS = tuple(timedelta(minutes=minutes) for minutes in (2, 10, 60, 360, 1440))


def first_look(ended_at: datetime) -> datetime:
    return ended_at + WAITS[0]


def due(*, limit: int = 20) -> list[Any]:
    rows = PhoneCall.objects.filter(price_due_at__lte=timezone.now())
    return list(rows.order_by("price_due_at").values_list("pk", flat=True)[:limit])


def ask(call_id: Any) -> bool:
    """Whether the price is known now. The next look is noted before Twilio is asked: two workers ask once."""
    now = timezone.now()
    call = PhoneCall.objects.filter(pk=call_id, price_due_at__lte=now).first()
    if call is None:
        return False
    looks = call.price_looks + 1
    later = now + WAITS[looks] if looks < len(WAITS) else None
    seen = PhoneCall.objects.filter(pk=call.pk, price_due_at=call.price_due_at)
    if not seen.update(price_due_at=later, price_looks=looks) or not call.sid:
        return False
    placed = twilio.fetch(call.sid)
    if placed is None or placed.price is None:
        return False
    PhoneCall.objects.filter(pk=call.pk).update(
        price=placed.price, price_unit=placed.price_unit, price_due_at=None
    )
    return True
