"""Emails of a campaign, rendered and put into the queue: the invitation, and what follows it."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from campaigns import own_words, rendering, states
from campaigns.events import note
from campaigns.mime import HeaderInjectionError
from campaigns.models import Campaign, Delivery, EmailEvent, Recipient, SentText
from config.api.ids import uuid7
from config.api.models import digest
from config.api.prepared import PreparedInsert
from crm.contacts import email_of
from crm.models import AccessLink
from crm.models.consent import Purpose
from interviews.starting import Invitation

CHUNK = 200
# Emails rendered ahead of the sender. They are kept encrypted with their links until they are sent:
# a hundred thousand of them would only sit in the database.
AHEAD = 2_000
RUN_SECONDS = 40
# Begins the key of an email to somebody who was tried again since, from the invitation on.
FORMER = "former:"
_insert_delivery = PreparedInsert(Delivery)
_insert_text = PreparedInsert(SentText)
_insert_link = PreparedInsert(AccessLink)


@dataclass(frozen=True, slots=True)
class Letter:
    """What one person is to get."""

    recipient: Recipient
    way_in: Invitation
    skeleton: rendering.Skeleton
    step: int = 0

    @property
    def key(self) -> str:
        """Once per campaign, person and step: the database refuses a second one."""
        about = "invitation" if self.step == 0 else f"step-{self.step}"
        return f"{about}:{self.recipient.campaign_id}:{self.recipient.contact_id}"


def has_room(campaign: Campaign) -> bool:
    """Whether more should be rendered. Emails that wait for another day's window hold nobody else up."""
    soon = timezone.now() + timedelta(hours=1)
    waiting = Delivery.objects.filter(campaign=campaign, state__in=states.WAITING, not_before__lte=soon)
    return len(waiting.values_list("pk")[:AHEAD]) < AHEAD


def queue(campaign: Campaign, letters: Sequence[Letter]) -> set[int]:
    """Queues them, in the caller's transaction. Recipients that could not be: a value breaks a header's line.

    What was queued before is left as it is.
    """
    known = Delivery.objects.for_account(campaign.account).filter(key__in=[one.key for one in letters])
    queued = set(known.values_list("key", flat=True))
    fresh = _in_own_words(campaign, [letter for letter in letters if letter.key not in queued])
    deliveries, texts, refused = [], [], set()
    for letter, unsubscribe in zip(fresh, _unsubscribe_links(fresh), strict=True):
        try:
            delivery, text = _delivery(campaign, letter, unsubscribe)
        except HeaderInjectionError:
            refused.add(letter.recipient.pk)
            continue
        deliveries.append(delivery)
        texts.append(text)
    _insert_delivery.many(deliveries)
    _insert_text.many(texts)
    note([one.pk for one in deliveries], EmailEvent.Kind.QUEUED)
    return refused


def _in_own_words(campaign: Campaign, letters: Sequence[Letter]) -> list[Letter]:
    """Whoever has a text of their own gets that one."""
    texts = own_words.texts_for(campaign, [letter.recipient.contact_id for letter in letters])
    return [
        _with_text(campaign, letter, texts[letter.recipient.contact_id])
        if letter.recipient.contact_id in texts
        else letter
        for letter in letters
    ]


def _with_text(campaign: Campaign, letter: Letter, text: str) -> Letter:
    skeleton = own_words.laid_out(campaign, text, like=letter.skeleton, number=letter.step + 1)
    return replace(letter, skeleton=skeleton)


@dataclass(frozen=True, slots=True)
class _Unsubscribe:
    delivery_id: UUID
    url: str


def _unsubscribe_links(letters: Sequence[Letter]) -> list[_Unsubscribe]:
    made, links = [], []
    for letter in letters:
        contact, token, delivery_id = letter.recipient.contact, secrets.token_urlsafe(32), uuid7()
        made.append(_Unsubscribe(delivery_id, f"{settings.PUBLIC_BASE_URL}/u/{token}"))
        links.append(
            AccessLink(
                account_id=contact.account_id,
                contact=contact,
                purpose=AccessLink.Purpose.UNSUBSCRIBE,
                digest=digest(token),
                subject={"delivery": str(delivery_id)},
            )
        )
    _insert_link.many(links)
    return made


def _delivery(campaign: Campaign, letter: Letter, unsubscribe: _Unsubscribe) -> tuple[Delivery, SentText]:
    recipient = letter.recipient
    person = rendering.person_of(
        recipient.contact,
        email=email_of(recipient.contact),
        columns=recipient.fields,
        link=letter.way_in.url,
        unsubscribe=unsubscribe.url,
        expires_at=letter.way_in.interview.expires_at,
    )
    email = rendering.fill(letter.skeleton, person, delivery_id=unsubscribe.delivery_id)
    delivery = Delivery(
        id=unsubscribe.delivery_id,
        account=campaign.account,
        contact=recipient.contact,
        campaign=campaign,
        recipient=recipient,
        smtp_server=campaign.smtp_server,
        purpose=Purpose.INVITATION,
        step=letter.step,
        key=letter.key,
        to_email=person.email,
        subject=email.subject,
        message_id=email.message_id,
        rendered=email.wire,
    )
    return delivery, SentText(delivery=delivery, text=email.kept)
