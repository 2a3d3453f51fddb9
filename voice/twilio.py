"""Twilio: the one module that knows it. Calls placed and looked up, webhooks proved, TwiML made."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from hmac import compare_digest
from typing import Any

import requests
from django.conf import settings
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client
from twilio.twiml.voice_response import Connect, Gather, VoiceResponse
from urllib3.exceptions import NewConnectionError

HOST = "https://api.twilio.com"
CONNECT_SECONDS = 5
READ_SECONDS = 10
RING_SECONDS = 30
LONGEST_CALL_SECONDS = 600
SPEECH_SECONDS = 10  # of silence before the person begins; then the turn is one in which nothing was heard
PAUSE_SECONDS = 3  # of silence that end what they say
MOST_MONEY = 1_000_000
MOST_RECORDING_BYTES = 100 * 1024 * 1024
LONGEST_FETCH_SECONDS = 30
LONGEST_SAY = 4000  # characters; Twilio refuses a little more
EVENTS = ["initiated", "ringing", "answered", "completed"]
VOICE = "alice"
LANGUAGES = {"en": "en-US", "de": "de-DE", "pl": "pl-PL", "ar": "ar-AE"}
# Twilio's numbers for a telephone number that cannot be called: not valid, not reachable, not allowed, …
BAD_NUMBER = {13223, 13224, 21211, 21214, 21215, 21216, 21217, 21219, 21401, 21421}
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class TwilioFailed(Exception):  # noqa: N818
    """Twilio did not do it. `kind`: number, credentials, refused or away. The text may be shown."""

    def __init__(self, kind: str, text: str, code: int | None = None) -> None:
        super().__init__(text)
        self.kind, self.text, self.code = kind, text, code


class AnswerLost(Exception):  # noqa: N818
    """Twilio may have placed the call, or not. Asking again at once could ring a person twice."""


@dataclass(frozen=True, slots=True)
class Placed:
    sid: str
    status: str
    duration_seconds: int | None = None
    price: Decimal | None = None  # negative: it left the balance
    price_unit: str = ""


def missing_settings() -> list[str]:
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_PHONE_NUMBER")
    return [name for name in names if not getattr(settings, name)]


class _Http(TwilioHttpClient):
    """The SDK's client waits for ever; this one does not. It may be pointed at another host."""

    def request(self, method: str, url: str, *args: Any, **options: Any) -> Any:
        if settings.TWILIO_API_URL and url.startswith(HOST):
            url = settings.TWILIO_API_URL + url.removeprefix(HOST)
        options["timeout"] = None  # the client's own: both limits
        return super().request(method, url, *args, **options)


@contextmanager
def _client() -> Iterator[Client]:
    http = _Http(max_retries=0)
    http.timeout = (CONNECT_SECONDS, READ_SECONDS)
    try:
        yield Client(settings.TWILIO_ACCOUNT_SID, settings.TWILIO_AUTH_TOKEN, http_client=http)
    finally:
        http.session.close()


def place(
    to: str,
    *,
    voice_url: str,
    status_url: str,
    longest_seconds: int = LONGEST_CALL_SECONDS,
    recording_url: str = "",
) -> Placed:
    """Rings a telephone, once. Raises TwilioFailed when it surely does not ring, AnswerLost when it may.

    With `recording_url` the call is recorded, and that address is told when the recording is whole.
    """
    try:
        with _client() as client:
            call = client.calls.create(
                to=to,
                from_=settings.TWILIO_PHONE_NUMBER,
                url=voice_url,
                method="POST",
                status_callback=status_url,
                status_callback_method="POST",
                status_callback_event=EVENTS,
                timeout=RING_SECONDS,
                time_limit=longest_seconds,
                **_recorded(recording_url),
                machine_detection="DetectMessageEnd",
            )
        return _placed(call)
    except TwilioRestException as error:
        if error.status >= 500 or error.status == 408:
            raise AnswerLost from error
        raise _failure(error) from error
    except requests.RequestException as error:
        if _never_left(error):
            raise TwilioFailed("away", "Twilio cannot be reached. Nobody was called; try again.") from error
        raise AnswerLost from error
    except (TwilioException, ValueError, TypeError, AttributeError) as error:  # an answer that is none
        raise AnswerLost from error


