"""No more invitations: what a person's unsubscribe link does."""

from django.db import transaction

from campaigns.models import Delivery, EmailEvent
from crm import consent, timeline
from crm.contacts import email_of
from crm.models import AccessLink, Suppression, TimelineEntry
from crm.models.consent import Purpose
from crm.models.contacts import Channel

# Only invitations stop: what a person asks for themselves, like a fresh link, still reaches them.
PURPOSE = Purpose.INVITATION


def is_unsubscribed(link: AccessLink) -> bool:
    address = address_of(link)
    return bool(address) and bool(consent.blocked(link.account, Channel.EMAIL, [address], purpose=PURPOSE))


@transaction.atomic
def unsubscribe(link: AccessLink, *, how: str) -> bool:
    """Stops invitations to the address the email went to. False when they were stopped before."""
    delivery, address = delivery_of(link), address_of(link)
    if not address or is_unsubscribed(link):
        return False
    source = {"how": how, "delivery": str(delivery.pk) if delivery else ""}
    consent.suppress(
        link.account, Channel.EMAIL, address, Suppression.Reason.UNSUBSCRIBE, purpose=PURPOSE, source=source
    )
    if delivery is not None:
        EmailEvent.objects.create(delivery=delivery, kind=EmailEvent.Kind.UNSUBSCRIBED, detail=how)
    timeline.write(
        link.contact,
        "unsubscribed",
        "Unsubscribed from invitations",
        direction=TimelineEntry.Direction.IN,
        channel=Channel.EMAIL,
        ref={"kind": "delivery", "id": source["delivery"]},
    )
    return True


@transaction.atomic
def undo(link: AccessLink) -> bool:
    """The person changed their mind. What staff or a bounce suppressed stays."""
    address = address_of(link)
    held = consent.blocked(link.account, Channel.EMAIL, [address], purpose=PURPOSE) if address else {}
    if held.get(address) != Suppression.Reason.UNSUBSCRIBE:
        return False
    return consent.lift(link.account, Channel.EMAIL, address, purpose=PURPOSE)


def delivery_of(link: AccessLink) -> Delivery | None:
    delivery_id = link.subject.get("delivery", "")
    found: Delivery | None = None
    if delivery_id:
        found = Delivery.objects.for_account(link.account).filter(pk=delivery_id).first()
    return found


def address_of(link: AccessLink) -> str:
    delivery = delivery_of(link)
    return delivery.to_email if delivery is not None else email_of(link.contact)
