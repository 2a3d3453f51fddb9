"""What the pages of persona chat show: the catalogue, and a chat with its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from crm import filling, media, persona_chats, persona_senses, talk
from crm.greeting import next_number
from crm.models import Conversation, MediaFile, Message, MessageReport, MessageVersion
from crm.persona_authentication import PersonaUser
from personas import avatars, speaking
from personas.influencers import public_influencers
from personas.models import Persona

CARDS = 24  # of the catalogue, on one page
MOST_PAGES = 400
MOST_CATEGORIES = 30
LONGEST_SEARCH = 100
MESSAGES = 50  # of a chat, on one page


@dataclass(frozen=True, slots=True)
class Face:
    """The persona's picture, or the letters in its place."""

    url: str
    initials: str


@dataclass(frozen=True, slots=True)
class Card:
    persona: Persona
    face: Face
    is_here: bool  # can be talked with now
    note: str  # what to know before the first message; empty when nothing
    unread: int  # answers that the person has not seen


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the page shows it. `retry` is the person's message whose reply failed.

    `words` are what was written; of a recording `transcript` is what was heard in it.
    """

    message: Message
    name: str
    words: str
    transcript: str
    picture_urls: tuple[str, ...]
    audio_urls: tuple[str, ...]
    retry: Message | None
    was_edited: bool
    was_stopped: bool
    can_be_edited: bool
    can_be_answered_again: bool
    reasons: tuple[tuple[str, str], ...] = tuple(MessageReport.Reason.choices)  # to report it for


# --- The catalogue ----------------------------------------------------------------------------
def catalogue_values(user: PersonaUser, query: Mapping[str, str]) -> dict[str, Any]:
    """Some of the public influencers: those of a category, or with the searched words in them."""
    search = query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    category = query.get("category", "").replace("\x00", "")[:LONGEST_SEARCH]
    page = _page_in(query.get("page", ""))
    rows = _found(public_influencers(settings.PERSONA_ACCOUNT), search, category)
    found = list(rows[(page - 1) * CARDS : page * CARDS + 1])
    asked = {name: value for name, value in (("q", search), ("category", category)) if value}
    unread = persona_chats.unread_of(user, found[:CARDS])
    return {
        "cards": [_card(persona, unread.get(persona.pk, 0)) for persona in found[:CARDS]],
        "categories": _categories(),
        "search": search,
        "category": category,
        "earlier": urlencode({**asked, "page": page - 1}) if page > 1 else "",
        "further": urlencode({**asked, "page": page + 1}) if len(found) > CARDS else "",
    }


def _page_in(text: str) -> int:
    return min(max(int(text), 1), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _found(rows: "QuerySet[Persona]", search: str, category: str) -> "QuerySet[Persona]":
    if category:
        rows = rows.filter(category=category)
    for word in search.split()[:8]:
        rows = rows.filter(
            Q(name__icontains=word) | Q(description__icontains=word) | Q(category__icontains=word)
        )
    return rows


def _categories() -> list[str]:
    rows = public_influencers(settings.PERSONA_ACCOUNT).exclude(category="").order_by("category")
    return list(rows.values_list("category", flat=True).distinct()[:MOST_CATEGORIES])


def _card(persona: Persona, unread: int) -> Card:
    is_here = persona.status == Persona.Status.ACTIVE
    offline = "" if speaking.has_model(persona) else _("Offline: no AI model is connected")
    note = offline if is_here else _("Coming soon")
    return Card(persona, face_of(persona), is_here=is_here, note=note, unread=unread)


def face_of(persona: Persona) -> Face:
    words = persona.name.split()
    letters = "".join(word[0] for word in words[:1] + words[1:][-1:])
    return Face(avatars.path_of(persona), letters.upper() or "?")


# --- A chat -----------------------------------------------------------------------------------
def persona_called(slug: str) -> Persona | None:
    rows = public_influencers(settings.PERSONA_ACCOUNT).filter(slug=slug.replace("\x00", ""))
    return rows.select_related("account").first()


def existing_chat(user: PersonaUser, persona: Persona) -> Conversation | None:
    """Opening the page begins nothing: the first message does."""
    return persona_chats.chats_of(user).filter(persona=persona).first()


def chat_values(user: PersonaUser, persona: Persona, *, before: str = "") -> dict[str, Any]:
    conversation = existing_chat(user, persona)
    can_talk = persona.status == Persona.Status.ACTIVE
    values: dict[str, Any] = {"messages": [], "earlier": None, "being_answered": None}
    if conversation is not None:
        values = _talk_values(conversation, persona, before)
    return {
        **values,
        "persona": persona,
        "face": face_of(persona),
        "conversation": conversation,
        "can_talk": can_talk,
        "offline": not speaking.has_model(persona),
        "fresh_id": uuid4().hex,
        "longest": talk.LONGEST_TEXT,
        "greeting": filling.greeting_for(persona, user.contact) if conversation is None else "",
        "other_greeting": next_number(persona, user.contact, conversation) if can_talk else None,
        "suggestions": persona.suggested_messages[:3] if conversation is None else [],
    }


def message_rows() -> "QuerySet[Message]":
    """Messages with all that the page shows of them."""
    versions = MessageVersion.objects.filter(message=OuterRef("pk"))
    rows = Message.objects.select_related("reply_to").prefetch_related("media")
    return rows.annotate(was_said_anew=Exists(versions))


def _talk_values(conversation: Conversation, persona: Persona, before: str) -> dict[str, Any]:
    rows = message_rows().filter(conversation=conversation)
    is_end = not (before.isascii() and before.isdigit() and len(before) < 10)
    if not is_end:
        rows = rows.filter(seq__lt=int(before))
    newest = list(rows.order_by("-seq")[: MESSAGES + 1])
    messages = newest[:MESSAGES][::-1]
    asked = (message.reply_to for message in messages if message.state == Message.State.STREAMING)
    may_change = is_end and persona.status == Persona.Status.ACTIVE and conversation.taken_over_by_id is None
    return {
        "messages": shown_messages(messages, persona.name, may_change=may_change),
        "earlier": messages[0].seq if len(newest) > MESSAGES else None,
        "being_answered": next((one.seq for one in asked if one is not None), None),
    }


def shown_exchange(message_id: int, persona: Persona, *, with_reply: bool) -> list[Shown]:
    """A person's message, and its reply with what can be done with both."""
    which = Q(pk=message_id) | Q(reply_to=message_id) if with_reply else Q(pk=message_id)
    rows = list(message_rows().filter(which).order_by("seq"))
    return shown_messages(rows, persona.name, may_change=with_reply)


