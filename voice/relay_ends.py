"""TwiML before and after a talk over the websocket: what `/twilio-voice` and the `action` are answered.

Last words are said here and not on the socket: Twilio cuts off what is being spoken when a session ends.
"""

from typing import Any

from django.conf import settings
from django.db import transaction

from voice import calls, turns, twilio
from voice.interview_words import words_of
from voice.models import PhoneCall

MOST_SESSIONS = 3  # of one interview: a line that breaks is taken up again twice


def answered(call_id: Any, *, answered_by: str = "") -> str:
    """TwiML for a call that was answered: the way to the socket, or the greeting. Asked again, the same."""
    greeting = turns.greet(call_id, answered_by=answered_by)
    call = PhoneCall.objects.get(pk=call_id)
    if not turns.is_on(call) or not is_relayed(call):
        return greeting or turns.farewell(call)
    return _connect(call)


def is_relayed(call: PhoneCall) -> bool:
    """Talks that settle on a time are held as the installation says; written ones over the socket alone."""
    if not settings.WEBHOOK_BASE_URL.startswith("https://"):  # Twilio opens no other socket than wss
        return False
    return call.continues_id is not None or settings.VOICE_TALK == "relay"


def ended(call_id: Any, *, broke: bool) -> str:
    """TwiML after the socket.

    A talk that settles on a time goes on by webhooks where it stands, or ends in the words of its last turn.
    An interview is taken up again when the line broke.
    """
    call = PhoneCall.objects.select_related("continues").get(pk=call_id)
    if call.outcome == "handed_over":
        return _handed_over(call)
    if call.continues_id is not None:
        return _after_interview(call, broke=broke)
    last = call.turns.order_by("-number").values_list("twiml", flat=True).first()
    return last or turns.farewell(call)


def _connect(call: PhoneCall) -> str:
    return twilio.relay(
        socket=calls.socket(f"twilio-relay/{call.pk}"),
        action=calls.webhook("twilio-relay-ended", call=call.pk),
        language=_language(call),
        hints=turns.HINTS if call.continues_id is None else (),
    )


def _language(call: PhoneCall) -> str:
    return str(call.invitation.get("language", "en"))


def _handed_over(call: PhoneCall) -> str:
    words, language = words_of(_language(call)), _language(call)
    if not settings.VOICE_STAFF_NUMBER:  # taken away meanwhile
        return twilio.hang_up(words["after_dial"], language=language)
    return twilio.dial(
        words["connecting"], settings.VOICE_STAFF_NUMBER, afterwards=words["after_dial"], language=language
    )


def _after_interview(call: PhoneCall, *, broke: bool) -> str:
    if turns.is_on(call) and broke and _may_go_on(call):
        return _connect(call)
    outcome = call.outcome or ("trouble" if broke else "left_open")
    words = words_of(_language(call))
    return twilio.hang_up(words.get(outcome, words["left_open"]), language=_language(call))


def _may_go_on(call: PhoneCall) -> bool:
    """Counts the sessions of a call, so that a socket that always breaks does not hold somebody for ever."""
    with transaction.atomic():
        row = PhoneCall.objects.select_for_update().get(pk=call.pk)
        sessions = int(row.talk.get("sessions", 1)) + 1
        row.talk = {**row.talk, "sessions": sessions}
        row.save(update_fields=["talk"])
    return sessions <= MOST_SESSIONS
