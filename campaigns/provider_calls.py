"""Calls of mail providers: proved, stored as they came, answered; then read from their rows."""

import hashlib
from collections.abc import Iterable
from uuid import UUID

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from campaigns import hearing, inbound, matching, tracking
from campaigns.hearing import Heard
from campaigns.mail_providers import PROVIDERS, Call, Told, check_form
from campaigns.matching import Match
from campaigns.models import MailWebhook, WebhookCall
from config.api import arrivals

Kind = WebhookCall.Kind


def proved(provider: str, call: Call, *, kind: str) -> MailWebhook | None:
    """The webhook whose secret proves the call: it names the account. None when nobody's does.

    Raises FormTooLargeError for a form that could not be read, from anybody: some prove themselves in it.
    """
    hooks = MailWebhook.objects.filter(provider=provider, is_active=True).select_related("account")
    knows = PROVIDERS[provider]
    is_email = kind == Kind.EMAILS
    found = next((hook for hook in hooks if knows.proves(hook.secret, call, is_email=is_email)), None)
    if found is not None:
        check_form(call)
    return found


def keep(webhook: MailWebhook, call: Call, *, kind: str) -> bool:
    """Stores the call and wakes a reader. False when the same call is held already."""
    from campaigns import tasks

    try:
        with transaction.atomic():
            row = WebhookCall.objects.create(
                webhook=webhook,
                kind=kind,
                event_id=hashlib.sha256(kind.encode() + call.body).hexdigest(),
                content_type=call.content_type[:255],
                body=call.body.decode("latin-1"),
            )
            MailWebhook.objects.filter(pk=webhook.pk).update(last_called_at=timezone.now())
    except IntegrityError:
        return False
    tasks.read_webhook_call.delay_on_commit(str(row.pk))  # type: ignore[attr-defined]
    return True


def read(call_id: UUID) -> None:
    """Reads one stored call. Doing it twice changes nothing."""
    row = arrivals.take(WebhookCall, call_id)
    if row is not None:
        arrivals.work_off(row, _read)


def _read(row: WebhookCall) -> None:
    webhook = MailWebhook.objects.select_related("account").get(pk=row.webhook_id)
    knows, call = PROVIDERS[webhook.provider], Call(row.body.encode("latin-1"), row.content_type)
    if row.body and row.kind == Kind.EMAILS:
        for raw in knows.emails(webhook.secret, call):
            inbound.keep(webhook.account, raw, source=webhook.provider)
    elif row.body:
        _hear_each(webhook, knows.events(webhook.secret, call), row)
    WebhookCall.objects.filter(pk=row.pk).update(state=WebhookCall.State.DONE, error="")


def _hear_each(webhook: MailWebhook, events: Iterable[Told], row: WebhookCall) -> None:
    """Each by itself: one that cannot be written keeps no other from being heard. Raises the first error."""
    trouble: Exception | None = None
    for told in events:
        try:
            with transaction.atomic():
                _hear(webhook, told, row)
        except OperationalError:
            raise
        except Exception as error:  # it is told when the others are done
            trouble = trouble or error
    if trouble is not None:
        raise trouble


def _hear(webhook: MailWebhook, told: Told, row: WebhookCall) -> None:
    match = _match(webhook, told)
    if match.delivery is None:
        return  # about an email that was not ours, or is forgotten
    at = min(told.at or row.received_at, timezone.now())
    heard = Heard(webhook.provider, told.event_id, at, told.detail)
    if told.what in ("opened", "clicked"):
        tracking.told(match.delivery, told.what, heard, user_agent=told.user_agent)
    else:
        hearing.BY_NAME[told.what](match.delivery, heard)


def _match(webhook: MailWebhook, told: Told) -> Match:
    """By our Message-ID, else by the address: the provider is proved, so its word for it counts."""
    match = matching.match(webhook.account, references=told.message_ids)
    return match if match.delivery else matching.by_address(webhook.account, told.recipient)
