"""What is heard about an email after it was sent: an event, the first time also a fact, and what follows.

By whichever way it comes (mailbox, webhook, tracking), the same thing heard twice is one event.
None of it moves the sender's state, but for one: an email nobody knew was taken, was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from campaigns import followups, outcomes, settling
from campaigns.models import Delivery, EmailEvent, Recipient
from crm import consent, timeline
from crm.models import Contact, Suppression, TimelineEntry
from crm.models.consent import Purpose
from crm.models.contacts import Channel

Kind = EmailEvent.Kind
Stop = Recipient.Stop
# What each kind is kept as on the delivery, the first time.
FACTS = {
    Kind.DELIVERED: "delivered_at",
    Kind.BOUNCED: "bounced_at",
    Kind.COMPLAINED: "complained_at",
    Kind.REPLIED: "replied_at",
    Kind.OPENED: "opened_at",
    Kind.CLICKED: "clicked_at",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """Who told us, their id of it, and when it happened."""

    source: str
    source_id: str
    at: datetime
    detail: str = ""

    @property
    def as_source(self) -> dict[str, str]:
        return {"heard_from": self.source, "heard_id": self.source_id, "reply": self.detail[:200]}


def note(delivery: Delivery, kind: str, heard: Heard, *, is_bot: bool = False) -> bool:
    """The event and the fact. False when it was known. In the caller's transaction."""
    try:
        with transaction.atomic():
            EmailEvent.objects.create(
                delivery=delivery,
                kind=kind,
                at=heard.at,
                detail=heard.detail[:1000],
                source=heard.source,
                source_id=heard.source_id[:80],
                is_bot=is_bot,
            )
    except IntegrityError:
        return False
    fact = FACTS.get(Kind(kind))
    if fact and not is_bot:
        Delivery.objects.filter(pk=delivery.pk, **{fact: None}).update(**{fact: heard.at})
    return True


def _settle_unknown(delivery: Delivery) -> None:
    """It answered, so the server had taken it."""
    if delivery.state == Delivery.State.UNKNOWN:
        outcomes.mark_sent(
            delivery, reply=_("An answer to it shows that it was taken."), claim=delivery.claim
        )


# --- bounces and complaints ---------------------------------------------------------------------------


def hard_bounced(delivery: Delivery, heard: Heard) -> None:
    """Nobody has this address: nothing more goes there, for any purpose."""
    if note(delivery, Kind.BOUNCED, heard):
        _settle_unknown(delivery)
        _is_dead(delivery, heard)


def soft_bounced(delivery: Delivery, heard: Heard) -> None:
    """For now it cannot be delivered. After SOFT_BOUNCES emails in a row the address counts as dead."""
    if not note(delivery, Kind.SOFT_BOUNCED, heard):
        return
    _settle_unknown(delivery)
    if soft_streak(delivery) >= settings.SOFT_BOUNCES:
        Delivery.objects.filter(pk=delivery.pk, bounced_at=None).update(bounced_at=heard.at)
        _is_dead(delivery, heard)


def soft_streak(delivery: Delivery) -> int:
    """How many emails to this address bounced for now, counted back from this one to one that did not.

    Later ones do not count: what became of them may not be known yet.
    """
    sent = Delivery.objects.for_account(delivery.account).filter(
        to_email=delivery.to_email, sent_at__isnull=False, created_at__lte=delivery.created_at
    )
    last = list(sent.order_by("-created_at").values_list("pk", flat=True)[: settings.SOFT_BOUNCES])
    bounced = set(
        EmailEvent.objects.filter(delivery__in=last, kind=Kind.SOFT_BOUNCED).values_list(
            "delivery", flat=True
        )
    )
    return next((count for count, one in enumerate(last) if one not in bounced), len(last))


def _is_dead(delivery: Delivery, heard: Heard) -> None:
    _suppress(delivery, Suppression.Reason.HARD_BOUNCE, heard)
    _write(delivery, "email_bounced", _("Email bounced: %(subject)s"), heard)
    followups.stop_contact(delivery.contact, Stop.BOUNCED)


def complained(delivery: Delivery, heard: Heard) -> None:
    """The person called our email unwanted: nothing more goes there, for any purpose."""
    if not note(delivery, Kind.COMPLAINED, heard):
        return
    _settle_unknown(delivery)
    _suppress(delivery, Suppression.Reason.COMPLAINT, heard)
    _write(delivery, "email_complaint", _("Complained about an email: %(subject)s"), heard)
    followups.stop_contact(delivery.contact, Stop.COMPLAINED)


def _suppress(delivery: Delivery, reason: str, heard: Heard, *, purpose: str = "") -> None:
    source = {"delivery": str(delivery.pk), **heard.as_source}
    consent.suppress(
        delivery.account, Channel.EMAIL, delivery.to_email, reason, purpose=purpose, source=source
    )


def _write(delivery: Delivery, kind: str, title: str, heard: Heard) -> None:
    ref = {"kind": "delivery", "id": str(delivery.pk)}
    if conversation := settling.conversation_of(delivery):
        ref["conversation"] = str(conversation)
    timeline.write(
        delivery.contact,
        kind,
        title % {"subject": delivery.subject},
        direction=TimelineEntry.Direction.IN,
        channel=Channel.EMAIL,
        ref=ref,
        at=heard.at,
    )


# --- what people do -----------------------------------------------------------------------------------


def replied(delivery: Delivery, heard: Heard) -> None:
    if note(delivery, Kind.REPLIED, heard):
        _settle_unknown(delivery)
        followups.stop_contact(delivery.contact, Stop.REPLIED)


def replied_out_of_thread(contact: Contact) -> None:
    """A person whom no email of ours can be found for wrote to us: nothing more is sent on its own."""
    followups.stop_contact(contact, Stop.REPLIED)


def replied_automatically(delivery: Delivery, heard: Heard) -> None:
    """A machine's answer: it shows that the email arrived, and stops nothing."""
    if note(delivery, Kind.AUTO_REPLIED, heard):
        _settle_unknown(delivery)


def unsubscribed(delivery: Delivery, heard: Heard) -> None:
    """By reply or at the provider: invitations stop, what the person asks for does not."""
    if not note(delivery, Kind.UNSUBSCRIBED, heard):
        return
    _suppress(delivery, Suppression.Reason.UNSUBSCRIBE, heard, purpose=Purpose.INVITATION)
    _write(delivery, "unsubscribed", _("Unsubscribed from invitations"), heard)
    followups.stop_contact(delivery.contact, Stop.UNSUBSCRIBED)


def unsubscribed_address(contact: Contact, address: str, heard: Heard) -> None:
    consent.suppress(
        contact.account,
        Channel.EMAIL,
        address,
        Suppression.Reason.UNSUBSCRIBE,
        purpose=Purpose.INVITATION,
        source=heard.as_source,
    )
    followups.stop_contact(contact, Stop.UNSUBSCRIBED)


def delivered(delivery: Delivery, heard: Heard) -> None:
    if note(delivery, Kind.DELIVERED, heard):
        _settle_unknown(delivery)


def delayed(delivery: Delivery, heard: Heard) -> None:
    if note(delivery, Kind.DELAYED, heard):
        _settle_unknown(delivery)


BY_NAME: dict[str, Callable[[Delivery, Heard], None]] = {
    "delivered": delivered,
    "delay": delayed,
    "soft": soft_bounced,
    "hard": hard_bounced,
    "complaint": complained,
    "unsubscribe": unsubscribed,
    "auto_reply": replied_automatically,
}
