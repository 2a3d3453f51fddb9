"""Chats of users with influencers: one for each pair, begun, listed, read, deleted.

A user sees their own alone; another's is not there. Whole short functions of database work.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Max, OuterRef, Q, QuerySet, Subquery, Value, prefetch_related_objects
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.prepared import PreparedRows, given
from crm import filling, media, talk, timeline
from crm.greeting import begin_otherwise
from crm.models import Contact, Conversation, Message
from crm.models.contacts import Channel
from crm.persona_authentication import PersonaUser, contact_of
from crm.persona_care import refuse_minor
from personas.influencers import influencer_of, named
from personas.models import Persona

PLANNER = "crm.persona_plan.plan"
RECENT = 10  # messages that lists show of each chat
# Of these the latest whole ones are shown: a few may be replies that failed.
LOOKED_AT = 2 * RECENT
WHOLE = Message.State.COMPLETE
BY_US = (Message.Author.PERSONA, Message.Author.STAFF, Message.Author.SYSTEM)


class NoSuchChat(Exception):  # noqa: N818
    """There is none of this id, or it is somebody else's."""


class NoSuchInfluencer(Exception):  # noqa: N818
    """There is none of this id that can be talked with."""


class InfluencerAway(Exception):  # noqa: N818
    """The influencer answers no more, or not yet; its text is for people."""


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat as lists show it. `recent` is newest first."""

    conversation: Conversation
    message_count: int
    unread_count: int
    recent: tuple[Message, ...] = field(default=())


def chats_of(user: PersonaUser) -> "QuerySet[Conversation]":
    """The user's chats, the last spoken in first."""
    if user.contact is None:
        return Conversation.objects.none()
    rows = Conversation.objects.filter(contact=user.contact, pair_key__isnull=False)
    return rows.order_by("-last_activity_at", "-id")


def with_influencer(chats: "QuerySet[Conversation]", reference: str) -> "QuerySet[Conversation]":
    personas = Persona.objects.filter(named(reference)).values("pk")
    return chats.filter(persona__in=personas)


_own_chat = PreparedRows(
    lambda: (
        Conversation.objects.filter(
            pk=given(Conversation, "id"),
            contact_id=given(Conversation, "contact"),
            pair_key__isnull=False,
        )
        .select_related("persona")
        .order_by()
    )
)


def chat_of(user: PersonaUser, reference: str) -> Conversation:
    """The user's chat of this id, with its persona and account. Raises NoSuchChat."""
    try:
        key = UUID(reference)
    except ValueError:
        raise NoSuchChat from None
    found = _own_chat.first(id=key, contact=user.contact.pk) if user.contact else None
    if found is None:
        raise NoSuchChat
    found.account, found.contact = user.account, contact_of(user)
    return found


# --- Begun ------------------------------------------------------------------------------------


def open_chat(user: PersonaUser, influencer_id: str, *, greeting: int | None = None) -> Conversation:
    """The user's chat with an influencer, begun with its greeting when there is none yet.

    `greeting` is the number of another one, from 0; in a chat that is there it takes the place of the one
    shown as long as nothing else was said.

    Safe when it is asked for several times at once. Raises NoSuchInfluencer, and ApiError (403) where it is
    for adults alone.
    """
    persona = influencer_of(user.account, influencer_id)
    if persona is None or persona.status != Persona.Status.ACTIVE:
        raise NoSuchInfluencer
    refuse_minor(persona, claim=user.is_adult, contact=user.contact)
    contact = contact_of(user)
    pair_key = f"{contact.pk}:{persona.pk}"
    found = _paired(pair_key)
    if found is None:
        try:
            found = _begun(contact, persona, pair_key, greeting or 0)
        except IntegrityError:
            found = _paired(pair_key)  # another request was first
            if found is None:
                raise
    elif greeting is not None and found.last_seq == 1:
        begin_otherwise(found, persona, contact, number=greeting)
    found.account, found.contact, found.persona = user.account, contact, persona
    return found


def _paired(pair_key: str) -> Conversation | None:
    found: Conversation | None = Conversation.objects.filter(pair_key=pair_key).first()
    return found


@transaction.atomic
def _begun(contact: Contact, persona: Persona, pair_key: str, number: int) -> Conversation:
    made = Conversation.objects.create(
        account_id=contact.account_id,
        contact=contact,
        persona=persona,
        planner=PLANNER,
        title=persona.name[:200],
        channel=Channel.API,
        pair_key=pair_key,
    )
    if greeting := filling.greeting_for(persona, contact, number=number):
        talk.say(made, greeting)
    ref = {"kind": "conversation", "id": str(made.pk), "conversation": str(made.pk)}
    title = _("Chat with %(persona)s") % {"persona": persona.name}
    timeline.write(contact, "chat_started", title[:300], direction="in", channel=made.channel, ref=ref)
    return made