def shown_messages(messages: Sequence[Message], name: str, *, may_change: bool) -> list[Shown]:
    """`may_change`: the last of them is the last of the talk, and the persona answers in it."""
    last = messages[-1] if messages else None
    reply = last if may_change and last is not None and last.state != Message.State.STREAMING else None
    asked = reply.reply_to_id if reply is not None else None
    return [
        shown(message, name, is_asked=message.pk == asked, is_reply=asked is not None and message is reply)
        for message in messages
    ]


def shown(message: Message, name: str, *, is_asked: bool, is_reply: bool) -> Shown:
    files = sorted(message.media.all(), key=lambda file: file.pk)
    words, transcript = persona_senses.parts_of(message)
    was_said_anew = bool(getattr(message, "was_said_anew", False))
    return Shown(
        message=message,
        name=name,
        words=words,
        transcript=transcript,
        picture_urls=tuple(media.path_of(one) for one in files if one.kind == MediaFile.Kind.IMAGE),
        audio_urls=tuple(media.path_of(one) for one in files if one.kind == MediaFile.Kind.AUDIO),
        retry=message.reply_to if is_reply and message.state == Message.State.FAILED else None,
        was_edited=was_said_anew and message.author == Message.Author.PERSON,
        was_stopped=bool((message.plan or {}).get(talk.STOPPED)),
        can_be_edited=is_asked and message.type != Message.Type.AUDIO,
        can_be_answered_again=is_reply and message.state == Message.State.COMPLETE,
    )


def page_words() -> dict[str, Any]:
    """For the page's script."""
    return {
        "longest": talk.LONGEST_TEXT,
        "writing": _("The reply is being written."),
        "sending": _("Sending…"),
        "failed": _("This did not work. Your message is kept; please try again."),
        "offline": _("You are offline. Please try again when you are connected."),
        "answered": _("The reply is complete."),
        "stopped": _("Stopped."),
        "copied": _("Copied."),
        "editing": _("You are editing your last message."),
        "notEdited": _("Nothing was changed."),
        "recording": _("Recording."),
        "recorded": _("The recording is ready to be sent."),
        "notRecorded": _("Nothing was recorded."),
        "noMicrophone": _("This browser gives no microphone. You can choose a recording instead."),
        "recordingName": _("Voice note"),
        "mostSeconds": settings.MEDIA_AUDIO_MAX_SECONDS,
    }
