"""Mail providers that call us: how each proves itself, and what it says. anymail knows their formats."""

import hashlib
import hmac
import json
import re
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests
from anymail.exceptions import AnymailError, AnymailNotSupportedWarning
from anymail.signals import AnymailTrackingEvent, EventType, RejectReason
from anymail.webhooks.base import AnymailCoreWebhookView
from django.core.exceptions import (
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from django.utils.crypto import constant_time_compare
from django.utils.dateparse import parse_datetime
from django.utils.module_loading import import_string

from campaigns.bounces import OURS, Verdict
from campaigns.mail_reading import clean
from config.api.parsers import parse_json

SIGNATURE_SECONDS = 300  # how far the clock of a generic caller may be off, either way
SNS_HOST = re.compile(r"sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?")
CONFIRM_TIMEOUT = (5, 10)  # seconds to connect, and for each piece of the answer


class UnreadableCallError(Exception):
    """A call that proved itself, and yet is not what its provider documents."""


class FormTooLargeError(Exception):
    """The fields of a form hold more than Django reads beside files; the call is refused, not stored."""


FORM_TOO_LARGE = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP call: the body as it came and the headers that prove it."""

    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a provider says of one email. `what` is a name of hearing.py, or opened, clicked."""

    what: str
    message_ids: tuple[str, ...]
    recipient: str
    at: datetime | None
    detail: str
    event_id: str
    user_agent: str = ""


class MailProvider(Protocol):
    @property
    def asks_password(self) -> bool: ...

    def proves(self, secret: str, call: Call, *, is_email: bool) -> bool: ...

    def events(self, secret: str, call: Call) -> list[Told]:
        """Raises UnreadableCallError."""

    def emails(self, secret: str, call: Call) -> list[bytes]:
        """Raises UnreadableCallError."""


# --- by our own rule -----------------------------------------------------------------------------------


class GenericProvider:
    """Signed by `X-Rapport-Signature: t=<unix seconds>,v1=<hex>`: HMAC-SHA256 over `<t>.<body>`."""

    asks_password = False
    KNOWN = ("delivered", "delay", "soft", "hard", "complaint", "unsubscribe", "auto_reply")

    def proves(self, secret: str, call: Call, *, is_email: bool) -> bool:
        parts = dict(
            part.strip().partition("=")[::2]
            for part in call.headers.get("X-Rapport-Signature", "").split(",")
        )
        at, given = parts.get("t", ""), parts.get("v1", "")
        if (
            not (at.isascii() and at.isdigit() and len(at) < 12)
            or abs(time.time() - int(at)) > SIGNATURE_SECONDS
        ):
            return False
        return constant_time_compare(given, self.sign(secret, call.body, at=int(at)))

    @staticmethod
    def sign(secret: str, body: bytes, *, at: int) -> str:
        return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()

    def events(self, secret: str, call: Call) -> list[Told]:
        given = parse_json(call.body)
        rows = given if isinstance(given, list) else [given]
        return [self._told(row) for row in rows]

    def _told(self, row: Any) -> Told:
        if not isinstance(row, dict) or row.get("event") not in self.KNOWN or not row.get("id"):
            raise UnreadableCallError(f"Each event needs an id and an event of: {', '.join(self.KNOWN)}.")
        at = parse_datetime(str(row.get("at") or ""))
        return Told(
            what=row["event"],
            message_ids=tuple(OURS.findall(str(row.get("message_id") or ""))),
            recipient=str(row.get("recipient") or ""),
            at=at if at is not None and at.tzinfo is not None else None,
            detail=str(row.get("reason") or ""),
            event_id=str(row["id"]),
        )

    def emails(self, secret: str, call: Call) -> list[bytes]:
        return [call.body]  # message/rfc822, as it is


# --- by anymail -----------------------------------------------------------------------------------------

WHAT = {
    EventType.DELIVERED: "delivered",
    EventType.DEFERRED: "delay",
    EventType.COMPLAINED: "complaint",
    EventType.UNSUBSCRIBED: "unsubscribe",
    EventType.AUTORESPONDED: "auto_reply",
    EventType.OPENED: "opened",
    EventType.CLICKED: "clicked",
}
# A provider that refuses to send says why it stopped trying before.
REFUSED = {
    RejectReason.BOUNCED: Verdict.HARD.value,
    RejectReason.INVALID: Verdict.HARD.value,
    RejectReason.SPAM: "complaint",
    RejectReason.UNSUBSCRIBED: "unsubscribe",
}


@dataclass(frozen=True, slots=True)
class AnymailProvider:
    """anymail's view of a provider, asked twice: does a call prove itself; later, what does it say."""

    module: str
    name: str
    secret_setting: str = "webhook_secret"  # noqa: S105 (a name: user:password, by HTTP basic authentication)
    inbound: str = ""  # a view of our own, and what it calls the secret
    inbound_setting: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def asks_password(self) -> bool:
        return self.secret_setting == "webhook_secret"  # noqa: S105

    def _view(self, secret: str, *, is_email: bool) -> AnymailCoreWebhookView:
        where = (
            f"anymail.webhooks.{self.module}.{self.name}{'Inbound' if is_email else 'Tracking'}WebhookView"
        )
        kind = import_string((self.inbound if is_email else "") or where)
        setting = (self.inbound_setting if is_email else "") or self.secret_setting
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", AnymailNotSupportedWarning
            )  # SendGrid's; its signature is checked
            view: AnymailCoreWebhookView = kind(**{setting: secret}, **self.options)
        return view

    def proves(self, secret: str, call: Call, *, is_email: bool) -> bool:
        if not secret:
            return False
        try:
            self._view(secret, is_email=is_email).run_validators(request_of(call))
        except FORM_TOO_LARGE as error:
            raise FormTooLargeError from error
        except (AnymailError, SuspiciousOperation, ValueError, KeyError, TypeError):
            return False
        return True

    def events(self, secret: str, call: Call) -> list[Told]:
        return [told for event in self._events(secret, call, is_email=False) if (told := told_by(event)).what]

    def emails(self, secret: str, call: Call) -> list[bytes]:
        return [event.message.as_bytes() for event in self._events(secret, call, is_email=True)]

    def _events(self, secret: str, call: Call, *, is_email: bool) -> list[Any]:
        try:
            found: list[Any] = self._view(secret, is_email=is_email).parse_events(request_of(call))
        except (AnymailError, SuspiciousOperation, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UnreadableCallError(f"{type(error).__name__}: {error}") from error
        return found


class AmazonSes(AnymailProvider):
    """By Amazon SNS, which first asks whether it may call: whoever knows the password may."""

    def events(self, secret: str, call: Call) -> list[Told]:
        confirm_subscription(call)
        return super().events(secret, call)

    def emails(self, secret: str, call: Call) -> list[bytes]:
        confirm_subscription(call)
        return super().emails(secret, call)


def confirm_subscription(call: Call) -> None:
    """Visits the address in a SubscriptionConfirmation, when it is Amazon's own."""
    message = parse_json(call.body)
    if not isinstance(message, dict) or message.get("Type") != "SubscriptionConfirmation":
        return
    address = urlsplit(str(message.get("SubscribeURL") or ""))
    if address.scheme != "https" or not SNS_HOST.fullmatch(address.netloc):
        raise UnreadableCallError("The address to confirm the subscription is not Amazon's.")
    answer = requests.get(address.geturl(), timeout=CONFIRM_TIMEOUT, allow_redirects=False, stream=True)
    answer.close()
    if answer.status_code != 200:
        raise UnreadableCallError(f"Amazon answered {answer.status_code} to the confirmation.")


def request_of(call: Call) -> HttpRequest:
    """The call as a request again, for anymail; its size was limited when it came."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in call.headers.items()}
    about = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/",
        "CONTENT_TYPE": call.content_type,
        "CONTENT_LENGTH": str(len(call.body)),
        "wsgi.input": BytesIO(),
    }
    request = WSGIRequest({**about, **headers})
    request._body = call.body  # type: ignore[attr-defined]
    return request


def check_form(call: Call) -> None:
    """Raises FormTooLargeError, before a call is stored that could not be read later."""
    try:
        _fields = request_of(call).POST
    except FORM_TOO_LARGE as error:
        raise FormTooLargeError from error
    except (MultiPartParserError, SuspiciousOperation, ValueError):
        return  # what it holds instead is found when it is read


def told_by(event: AnymailTrackingEvent) -> Told:
    said = json.dumps(event.esp_event, default=str)
    mentioned = (*OURS.findall(str(event.message_id or "")), *OURS.findall(said))
    return Told(
        what=_what(event),
        message_ids=tuple(dict.fromkeys(mentioned)),
        recipient=clean(str(event.recipient or "")),
        at=event.timestamp if event.timestamp is not None and event.timestamp.tzinfo else None,
        detail=clean(str(event.mta_response or event.description or event.reject_reason or "")),
        event_id=clean(str(event.event_id or hashlib.sha256(said.encode()).hexdigest())),
        user_agent=str(event.user_agent or ""),
    )


def _what(event: AnymailTrackingEvent) -> str:
    if event.event_type == EventType.BOUNCED:
        return Verdict.SOFT.value if is_soft(event) else Verdict.HARD.value
    if event.event_type == EventType.REJECTED:
        return REFUSED.get(event.reject_reason, "")
    return WHAT.get(event.event_type, "")


def is_soft(event: AnymailTrackingEvent) -> bool:
    """The provider itself calls the bounce temporary; anymail has one word for both."""
    if event.reject_reason not in (None, RejectReason.BOUNCED, RejectReason.INVALID):
        return True
    return any(soft in SOFT_WORDS for soft in _signs(event.esp_event))


SOFT_WORDS = {"softbounce", "soft_bounce", "transient", "undetermined", "blocked", "soft", "false"}


def _signs(told: Any) -> Iterator[str]:
    """Postmark: Type; Amazon: bounce.bounceType; Brevo: event; Mailjet: hard_bounce; SendGrid: type."""
    if not isinstance(told, dict):
        return
    bounce = told.get("bounce")
    for value in (
        told.get("Type"),
        bounce.get("bounceType") if isinstance(bounce, dict) else None,
        told.get("hard_bounce"),
        told.get("type"),
        told.get("event"),
    ):
        if value is not None:
            yield str(value).lower()


PROVIDERS: dict[str, MailProvider] = {
    "generic": GenericProvider(),
    "mailgun": AnymailProvider("mailgun", "Mailgun", "webhook_signing_key"),
    # two keys, and so two of our webhooks: its event webhook and its Inbound Parse sign with one each
    "sendgrid": AnymailProvider(
        "sendgrid",
        "SendGrid",
        "tracking_webhook_verification_key",
        inbound="campaigns.provider_views.SignedSendGridInboundWebhookView",
        inbound_setting="inbound_webhook_verification_key",
    ),
    "postmark": AnymailProvider("postmark", "Postmark"),
    "ses": AmazonSes("amazon_ses", "AmazonSES", options={"auto_confirm_sns_subscriptions": False}),
    "brevo": AnymailProvider(
        "brevo", "Brevo", inbound="campaigns.provider_views.NamedBrevoInboundWebhookView"
    ),
    "mailjet": AnymailProvider("mailjet", "Mailjet"),
    "sparkpost": AnymailProvider("sparkpost", "SparkPost"),
}
