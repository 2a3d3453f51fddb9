"""What arrived from a person or is about them: found, and erased. Also what is only kept for a while."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from campaigns.models import Delivery, InboundEmail, WebhookCall
from crm.models import Contact, ContactAddress

BATCH = 500  # rows that one sweep clears


def addresses_of(contact: Contact) -> set[str]:
    """Every address the person has, and those we wrote to before they changed."""
    known = contact.addresses.filter(kind=ContactAddress.Kind.EMAIL).values_list("value", flat=True)
    return {*known, *Delivery.objects.filter(contact=contact).values_list("to_email", flat=True)}


def emails_of(contact: Contact) -> "QuerySet[InboundEmail]":
    """What they wrote, and the bounces and complaints about what we wrote to them."""
    theirs = Q(contact=contact) | Q(delivery__contact=contact) | Q(from_email__in=addresses_of(contact))
    rows: QuerySet[InboundEmail] = InboundEmail.objects.for_account(contact.account).filter(theirs)
    return rows.defer("raw").order_by("received_at")


def forget(contact: Contact) -> dict[str, int]:
    """Deletes their emails, also those not read yet, and clears webhook calls that name them."""
    addresses = addresses_of(contact)
    read, _kinds = InboundEmail.objects.filter(pk__in=emails_of(contact).values("pk")).delete()
    return {
        "emails_received": read + _forget_unread(contact, addresses),
        "webhook_calls": _forget_calls(contact, addresses),
    }


def _forget_unread(contact: Contact, addresses: set[str]) -> int:
    """Raw emails are encrypted, so those that wait or were given up are looked through one by one."""
    rows = InboundEmail.objects.for_account(contact.account).exclude(state=InboundEmail.State.DONE)
    found = [one.pk for one in rows.only("raw").iterator(BATCH) if _names(one.raw, addresses)]
    deleted, _kinds = InboundEmail.objects.filter(pk__in=found).delete()
    return deleted


def _forget_calls(contact: Contact, addresses: set[str]) -> int:
    rows = WebhookCall.objects.for_account(contact.account).exclude(body="")
    found = [one.pk for one in rows.only("body").iterator(BATCH) if _names(one.body, addresses)]
    return WebhookCall.objects.filter(pk__in=found).update(body="", state=WebhookCall.State.DONE)


def _names(text: str, addresses: set[str]) -> bool:
    lowered = text.lower()
    return any(address in lowered for address in addresses)


def blank(emails: "QuerySet[InboundEmail]") -> int:
    """That something arrived stays known; what it said does not."""
    return emails.update(raw="", text="", quoted="", subject="", from_name="", attachments=[], facts={})


def clear_old(*, at: datetime | None = None) -> None:
    """Raw emails and bodies of calls are kept only so long as somebody may want to read them anew."""
    before = (at or timezone.now()) - timedelta(days=settings.INBOUND_RAW_DAYS)
    emails = InboundEmail.objects.filter(received_at__lt=before, state=InboundEmail.State.DONE).exclude(
        raw=""
    )
    ids = list(emails.order_by("received_at").values_list("pk", flat=True)[:BATCH])
    InboundEmail.objects.filter(pk__in=ids).update(raw="")
    calls = WebhookCall.objects.filter(received_at__lt=before, state=WebhookCall.State.DONE).exclude(body="")
    old = list(calls.order_by("received_at").values_list("pk", flat=True)[:BATCH])
    WebhookCall.objects.filter(pk__in=old).update(body="")
