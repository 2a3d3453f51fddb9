"""“Call me instead”: on the page of their interview a person asks to go on with it by phone."""

from django.http import HttpRequest, HttpResponseRedirect

from config.api.throttling import take
from crm import consent, contacts
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from crm.phone_talks import CannotCall, phone_talks
from interviews.entering import form_target
from interviews.models import Interview
from interviews.pages import address_of, is_under_way

PER_TALK = {"per_second": 0, "per_minute": 2, "per_hour": 6}


@form_target
def call_me(request: HttpRequest, interview: Interview) -> HttpResponseRedirect:
    """Rings the number of the form at once; the form is the consent. The page says what came of it."""
    return HttpResponseRedirect(address_of(interview, note=_asked(request, interview)))


def _asked(request: HttpRequest, interview: Interview) -> str:
    if not is_under_way(interview) or not phone_talks().is_offered(interview.guide.language):
        return "refused"
    if not request.POST.get("agrees"):
        return "call-agree"
    try:
        number = contacts.normalise_phone(request.POST.get("phone", ""))
    except contacts.InvalidAddress:
        return "call-number"
    if not take(f"talk:{interview.conversation_id}", bucket="call-me", **PER_TALK).allowed:
        return "fast"
    _keep_consent(request, interview, number)
    try:
        phone_talks().call(interview.conversation, number)
    except CannotCall as refusal:
        return f"call-{refusal.code}"
    return "calling"


def _keep_consent(request: HttpRequest, interview: Interview, number: str) -> None:
    consent.record(
        interview.contact,
        Channel.PHONE,
        Purpose.INTERVIEW,
        given=True,
        source="interview page",
        text_version=interview.consent_version,
        evidence={
            "asked": "to be called for this interview, by an automated voice",
            "conversation": str(interview.conversation_id),
            "number": consent.hint_of(Channel.PHONE, number),
            "user_agent": request.headers.get("User-Agent", "")[:200],
        },
    )
