"""What Twilio calls: proved by its signature, answered with TwiML whatever breaks."""

import logging
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.views import APIView

from config.api import throttling
from config.api.addresses import client_address, ident_of_address
from config.api.async_views import async_endpoint
from config.api.failures import Failure
from config.api.handler import error_response, json_error
from config.api.threads import in_database
from config.api.throttling import Allowance
from voice import calls, recordings, relay_ends, tasks, turns, twilio, understanding
from voice.scheduling import Heard

logger = logging.getLogger("rapport.voice")
NOT_PROVED = Failure(403, "SIGNATURE_ERROR", "This call does not prove that it comes from Twilio.")
# Its own bucket: what is refused here says nothing about callers of the webhook API.
REFUSED: dict[str, Any] = {"bucket": "twilio-refused", "per_minute": 60, "per_second": 0}
LONGEST_WORDS = 2000  # characters
LONGEST_DIGITS = 20
TAG = "Phone calls: Twilio"
FORM = {"application/x-www-form-urlencoded": OpenApiTypes.OBJECT}
TWIML = {(200, "text/xml"): OpenApiTypes.STR}
DESCRIPTION = "Signed by Twilio (`X-Twilio-Signature`); anything else is a 403."

Form = Mapping[str, str]


class _Webhook(APIView):
    # The signature is the credential, and decides alone.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    def post(self, request: Request) -> HttpResponseBase:
        plain = request._request
        if not _is_proved(plain):
            return _refused(plain, throttling.take(_ident(plain), **REFUSED))
        try:
            twiml = self.twiml(plain.POST, plain.GET)
        except Exception:  # a person is on the line: an apology is better than Twilio's own error
            logger.exception("A webhook of Twilio failed.")
            twiml = turns.apology()
        return _document(twiml)

    def twiml(self, form: Form, query: Form) -> str:
        raise NotImplementedError


def _described(operation_id: str, summary: str) -> Callable[[type[APIView]], type[APIView]]:
    described = extend_schema(
        operation_id=operation_id,
        summary=summary,
        description=DESCRIPTION,
        tags=[TAG],
        auth=[],
        request=FORM,
        responses=TWIML,
    )
    decorator: Callable[[type[APIView]], type[APIView]] = extend_schema_view(post=described)
    return decorator


def _is_proved(request: HttpRequest) -> bool:
    signature = request.headers.get("X-Twilio-Signature", "")
    return twilio.is_signed(request.path, request.META.get("QUERY_STRING", ""), request.POST, signature)


def _ident(request: HttpRequest) -> str:
    return ident_of_address(client_address(request))


def _refused(request: HttpRequest, allowance: Allowance) -> HttpResponseBase:
    """Nothing is stored. Only refused calls are counted against a limit, never Twilio's own."""
    if not allowance.allowed:
        return error_response(request, allowance.refusal())
    return json_error(request, NOT_PROVED)


def _document(twiml: str) -> HttpResponse:
    return HttpResponse(twiml, content_type="text/xml; charset=utf-8", headers={"Cache-Control": "no-store"})


@_described("twilio_voice", "A call was answered: the greeting")
class TwilioVoice(_Webhook):
    def twiml(self, form: Form, query: Form) -> str:
        call = calls.call_of(form, query)
        if call is None:
            return turns.farewell()
        answered_by = _clean(form.get("AnsweredBy", ""))
        calls.report(call.pk, "in-progress", answered_by=answered_by)
        return relay_ends.answered(call.pk, answered_by=answered_by)


@_described("twilio_process", "The person said or pressed something, or nothing: what is said next")
class TwilioProcess(_Webhook):
    """For the schema. The view is `twilio_process`."""


@async_endpoint(methods=("POST",))
async def twilio_process(request: HttpRequest) -> HttpResponseBase:
    """Async, because a model may be asked what was meant: no thread and no connection waits for it."""
    if not _is_proved(request):
        return _refused(request, await throttling.atake(_ident(request), **REFUSED))
    try:
        twiml = await _heard(request.POST, request.GET)
    except Exception:  # as above
        logger.exception("A webhook of Twilio failed.")
        twiml = turns.apology()
    return _document(twiml)


async def _heard(form: Form, query: Form) -> str:
    if "waited" in query:
        return await _awaited(form, query)
    heard = heard_in(form)
    return await understanding.settled_or_held(await in_database(_by_rules, form, query, heard), heard)


async def _awaited(form: Form, query: Form) -> str:
    """Where the line was held: what is said next, once a model has thought."""
    call, number = await in_database(calls.call_of, form, query), _turn(query)
    if call is None or number is None:
        return turns.farewell()
    return await understanding.awaited(call.pk, number)


def _by_rules(form: Form, query: Form, heard: Heard) -> str | turns.Unsure:
    call = calls.call_of(form, query)
    return turns.farewell() if call is None else turns.hear_or_ask(call.pk, _turn(query), heard)


@_described("twilio_status", "How the line stands; reports may come twice and in any order")
class TwilioStatus(_Webhook):
    def twiml(self, form: Form, query: Form) -> str:
        call = calls.call_of(form, query)
        if call is not None:
            calls.report(
                call.pk,
                form.get("CallStatus", ""),
                duration_seconds=_whole(form.get("CallDuration", ""), digits=6),
                answered_by=_clean(form.get("AnsweredBy", "")),
            )
        return twilio.nothing()


@_described("twilio_recording", "A recording of the call is whole")
class TwilioRecording(_Webhook):
    def twiml(self, form: Form, query: Form) -> str:
        if form.get("RecordingStatus", "") == "completed":
            seconds = _whole(form.get("RecordingDuration", ""), digits=6)
            row = recordings.note(
                calls.call_of(form, query), form.get("RecordingSid", ""), duration_seconds=seconds
            )
            if row is not None:
                tasks.fetch_recordings.delay_on_commit()  # type: ignore[attr-defined]
        return twilio.nothing()


@_described("twilio_relay_ended", "A talk over the websocket has ended or broke off: how the call goes on")
class TwilioRelayEnded(_Webhook):
    def twiml(self, form: Form, query: Form) -> str:
        call = calls.call_of(form, query)
        if call is None:
            return turns.farewell()
        broke = form.get("SessionStatus", "") == "failed" or bool(form.get("ErrorCode", ""))
        return relay_ends.ended(call.pk, broke=broke)


def heard_in(form: Form) -> Heard:
    digits = "".join(letter for letter in form.get("Digits", "") if letter in "0123456789*#")
    return Heard(
        words=_clean(form.get("SpeechResult", ""))[:LONGEST_WORDS],
        confidence=_confidence(form.get("Confidence", "")),
        digits=digits[:LONGEST_DIGITS],
    )


def _clean(text: str) -> str:
    """Without the one character that PostgreSQL cannot store."""
    return text.replace("\0", "").strip()


def _confidence(text: str) -> float:
    """Twilio's own, from 0 to 1. Where it sends none, it has no doubt."""
    try:
        value = float(text)
    except ValueError:
        return 1.0
    return min(1.0, max(0.0, value)) if isfinite(value) else 1.0


def _turn(query: Form) -> int | None:
    return _whole(query.get("turn", ""), digits=3)


def _whole(text: str, *, digits: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None
