"""What the pages of persona chat show: the catalogue, and a chat with its pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from crm import filling, media, persona_chats, talk
from crm.models import Conversation, MediaFile, Message, MessageReport
from crm.persona_authentication import PersonaUser
from personas import speaking
from personas.influencers import public_influencers
from personas.models import Persona

CARDS = 24  # of the catalogue, on one page
MOST_PAGES = 400
MOST_CATEGORIES = 30
LONGEST_SEARCH = 100
MESSAGES = 50  # of a chat, on one page


@dataclass(frozen=True, slots=True)
class Card:
    persona: Persona
    is_here: bool  # can be talked with now
    note: str  # what to know before the first message; empty when nothing


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the page shows it. `retry` is the person's message whose reply failed."""

    message: Message
    name: str
    picture_urls: tuple[str, ...]
    audio_urls: tuple[str, ...]
    retry: Message | None
    reasons: tuple[tuple[str, str], ...] = tuple(MessageReport.Reason.choices)  # to report it for


# --- The catalogue ----------------------------------------------------------------------------
def catalogue_values(query: Mapping[str, str]) -> dict[str, Any]:
    """Some of the public influencers: those of a category, or with the searched words in them."""
    search = query.get("q", "").replace("\x00", "").strip()[:LONGEST_SEARCH]
    category = query.get("category", "").replace("\x00", "")[:LONGEST_SEARCH]
    page = _page_in(query.get("page", ""))
    rows = _found(public_influencers(settings.PERSONA_ACCOUNT), search, category)
    found = list(rows[(page - 1) * CARDS : page * CARDS + 1])
    asked = {name: value for name, value in (("q", search), ("category", category)) if value}
    return {
        "cards": [_card(persona) for persona in found[:CARDS]],
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


def _card(persona: Persona) -> Card:
    is_here = persona.status == Persona.Status.ACTIVE
    offline = "" if speaking.has_model(persona) else _("Offline: no AI model is connected")
    return Card(persona, is_here=is_here, note=offline if is_here else _("Coming soon"))


# --- A chat -----------------------------------------------------------------------------------
def persona_called(slug: str) -> Persona | None:
    rows = public_influencers(settings.PERSONA_ACCOUNT).filter(slug=slug.replace("\x00", ""))
    return rows.select_related("account").first()


def existing_chat(user: PersonaUser, persona: Persona) -> Conversation | None:
    """Opening the page begins nothing: the first message does."""
    return persona_chats.chats_of(user).filter(persona=persona).first()


def chat_values(user: PersonaUser, persona: Persona, *, before: str = "") -> dict[str, Any]:
    conversation = existing_chat(user, persona)
    values: dict[str, Any] = {"messages": [], "earlier": None, "is_written": False}
    if conversation is not None:
        values = _talk_values(conversation, persona, before)
    return {
        **values,
        "persona": persona,
        "conversation": conversation,
        "can_talk": persona.status == Persona.Status.ACTIVE,
        "offline": not speaking.has_model(persona),
        "fresh_id": uuid4().hex,
        "longest": talk.LONGEST_TEXT,
        "greeting": filling.greeting_for(persona, user.contact) if conversation is None else "",
        "suggestions": persona.suggested_messages[:3] if conversation is None else [],
    }


def _talk_values(conversation: Conversation, persona: Persona, before: str) -> dict[str, Any]:
    rows = Message.objects.filter(conversation=conversation)
    if before.isascii() and before.isdigit() and len(before) < 10:
        rows = rows.filter(seq__lt=int(before))
    newest = list(rows.select_related("reply_to").prefetch_related("media").order_by("-seq")[: MESSAGES + 1])
    messages = newest[:MESSAGES][::-1]
    return {
        "messages": shown_messages(messages, persona.name),
        "earlier": messages[0].seq if len(newest) > MESSAGES else None,
        "is_written": any(message.state == Message.State.STREAMING for message in messages),
    }


def shown_messages(messages: Sequence[Message], name: str) -> list[Shown]:
    return [shown(message, name) for message in messages]


def shown(message: Message, name: str) -> Shown:
    files = sorted(message.media.all(), key=lambda file: file.pk)
    failed = message.state == Message.State.FAILED
    return Shown(
        message=message,
        name=name,
        picture_urls=tuple(media.path_of(one) for one in files if one.kind == MediaFile.Kind.IMAGE),
        audio_urls=tuple(media.path_of(one) for one in files if one.kind == MediaFile.Kind.AUDIO),
        retry=message.reply_to if failed else None,
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
    }
