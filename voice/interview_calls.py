"""An interview that was begun in writing, held on by phone because the person asked for it on its page."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Conversation
from crm.models.consent import Purpose
from crm.phone_talks import CannotCall
from voice import calls, gates
from voice.interview_words import is_spoken
from voice.models import PhoneCall

BY = "the person"
# What the caller's refusals are for the page.
CODES = {
    "NO_PHONE_NUMBER": "number",
    "NUMBER": "number",
    "MAY_NOT_CALL": "blocked",
    "CALL_LIMIT_REACHED": "often",
    "OUTSIDE_HOURS": "hours",
    "ALREADY_CALLING": "running",
}
# It may ring, or somebody rings the person for another reason.
MAY_RING = "ANSWER_LOST"


class InterviewCalls:
    """settings.PHONE_TALKS: see crm/phone_talks.py."""

    def is_offered(self, language: str) -> bool:
        if settings.VOICE_TALK != "relay" or not settings.WEBHOOK_BASE_URL.startswith("https://"):
            return False
        try:
            calls.check_setup()
        except calls.CannotCall:
            return False
        return is_spoken(language)

    def is_under_way(self, conversation_id: UUID) -> bool:
        rows = PhoneCall.objects.filter(continues_id=conversation_id, status=PhoneCall.Status.ACTIVE)
        return rows.exists()

    def call(self, conversation: Conversation, number: str) -> None:
        try:
            place(conversation, number)
        except calls.CannotCall as error:
            if error.code == MAY_RING or self.is_under_way(conversation.pk):
                return
            raise CannotCall(CODES.get(error.code, "failed")) from error


def place(conversation: Conversation, number: str, *, now: datetime | None = None) -> PhoneCall:
    """Rings a number of the person's, once. Raises calls.CannotCall.

    The gates are those of every call, but that consent is to the interview. The number is kept with the call
    alone.
    """
    calls.check_setup()
    at, contact = now or timezone.now(), conversation.contact
    calls.settle_earlier(contact, now=at)
    if not gates.is_dialled(number):
        number = ""
    refusal = gates.refusal_at(contact, number, Purpose.INTERVIEW, now=at)
    if refusal is not None:
        raise calls.CannotCall(refusal.code, refusal.text, **refusal.details)
    call = _intended(conversation, number, at=at)
    return calls.ring(call, longest_seconds=settings.INTERVIEW_CALL_SECONDS)


def _intended(conversation: Conversation, number: str, *, at: datetime) -> PhoneCall:
    contact = conversation.contact
    try:
        with transaction.atomic():
            return PhoneCall.objects.create(
                account_id=conversation.account_id,
                contact=contact,
                continues=conversation,
                to_number=number,
                invitation={
                    "candidate": contact.name,
                    "company": conversation.brief.get("organisation") or conversation.account.name,
                    "position": "",
                    "zone": str(gates.zones_of(contact, number)[0]),
                    "language": str(conversation.brief.get("language") or "en"),
                },
                requested_by=BY,
                started_at=at,
            )
    except IntegrityError:
        raise calls.already_calling(contact) from None
