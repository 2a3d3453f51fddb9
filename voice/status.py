"""What the documented `GET /` says of calls, to anybody: nothing that reaches a person."""

from typing import Any

from django.conf import settings

from voice import calls, candidate, twilio
from voice.models import PhoneCall


def documented() -> dict[str, Any]:
    """One query."""
    running = PhoneCall.objects.filter(
        account__slug=settings.CANDIDATE_ACCOUNT, is_test=False, status=PhoneCall.Status.ACTIVE
    )
    return {
        "candidate": candidate.masked(),
        "available_slots": list(settings.CALL_SLOTS),
        "active_conversations": running.count(),
    }


def configured() -> dict[str, Any]:
    return {
        "twilio_configured": not twilio.missing_settings(),
        "webhook_url": calls.webhook("twilio-voice"),
    }
