"""What the assistant page shows: the talk with who answered and why, its sources, and the talks before it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.db.models import Q
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from config.api.models import Account
from config.api.pagination import make_cursor, read_cursor
from crm import talk
from crm.models import Contact, ContactAddress, Conversation, Message, Rating
from knowledge.citing import MARK, place_in_words
from personas import speaking
from personas.agents import AGENTS

TALKS = 20  # of the history, on one page
MESSAGES = 50  # of a talk, on one page
MOST_ACCOUNTS = 200


@dataclass(frozen=True, slots=True)
class ShownSource:
    number: int
    title: str
    place: str
    text: str
    url: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an answer, and the source whose number comes after it."""

    text: str
    source: ShownSource | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A message as the page shows it. `retry` is the person's message whose reply failed."""

    message: Message
    agent: str
    reason: str
    pieces: tuple[Piece, ...]
    sources: tuple[ShownSource, ...]
    thumbs: int
    retry: Message | None
    was_stopped: bool


def external_id_of(user: Any) -> str:
    """Under which a member of staff is a contact of each account they asked in."""
    return f"staff:{user.pk}"


def own_contact(account: Account, user: Any) -> Contact | None:
    rows = ContactAddress.objects.for_account(account).select_related("contact__account")
    kind = ContactAddress.Kind.EXTERNAL_ID
    found = rows.filter(kind=kind, value=external_id_of(user)).first()
    return found.contact if found is not None else None


def own_talk(user: Any, conversation_id: UUID) -> Conversation | None:
    rows = Conversation.objects.select_related("account", "persona").filter(
        pk=conversation_id,
        contact__addresses__kind=ContactAddress.Kind.EXTERNAL_ID,
        contact__addresses__value=external_id_of(user),
        # chats with influencers, and try-outs of drafts, have pages of their own
        pair_key=None,
        tried_out_by=None,
    )
    found: Conversation | None = rows.first()
    return found


def page_values(
    user: Any, *, account: Account | None, conversation: Conversation | None, query: Mapping[str, str]
) -> dict[str, Any]:
    accounts = list(Account.objects.order_by("slug")[:MOST_ACCOUNTS])
    account = account or (accounts[0] if accounts else None)
    contact = own_contact(account, user) if account is not None else None
    return {
        "accounts": accounts,
        "account": account,
        "conversation": conversation,
        "agents": AGENTS,
        "fresh_id": uuid4().hex,
        "longest": talk.LONGEST_TEXT,
        "offline": not speaking.has_model(conversation.persona if conversation else None),
        **talk_values(conversation, user, before=query.get("before", "")),
        **history_values(contact, cursor=query.get("cursor", "")),
    }


# --- the talk ---------------------------------------------------------------------------------


def talk_values(conversation: Conversation | None, user: Any, *, before: str = "") -> dict[str, Any]:
    if conversation is None:
        return {"messages": [], "earlier": None, "being_answered": None}
    rows: Any = Message.objects.filter(conversation=conversation).select_related("persona", "reply_to")
    if before.isascii() and before.isdigit() and len(before) < 10:
        rows = rows.filter(seq__lt=int(before))
    newest = list(rows.order_by("-seq")[: MESSAGES + 1])
    messages = newest[:MESSAGES][::-1]
    return {
        "messages": shown_messages(messages, user),
        "earlier": messages[0].seq if len(newest) > MESSAGES else None,
        "being_answered": _being_answered(messages),
    }


def _being_answered(messages: Sequence[Message]) -> int | None:
    """The number of the question whose reply is being written."""
    asked = (one.reply_to for one in messages if one.state == Message.State.STREAMING)
    return next((one.seq for one in asked if one is not None), None)


def is_stopped(message: Message) -> bool:
    """Whether the reader ended it, in the middle or before its first word."""
    return bool((message.plan or {}).get(talk.STOPPED)) or message.error_code == talk.STOPPED


def shown_messages(messages: Sequence[Message], user: Any) -> list[Shown]:
    ids = [message.pk for message in messages if message.author == Message.Author.PERSONA]
    rated = dict(Rating.objects.filter(message__in=ids, staff=user).values_list("message", "thumbs"))
    return [shown(message, thumbs=rated.get(message.pk, 0)) for message in messages]


def shown(message: Message, *, thumbs: int = 0) -> Shown:
    sources = tuple(_source(source) for source in (message.plan or {}).get("sources", []))
    failed = message.state == Message.State.FAILED
    return Shown(
        message=message,
        agent=message.persona.name if message.persona is not None else "",
        reason=str((message.routing or {}).get("reason", "")),
        pieces=tuple(pieces_of(message.text, sources)),
        sources=sources,
        thumbs=thumbs,
        retry=message.reply_to if failed else None,
        was_stopped=is_stopped(message),
    )


def _source(source: Mapping[str, Any]) -> ShownSource:
    path = reverse("admin:knowledge_document_passage", args=[source["document_id"]])
    chunk = source.get("chunk_id", "")
    return ShownSource(
        number=int(source.get("number", 0)),
        title=str(source.get("title", "")),
        place=place_in_words(source.get("locator") or {}),
        text=str(source.get("text", "")),
        url=f"{path}?{urlencode({'chunk': chunk})}#chunk-{chunk}" if chunk else path,
    )


def pieces_of(text: str, sources: Sequence[ShownSource]) -> list[Piece]:
    """The answer, each number in it with its source. A number that was not retrieved stays plain text."""
    by_number = {source.number: source for source in sources}
    pieces, position = [], 0
    for mark in MARK.finditer(text):
        numbers = [int(number) for number in re.findall(r"\d+", mark.group(1))]
        cited = [by_number[number] for number in numbers if number in by_number]
        if not cited:
            continue
        pieces.append(Piece(text[position : mark.start()], cited[0]))
        pieces += [Piece("", source) for source in cited[1:]]
        position = mark.end()
    return [*pieces, Piece(text[position:])]


# --- the talks before it ------------------------------------------------------------------------


def history_values(contact: Contact | None, *, cursor: str = "") -> dict[str, Any]:
    if contact is None:
        return {"talks": [], "next_talks": ""}
    rows: Any = Conversation.objects.filter(contact=contact, pair_key=None, tried_out_by=None)
    if (after := _after(cursor)) is not None:
        rows = rows.filter(after)
    found = list(rows.order_by("-last_activity_at", "-pk").only("title", "last_activity_at")[: TALKS + 1])
    talks = found[:TALKS]
    if len(found) <= TALKS:
        return {"talks": talks, "next_talks": ""}
    last = talks[-1]
    return {"talks": talks, "next_talks": make_cursor((last.last_activity_at.isoformat(), str(last.pk)))}


def _after(cursor: str) -> Q | None:
    """None for no cursor, and for one that was not made here: that is the first page."""
    try:
        at_text, key_text = read_cursor(cursor) if cursor else ("", "")
        at, key = parse_datetime(at_text), UUID(key_text)
    except ValueError:
        return None
    if at is None or at.tzinfo is None:
        return None
    return Q(last_activity_at__lte=at) & (Q(last_activity_at__lt=at) | Q(pk__lt=key))


def theme_of(cookies: Mapping[str, str]) -> str:
    theme = cookies.get("rapport_theme", "")
    return theme if theme in ("light", "dark") else ""


def login_address(path: str) -> str:
    return f"{reverse('admin:login')}?{urlencode({'next': path})}"
