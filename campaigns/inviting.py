"""From recipients to emails: an interview, its link and a queued email for each, a chunk at a time.

A chunk is one transaction: a worker killed anywhere leaves each person either waiting or invited with
their email queued, never in between.
"""

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campaigns import rendering, states, stopping
from campaigns.mime import HeaderInjectionError
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient
from config.api.ids import uuid7
from config.api.models import digest
from crm import consent
from crm.contacts import email_of
from crm.models import AccessLink, Contact
from crm.models.consent import Purpose
from crm.models.contacts import Channel
from interviews import starting
from interviews.starting import Invitation

CHUNK = 200
# Emails rendered ahead of the sender. They are kept encrypted with their links until they are sent:
# a hundred thousand of them would only sit in the database.
AHEAD = 2_000
RUN_SECONDS = 40
CLOCK_FIELDS = ["interview", "state", "skip_reason", "invited_at", "next_step", "next_at"]


@dataclass(frozen=True, slots=True)
class Report:
    invited: int
    # More people wait, and there is room for them.
    is_more: bool


def invite_people(campaign_id: UUID, *, seconds: float = RUN_SECONDS) -> Report:
    """Invites those who wait, as far ahead of the sender as makes sense. Safe to run twice at once."""
    campaign = _read(campaign_id)
    ends_at, invited = time.monotonic() + seconds, 0
    skeleton = rendering.skeleton_of(campaign)
    while time.monotonic() < ends_at and not stopping.is_stopping():
        if not _has_room(campaign):
            return Report(invited, is_more=False)
        taken = _invite_chunk(campaign, skeleton)
        if not taken:
            states.finish_done()
            return Report(invited, is_more=False)
        invited += taken
    return Report(invited, is_more=True)


def _read(campaign_id: UUID) -> Campaign:
    related = ("account", "guide__persona", "template", "smtp_server")
    campaign: Campaign = Campaign.objects.select_related(*related).get(pk=campaign_id)
    return campaign


def _has_room(campaign: Campaign) -> bool:
    waiting = Delivery.objects.filter(campaign=campaign, state__in=states.WAITING)
    return len(waiting.values_list("pk")[:AHEAD]) < AHEAD


@transaction.atomic
def _invite_chunk(campaign: Campaign, skeleton: rendering.Skeleton) -> int:
    """How many people it dealt with; 0 when nobody waits or the campaign does not run."""
    if not Campaign.objects.filter(pk=campaign.pk, state=Campaign.State.RUNNING).exists():
        return 0
    people = _waiting(campaign)
    if not people:
        return 0
    allowed = _allowed(campaign, people)
    if allowed:
        _invite(campaign, skeleton, allowed)
    return len(people)


def _waiting(campaign: Campaign) -> list[Recipient]:
    rows = Recipient.objects.filter(campaign=campaign, state=Recipient.State.WAITING)
    # Two workers at once wait for each other here, then find other people.
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True)[:CHUNK])
    found = rows.filter(pk__in=ids).select_related("contact__account").prefetch_related("contact__addresses")
    return list(found.order_by("pk"))


def _allowed(campaign: Campaign, people: Sequence[Recipient]) -> list[Recipient]:
    """Those who may be invited. The others are skipped with the reason; it is asked again at send time."""
    reasons = reasons_against(campaign, [person.contact for person in people])
    by_reason: dict[str, list[int]] = {}
    for person in people:
        if reason := reasons.get(person.contact_id):
            by_reason.setdefault(reason, []).append(person.pk)
    for reason, ids in by_reason.items():
        skip(ids, reason=reason)
    return [person for person in people if person.contact_id not in reasons]


def skip(ids: Sequence[int], *, reason: str) -> None:
    Recipient.objects.filter(pk__in=ids).update(
        state=Recipient.State.SKIPPED, skip_reason=reason[:60], next_at=None
    )


def reasons_against(campaign: Campaign, contacts: Sequence[Contact]) -> dict[UUID, str]:
    """Why some of these people must not be invited, in few queries. Addresses should be prefetched."""
    addresses = {contact.pk: email_of(contact) for contact in contacts}
    blocked = consent.blocked(
        campaign.account, Channel.EMAIL, filter(None, addresses.values()), purpose=Purpose.INVITATION
    )
    reasons = {}
    for contact in contacts:
        address = addresses[contact.pk]
        if not contact.is_active or contact.erased_at is not None:
            reasons[contact.pk] = "inactive"
        elif not address:
            reasons[contact.pk] = "no_address"
        elif address in blocked:
            reasons[contact.pk] = blocked[address]
    return reasons


def _invite(campaign: Campaign, skeleton: rendering.Skeleton, people: Sequence[Recipient]) -> None:
    invitations = starting.invite_many(campaign.guide, [person.contact for person in people])
    unsubscribes = _unsubscribe_links(people)
    deliveries = []
    now = timezone.now()
    for person, invitation, unsubscribe in zip(people, invitations, unsubscribes, strict=True):
        person.interview, person.state = invitation.interview, Recipient.State.INVITED
        person.invited_at, person.next_step, person.next_at = now, 1, None
        try:
            deliveries.append(_delivery(campaign, skeleton, person, invitation, unsubscribe))
        except HeaderInjectionError:
            person.state, person.skip_reason = Recipient.State.SKIPPED, "line break in the name"
    Recipient.objects.bulk_update(people, CLOCK_FIELDS, batch_size=CHUNK)
    Delivery.objects.bulk_create(deliveries, batch_size=CHUNK)
    queued = EmailEvent.Kind.QUEUED
    EmailEvent.objects.bulk_create(EmailEvent(delivery=one, kind=queued) for one in deliveries)


@dataclass(frozen=True, slots=True)
class _Unsubscribe:
    delivery_id: UUID
    url: str


def _unsubscribe_links(people: Sequence[Recipient]) -> list[_Unsubscribe]:
    made, links = [], []
    for person in people:
        token, delivery_id = secrets.token_urlsafe(32), uuid7()
        made.append(_Unsubscribe(delivery_id, f"{settings.PUBLIC_BASE_URL}/u/{token}"))
        links.append(
            AccessLink(
                account_id=person.contact.account_id,
                contact=person.contact,
                purpose=AccessLink.Purpose.UNSUBSCRIBE,
                digest=digest(token),
                subject={"delivery": str(delivery_id)},
            )
        )
    AccessLink.objects.bulk_create(links, batch_size=CHUNK)
    return made


def _delivery(
    campaign: Campaign,
    skeleton: rendering.Skeleton,
    recipient: Recipient,
    invitation: Invitation,
    unsubscribe: _Unsubscribe,
) -> Delivery:
    person = rendering.person_of(
        recipient.contact,
        email=email_of(recipient.contact),
        columns=recipient.fields,
        link=invitation.url,
        unsubscribe=unsubscribe.url,
        expires_at=invitation.interview.expires_at,
    )
    email = rendering.fill(skeleton, person, delivery_id=unsubscribe.delivery_id)
    return Delivery(
        id=unsubscribe.delivery_id,
        account=campaign.account,
        contact=recipient.contact,
        campaign=campaign,
        recipient=recipient,
        smtp_server=campaign.smtp_server,
        purpose=Purpose.INVITATION,
        key=f"invitation:{campaign.pk}:{recipient.contact_id}",
        to_email=person.email,
        subject=email.subject,
        message_id=email.message_id,
        rendered=email.wire,
    )