def refuse_away(persona: Persona) -> None:
    """Raises InfluencerAway."""
    if persona.status == Persona.Status.DISCONTINUED:
        raise InfluencerAway(_("This influencer was deleted and answers no more. Your conversation is kept."))
    if persona.status != Persona.Status.ACTIVE:
        raise InfluencerAway(_("This influencer cannot be talked with yet."))


# --- Listed -----------------------------------------------------------------------------------


def _counted(**which: Any) -> Any:
    """How many messages of a chat are like this."""
    rows = Message.objects.filter(conversation=OuterRef("pk"), **which).order_by()
    return Coalesce(Subquery(rows.values("conversation").annotate(n=Count("pk")).values("n")), Value(0))


def _not_whole() -> Any:
    rows = Message.objects.filter(~Q(state=WHOLE), conversation=OuterRef("pk")).order_by()
    return Coalesce(Subquery(rows.values("conversation").annotate(n=Count("pk")).values("n")), Value(0))


def looked_at(chats: "QuerySet[Conversation]", *, rows: slice | None = None) -> list[Chat]:
    """These chats with their figures and latest messages: at most three queries, however many they are."""
    counted = chats.select_related("persona").annotate(unread=_unread(), not_whole=_not_whole())
    found = list(counted if rows is None else counted[rows])
    recent = _recent([chat.pk for chat in found])
    return [
        Chat(chat, chat.last_seq - chat.not_whole, chat.unread, tuple(recent.get(chat.pk, ())[:RECENT]))
        for chat in found
    ]


def unread_of(user: PersonaUser, personas: Sequence[Persona]) -> dict[UUID, int]:
    """How many answers of each persona the user has not seen: one query, none for who has no chats."""
    if user.contact is None:
        return {}
    rows = chats_of(user).filter(persona__in=[persona.pk for persona in personas])
    counted = rows.annotate(unread=_unread()).values_list("persona_id", "unread")
    return {persona_id: unread for persona_id, unread in counted if unread}


def _unread() -> Any:
    return _counted(author__in=BY_US, state=WHOLE, seq__gt=OuterRef("read_seq"))


def _recent(ids: list[UUID]) -> dict[UUID, list[Message]]:
    since = F("conversation__last_seq") - LOOKED_AT
    rows = Message.objects.filter(conversation__in=ids, state=WHOLE, seq__gt=since)
    found: dict[UUID, list[Message]] = {}
    for message in with_files(rows.order_by("conversation", "-seq")) if ids else ():
        found.setdefault(message.conversation_id, []).append(message)
    return found


def look_at(conversation: Conversation) -> Chat:
    """One chat, as it is now."""
    return looked_at(Conversation.objects.filter(pk=conversation.pk))[0]


def history(conversation: Conversation) -> "QuerySet[Message]":
    """What was said whole; `with_files` reads the files."""
    return Message.objects.filter(conversation_id=conversation.pk, state=WHOLE)


def with_files(messages: "Iterable[Message]") -> list[Message]:
    """The same messages, their files read in one query.

    A text has none. Django would make a queryset for each all the same: a third of the calls of a page.
    """
    found = list(messages)
    prefetch_related_objects([one for one in found if one.type != Message.Type.TEXT], "media")
    return found


def message_total(conversation: Conversation) -> int:
    rows = Message.objects.filter(~Q(state=WHOLE), conversation_id=conversation.pk)
    return int(conversation.last_seq - rows.count())


# --- Read, deleted ----------------------------------------------------------------------------


def mark_read(conversation: Conversation) -> None:
    """Up to the last whole message: one that is being written now is not read yet."""
    whole = Message.objects.filter(conversation_id=conversation.pk, state=WHOLE)
    last = whole.aggregate(last=Max("seq"))["last"] or 0
    now = timezone.now()
    rows = Conversation.objects.filter(pk=conversation.pk)
    rows.filter(read_seq__lt=last).update(read_seq=last)
    rows.update(read_at=now)
    conversation.read_seq, conversation.read_at = max(last, conversation.read_seq), now


def delete(conversation: Conversation) -> int:
    """The chat with its messages, and soon its files; how many messages the user lost sight of."""
    total = message_total(conversation)
    with transaction.atomic():
        media.let_go(conversation.pk)
        conversation.contact.timeline.filter(ref__conversation=str(conversation.pk)).delete()
        Message.objects.filter(conversation_id=conversation.pk).delete()
        Conversation.objects.filter(pk=conversation.pk).delete()
    return total
