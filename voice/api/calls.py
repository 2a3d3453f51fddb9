"""`POST /make-actual-call`: rings a person, to agree on a time for an interview."""

from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import audit
from config.api.authentication import account_of, caller_of
from config.api.documented_values import private
from config.api.errors import ApiError, NotFoundError
from config.api.models import Account, AuditEntry
from crm import contacts
from crm.models import Contact
from voice import calls, candidate
from voice.models import PhoneCall

SCOPE = "calls"
TAG = "Phone calls"
# What is Twilio's doing. All else, a set-up that cannot call yet too, is a conflict with how things stand.
STATUS = {
    "AWAY": 503,
    "ANSWER_LOST": 502,
    "CREDENTIALS": 502,
    "REFUSED": 502,
    "NUMBER": 400,
    "NO_PHONE_NUMBER": 400,
    "CALL_LIMIT_REACHED": 429,
}
SUGGESTIONS = {
    "CREDENTIALS": "Check TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.",
    "NUMBER": "Use +1234567890, with the country code.",
    "REFUSED": "Twilio's console says why: often the balance, or a number that a trial may not call.",
}


LONGEST_KEY = 200
KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Of your making. Sent again within a day it names the same call, and rings nobody.",
)


class CallRequestSerializer(serializers.Serializer):
    candidate_id = serializers.CharField(
        max_length=320, required=False, help_text="A contact; without it, the candidate of the environment."
    )
    position = serializers.CharField(max_length=200, required=False, allow_blank=True)
    company = serializers.CharField(max_length=200, required=False, allow_blank=True)


class CallPlacedSerializer(serializers.Serializer):
    status = serializers.ChoiceField(("success",))
    message = serializers.CharField()
    call_sid = serializers.CharField()
    call_status = serializers.CharField(help_text="Twilio's word, like `queued`.")
    initial_status = serializers.CharField()
    webhook_url = serializers.CharField()
    candidate = serializers.CharField(help_text="The name.")


@extend_schema(tags=[TAG])
class MakeActualCall(APIView):
    required_scope = SCOPE
    throttle_bucket = "calls"

    @extend_schema(
        operation_id="make_actual_call",
        summary="Call a person, if they agreed to be called and it is daytime where they are",
        parameters=[KEY],
        request=CallRequestSerializer,
        responses=CallPlacedSerializer,
    )
    def post(self, request: Request) -> Response:
        serializer = CallRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given, account = serializer.validated_data, account_of(request)
        name = caller_of(request).name
        try:
            calls.check_setup()  # the documented order: first what keeps anybody from being called
            person, key = _person(account, given.get("candidate_id", "")), _key(request)
            if (earlier := _earlier(account, person, key)) is not None:
                return private(placed(earlier))
            call = calls.place(person, _about(account, given, person), by=name, key=key)
        except candidate.NoCandidate as error:
            raise ApiError("NO_CANDIDATE", str(error), status_code=400) from None
        except calls.CannotCall as error:
            raise _refused(error) from None
        audit.record(account, AuditEntry.ActorKind.KEY, name, "called a person", target=call, request=request)
        return private(placed(call))


def _key(request: Request) -> str:
    key: str = request.headers.get("Idempotency-Key", "")
    if len(key) > LONGEST_KEY or not key.isprintable():
        raise ValidationError({"Idempotency-Key": [f"Must be at most {LONGEST_KEY} printable characters."]})
    return key


def _earlier(account: Account, person: Contact, key: str) -> PhoneCall | None:
    """The call of the same request, which somebody sends again who did not see its answer."""
    call = calls.placed_by(account, key) if key else None
    if call is not None and call.contact_id != person.pk:
        raise ApiError("KEY_REUSED", "This Idempotency-Key was another person's call.", status_code=409)
    return call


def _person(account: Account, reference: str) -> Contact:
    if not reference:
        return candidate.of_environment(account)
    found = contacts.find(account, reference)
    if found is None:
        raise NotFoundError("candidate")
    return found


def _about(account: Account, given: dict[str, Any], person: Contact) -> calls.About:
    is_own = account.slug == settings.CANDIDATE_ACCOUNT
    company = given.get("company") or (settings.CANDIDATE_COMPANY if is_own else "") or account.name
    position = given.get("position") or (settings.CANDIDATE_POSITION if is_own else "") or person.role
    return calls.About(company=company, position=position)


def _refused(error: calls.CannotCall) -> ApiError:
    details = dict(error.details)
    if error.code in SUGGESTIONS:
        details["suggestion"] = SUGGESTIONS[error.code]
    return ApiError(error.code, error.text, status_code=STATUS.get(error.code, 409), details=details)


def placed(call: PhoneCall) -> dict[str, Any]:
    return {
        "status": "success",
        "message": f"Calling {call.to_number}.",
        "call_sid": call.reference,
        "call_status": call.line,
        "initial_status": call.line,
        "webhook_url": calls.webhook("twilio-voice"),
        "candidate": call.invitation.get("candidate", ""),
    }