def _recorded(told_at: str) -> dict[str, Any]:
    """twilio.com/docs/voice/api/call-resource: each side on a channel of its own."""
    if not told_at:
        return {"record": False}
    return {
        "record": True,
        "recording_channels": "dual",
        "recording_status_callback": told_at,
        "recording_status_callback_method": "POST",
        "recording_status_callback_event": ["completed"],
    }


def _never_left(error: requests.RequestException) -> bool:
    """No connection was made, so that Twilio saw nothing of the request."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _failure(error: TwilioRestException) -> TwilioFailed:
    """In our own words: the vendor's text may repeat what was sent to it."""
    if error.code in BAD_NUMBER:
        return TwilioFailed("number", "Twilio cannot call this phone number.", error.code)
    if error.status in (401, 403) or error.code == 20003:
        return TwilioFailed("credentials", "Twilio does not accept these credentials.", error.code)
    return TwilioFailed("refused", f"Twilio refused the call (its error {error.code}).", error.code)


def _placed(call: Any) -> Placed:
    if not isinstance(call.sid, str) or not call.sid:
        raise ValueError("an answer without a sid")
    duration = str(call.duration or "")
    seconds = int(duration) if duration.isdigit() else None
    unit = str(call.price_unit or "")[:3]
    return Placed(call.sid, str(call.status), seconds, _price(call.price), unit)


def _price(given: Any) -> Decimal | None:
    """None until Twilio has rated the call, and for what is no sum of money."""
    try:
        price = Decimal(str(given))
    except InvalidOperation:
        return None
    return round(price, 5) if price.is_finite() and abs(price) < MOST_MONEY else None


def fetch(sid: str) -> Placed | None:
    """How a call stands at Twilio; None when that cannot be learnt now."""
    try:
        with _client() as client:
            return _placed(client.calls(sid).fetch())
    except (TwilioException, requests.RequestException, ValueError, TypeError, AttributeError):
        return None


def recording(sid: str) -> bytes:
    """The sound of a recording, as MP3. Raises TwilioFailed.

    The address is made here (twilio.com/docs/voice/api/recording): none that a webhook brings is followed.
    """
    account = settings.TWILIO_ACCOUNT_SID
    address = f"{settings.TWILIO_API_URL or HOST}/2010-04-01/Accounts/{account}/Recordings/{sid}.mp3"
    ends = time.monotonic() + LONGEST_FETCH_SECONDS
    try:
        with requests.get(
            address,
            auth=(account, settings.TWILIO_AUTH_TOKEN),
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            stream=True,
        ) as answer:
            if answer.status_code != 200:
                raise TwilioFailed("refused", f"Twilio gives no recording ({answer.status_code}).")
            sound = bytearray()
            for piece in answer.iter_content(256 * 1024):
                sound += piece
                if len(sound) > MOST_RECORDING_BYTES or time.monotonic() > ends:
                    raise TwilioFailed("refused", "The recording is too large, or comes too slowly.")
    except requests.RequestException:
        raise TwilioFailed("away", "Twilio cannot be reached.") from None
    if not sound:
        raise TwilioFailed("refused", "The recording is empty.")
    return bytes(sound)


def delete_recording(sid: str) -> None:
    """At Twilio. One that is gone there is no error. Raises TwilioFailed."""
    try:
        with _client() as client:
            client.recordings(sid).delete()
    except TwilioRestException as error:
        if error.status != 404:
            raise _failure(error) from None
    except (TwilioException, requests.RequestException, ValueError, TypeError, AttributeError):
        raise TwilioFailed("away", "Twilio cannot be reached.") from None


def calls_to(number: str, *, since: datetime) -> list[Placed] | None:
    """Calls of ours to a number that Twilio made since then; None when that cannot be learnt now."""
    earliest = since - timedelta(seconds=5)  # the two clocks
    try:
        with _client() as client:
            found = client.calls.list(
                to=number, from_=settings.TWILIO_PHONE_NUMBER, start_time_after=earliest.date(), limit=20
            )
        return [_placed(call) for call in found if call.date_created and call.date_created >= earliest]
    except (TwilioException, requests.RequestException, ValueError, TypeError, AttributeError):
        return None


def is_signed(path: str, query: str, form: Any, signature: str) -> bool:
    """Whether Twilio itself sent this (twilio.com/docs/usage/security).

    The address is the one we gave it, WEBHOOK_BASE_URL: what a proxy or a forged Host header makes of the
    request does not matter.
    """
    if not settings.TWILIO_AUTH_TOKEN or not signature:
        return False
    url = f"{settings.WEBHOOK_BASE_URL}{path}" + (f"?{query}" if query else "")
    return bool(RequestValidator(settings.TWILIO_AUTH_TOKEN).validate(url, form, signature))


def is_signed_socket(path: str, query: str, signature: str) -> bool:
    """The same for the handshake of a websocket.

    Twilio signs the address as it was given out, with `wss`. `https`, the usual port and a slash at the end
    are met in the field too; all of them are the same socket.
    """
    if not settings.TWILIO_AUTH_TOKEN or not signature:
        return False
    scheme, _colon, rest = settings.WEBHOOK_BASE_URL.partition("://")
    host, slash, prefix = rest.partition("/")
    port = "" if ":" in host else {"https": ":443", "http": ":80"}.get(scheme, "")
    validator = RequestValidator(settings.TWILIO_AUTH_TOKEN)
    tail = f"?{query}" if query else ""
    written = (
        f"{form}://{host}{each}{slash}{prefix}{path}{end}{tail}"
        for form in (scheme.replace("http", "ws"), scheme)
        for each in ("", port)
        for end in ("", "/")
    )
    given = signature.encode("latin1", "replace")
    return any(compare_digest(validator.compute_signature(url, {}).encode(), given) for url in written)


def language_of(code: str) -> str:
    return LANGUAGES.get(code.partition("-")[0].lower(), "en-US")


def _spoken(text: str) -> str:
    """What XML can hold, and Twilio takes. The SDK escapes the rest."""
    return NOT_XML.sub("", text)[:LONGEST_SAY]


def listen(say: str, *, action: str, language: str, hints: Sequence[str] = (), farewell: str) -> str:
    """TwiML that says something and waits for words or a key. Silence comes to `action` too."""
    code = language_of(language)
    response = VoiceResponse()
    gather = Gather(
        input="speech dtmf",
        action=action,
        method="POST",
        timeout=SPEECH_SECONDS,
        speech_timeout=PAUSE_SECONDS,
        num_digits=1,
        action_on_empty_result=True,
        language=code,
        hints=_spoken(", ".join(hints)) or None,
    )
    gather.say(_spoken(say), voice=VOICE, language=code)
    response.append(gather)
    # Reached only if Twilio does not do what actionOnEmptyResult asks for.
    response.say(_spoken(farewell), voice=VOICE, language=code)
    response.hangup()
    return str(response)


def relay(*, socket: str, action: str, language: str, hints: Sequence[str] = ()) -> str:
    """TwiML that holds the talk over a websocket of ours (ConversationRelay). Afterwards `action` is asked.

    Source: twilio.com/docs/voice/twiml/connect/conversationrelay.
    """
    response = VoiceResponse()
    connect = Connect(action=action, method="POST")
    connect.conversation_relay(
        url=socket,
        language=language_of(language),
        interruptible="any",
        dtmf_detection=True,
        events="speaker-events",  # when somebody begins and stops to speak: silence is counted from there
        hints=_spoken(", ".join(hints)) or None,
    )
    response.append(connect)
    return str(response)


def hold(say: str, *, then: str, language: str) -> str:
    """TwiML that says something and asks `then` at once for what is said next."""
    response = VoiceResponse()
    response.say(_spoken(say), voice=VOICE, language=language_of(language))
    response.redirect(then, method="POST")
    return str(response)


def dial(say: str, number: str, *, afterwards: str, language: str) -> str:
    """TwiML that connects the person with somebody else, and ends the call after that."""
    code = language_of(language)
    response = VoiceResponse()
    response.say(_spoken(say), voice=VOICE, language=code)
    response.dial(number, timeout=RING_SECONDS)
    response.say(_spoken(afterwards), voice=VOICE, language=code)
    response.hangup()
    return str(response)


def hang_up(say: str = "", *, language: str = "en") -> str:
    """TwiML that says a last thing and ends the call."""
    response = VoiceResponse()
    if say:
        response.say(_spoken(say), voice=VOICE, language=language_of(language))
    response.hangup()
    return str(response)


def nothing() -> str:
    """TwiML for a webhook that only tells us something."""
    return str(VoiceResponse())
