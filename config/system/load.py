"""A large account to measure with: people, talks, messages, ratings and documents, spread as in real use.

Rows are written in bulk (COPY on PostgreSQL) and never pass through the stories, so nothing is sent, read or
answered because of them. The same numbers and seed give the same rows, up to today's date.
"""

import json
import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain, islice
from typing import Any
from uuid import UUID

from django.core.management.color import no_style
from django.db import connection, models
from django.db.models import Max
from django.utils import timezone

from config.api.models import Account
from crm.models import Contact, ContactAddress, Conversation, Message, Rating, TimelineEntry
from knowledge.models import Collection, Document
from personas.agents import AGENTS, agents_of
from personas.models import Persona

FIRST_NAMES = (
    "Ada",
    "Ben",
    "Chloé",
    "Dmitri",
    "Elif",
    "Farah",
    "Grace",
    "Hiro",
    "Ines",
    "Jonas",
    "Kwame",
    "Li",
)
LAST_NAMES = (
    "Abdi",
    "Berg",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kaya",
)
COMPANIES = ("Acme", "Globex", "Initech", "Umbra", "Northwind", "Contoso", "Hooli", "Vandelay")
QUESTIONS = (
    "How do I reset the device after the last update?",
    "What does the larger plan cost for twenty people?",
    "My order has not arrived yet. Can you look?",
    "Does it work with our calendar?",
    "Thank you, that was it.",
    "Where can I find the invoice of last month?",
)
REPLIES = (
    "Hold the button for ten seconds until the light turns white; the settings stay as they are.",
    "For twenty people it is the team plan. It is billed by month, and you can leave it at any time.",
    "It left our store on Tuesday. The carrier says that it arrives tomorrow before noon.",
    "Yes. Open the settings, choose Calendar, and allow it to read your free times.",
)
STEP = 2_000  # rows of one INSERT, where there is no COPY
RATED = 0.04  # of the replies, by the person
FAILED = 0.002
OFFLINE = 0.3


@dataclass(frozen=True, slots=True)
class Size:
    contacts: int
    messages: int
    documents: int = 500
    days: int = 180


@dataclass(slots=True)
class Talk:
    """A conversation that is being made up; its messages come from it."""

    id: UUID
    contact: UUID
    slug: str
    started: datetime
    moments: list[datetime] = field(default_factory=list)


class Load:
    """Fills one account. `say` is told what was made."""

    def __init__(self, account: Account, size: Size, *, say: Callable[[str], None], seed: int = 7) -> None:
        self.account, self.size, self.say = account, size, say
        self.random = random.Random(seed)
        self.now = timezone.now()
        self.agents: dict[str, Persona] = agents_of(account)

    def fill(self) -> None:
        people = self._contacts()
        talks = self._talks(people)
        self._messages(talks)
        self._documents()
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), list(TABLES)):
                cursor.execute(statement)
            cursor.execute("ANALYZE")

    # --- people ------------------------------------------------------------------------------
    def _contacts(self) -> list[tuple[UUID, datetime]]:
        people = []
        for _number in range(self.size.contacts):
            at = self.now - timedelta(days=self.size.days) * self.random.uniform(0.02, 1)
            people.append((uuid_at(at), at))
        people.sort(key=lambda person: person[1])
        write(Contact, (self._contact(*person) for person in people))
        write(ContactAddress, (self._address(*person) for person in people))
        self.say(f"{len(people):,} contacts")
        return people

    def _contact(self, key: UUID, at: datetime) -> dict[str, Any]:
        name = f"{self.random.choice(FIRST_NAMES)} {self.random.choice(LAST_NAMES)}"
        company = self.random.choice(COMPANIES)
        times = {"created_at": at, "updated_at": at}
        is_active = self.random.random() > 0.03
        return {
            "id": key,
            "account_id": self.account.pk,
            "name": name,
            "company": company,
            "is_active": is_active,
        } | times

    def _address(self, key: UUID, at: datetime) -> dict[str, Any]:
        email = f"person-{key.hex[-12:]}@example.com"
        return {
            "account_id": self.account.pk,
            "contact_id": key,
            "kind": ContactAddress.Kind.EMAIL,
            "value": email,
            "as_given": email,
            "is_primary": True,
            "source": "load",
            "created_at": at,
        }

    # --- talks -------------------------------------------------------------------------------
    def _talks(self, people: Sequence[tuple[UUID, datetime]]) -> list[Talk]:
        """Few people talk much and most a little; together as many messages as were asked for."""
        weights = [1 / (rank + 20) ** 0.6 for rank in range(len(people))]
        self.random.shuffle(weights)
        slugs = [agent.slug for agent in AGENTS]
        talks: list[Talk] = []
        left = self.size.messages if people else 0
        while left > 0:
            contact, since = self.random.choices(people, weights)[0] if len(talks) % 64 else people[0]
            talks.append(self._talk(contact, since, self.random.choice(slugs), most=left))
            left -= len(talks[-1].moments)
        talks.sort(key=lambda talk: talk.started)
        write(Conversation, map(self._conversation, talks))
        write(TimelineEntry, map(self._entry, talks))
        self.say(f"{len(talks):,} conversations")
        return talks

    def _talk(self, contact: UUID, since: datetime, slug: str, *, most: int) -> Talk:
        at = since + (self.now - since) * self.random.uniform(0, 0.995)
        talk = Talk(id=uuid_at(at), contact=contact, slug=slug, started=at)
        for _turn in range(self.random.randint(2, 18)):
            talk.moments += [at, at + timedelta(seconds=0.05)]
            # Now and then the person comes back on another day.
            away = self.random.random() < 0.04
            at += timedelta(hours=self.random.uniform(3, 60)) if away else self._pause()
            if at > self.now - timedelta(minutes=1):
                break
        del talk.moments[most:]
        return talk

    def _pause(self) -> timedelta:
        return timedelta(seconds=self.random.expovariate(1 / 70) + 5)

    def _conversation(self, talk: Talk) -> dict[str, Any]:
        return {
            "id": talk.id,
            "account_id": self.account.pk,
            "contact_id": talk.contact,
            "persona_id": self.agents[talk.slug].pk,
            "channel": "api",
            "title": self.random.choice(QUESTIONS),
            "category": next(agent.category for agent in AGENTS if agent.slug == talk.slug),
            "status": self.random.choice(list(Conversation.Status)),
            "last_seq": len(talk.moments),
            "created_at": talk.started,
            "last_activity_at": talk.moments[-1],
        }

    def _entry(self, talk: Talk) -> dict[str, Any]:
        return {
            "contact_id": talk.contact,
            "at": talk.started,
            "kind": "conversation_started",
            "direction": TimelineEntry.Direction.IN,
            "channel": "api",
            "title": "A conversation began",
            "ref": {"kind": "conversation", "id": str(talk.id)},
        }

    # --- messages ------------------------------------------------------------------------------
    def _messages(self, talks: Sequence[Talk]) -> None:
        first = (Message.objects.aggregate(last=Max("pk"))["last"] or 0) + 1
        ratings: list[dict[str, Any]] = []
        write(Message, self._said(talks, first, ratings))
        self.say(f"{sum(len(talk.moments) for talk in talks):,} messages")
        write(Rating, ratings)
        self.say(f"{len(ratings):,} ratings")

    def _said(
        self, talks: Sequence[Talk], first: int, ratings: list[dict[str, Any]]
    ) -> Iterator[dict[str, Any]]:
        key = first
        for talk in talks:
            for number, at in enumerate(talk.moments, start=1):
                is_reply = number % 2 == 0
                row = self._reply(talk, key, at) if is_reply else self._question(at)
                row |= {"id": key, "conversation_id": talk.id, "seq": number, "created_at": at}
                if is_reply and row["state"] == "complete" and self.random.random() < RATED:
                    ratings.append(self._rating(key, row["completed_at"]))
                yield row
                key += 1

    def _question(self, at: datetime) -> dict[str, Any]:
        text = self.random.choice(QUESTIONS)
        return NOT_A_REPLY | {"author": "person", "text": text, "completed_at": at}

    def _reply(self, talk: Talk, key: int, at: datetime) -> dict[str, Any]:
        is_failed = self.random.random() < FAILED
        is_offline = self.random.random() < OFFLINE
        return {
            "author": "persona",
            "text": "" if is_failed else self.random.choice(REPLIES),
            "state": "failed" if is_failed else "complete",
            "reply_to_id": key - 1,
            "persona_id": self.agents[talk.slug].pk,
            "routing": {"agent": talk.slug, "reason": "load", "by": "rules"},
            "provider": "offline" if is_offline else "openai",
            "model": "" if is_offline else "gpt-4o-mini",
            "attempts": 1,
            "completed_at": None if is_failed else at + timedelta(seconds=self.random.uniform(0.4, 6)),
        }

    def _rating(self, key: int, at: datetime) -> dict[str, Any]:
        thumbs = 1 if self.random.random() < 0.8 else -1
        rated_at = min(at + timedelta(seconds=self.random.uniform(2, 90)), self.now)
        return {"message_id": key, "thumbs": thumbs, "rated_at": rated_at}

    # --- documents -----------------------------------------------------------------------------
    def _documents(self) -> None:
        """Rows without chunks: bench/search.py measures finding passages."""
        if not self.size.documents:
            return
        collection, _ = Collection.objects.get_or_create(account=self.account, slug="load", name="Load")
        write(Document, (self._document(collection) for _number in range(self.size.documents)))
        self.say(f"{self.size.documents:,} documents")

    def _document(self, collection: Collection) -> dict[str, Any]:
        at = self.now - timedelta(days=self.size.days) * self.random.random()
        key = uuid_at(at)
        return {
            "id": key,
            "collection_id": collection.pk,
            "title": f"Manual {key.hex[-6:]}",
            "filename": f"manual-{key.hex[-6:]}.pdf",
            "mime": "application/pdf",
            "size_bytes": self.random.randint(10_000, 2_000_000),
            "checksum": f"{key.hex}{key.hex}",
            "state": Document.State.READY,
            "progress_percent": 100,
            "created_at": at,
            "updated_at": at,
        }


TABLES = (Contact, ContactAddress, Conversation, TimelineEntry, Message, Rating)
# Every row of a table has the same columns.
NOT_A_REPLY: dict[str, Any] = {
    "state": "complete",
    "reply_to_id": None,
    "persona_id": None,
    "routing": {},
    "provider": "",
    "model": "",
    "attempts": 0,
}


def uuid_at(at: datetime) -> UUID:
    """A version 7 UUID of that moment."""
    value = int.from_bytes(int(at.timestamp() * 1000).to_bytes(6) + os.urandom(10))
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)


def write(model: type[models.Model], rows: Iterable[dict[str, Any]]) -> None:
    """Insert rows given by column. Columns that a row does not name get the field's default."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    columns = [one for one in model._meta.concrete_fields if one.attname in first or not one.primary_key]
    prepared = [_prepared(one, is_given=one.attname in first) for one in columns]
    names = [one.attname for one in columns]
    values = (
        [make(row.get(name)) for name, make in zip(names, prepared, strict=True)]
        for row in chain([first], rows)
    )
    _insert(model, [str(one.column) for one in columns], values)


def _prepared(one: Any, *, is_given: bool) -> Callable[[Any], Any]:
    """How a value becomes what the database stores; of a column not given, its default."""
    if not is_given:
        return partial(_always, _default(one))
    if isinstance(one, models.JSONField):
        return json.dumps
    if connection.vendor == "postgresql":
        return _unchanged
    if isinstance(one, models.DateTimeField):
        return lambda value: value and str(value.astimezone(UTC).replace(tzinfo=None))
    if isinstance(one, models.UUIDField) or isinstance(getattr(one, "target_field", None), models.UUIDField):
        return lambda value: value and value.hex
    return _unchanged


def _unchanged(value: Any) -> Any:
    return value


def _always(default: Any, value: Any) -> Any:
    return default


def _default(one: Any) -> Any:
    if isinstance(one, models.JSONField):
        return json.dumps(one.get_default())
    is_moment = getattr(one, "auto_now", False) or getattr(one, "auto_now_add", False)
    return one.get_db_prep_save(timezone.now() if is_moment else one.get_default(), connection)


def _insert(model: type[models.Model], columns: Sequence[str], values: Iterator[list[Any]]) -> None:
    quote = connection.ops.quote_name
    into = f"{quote(model._meta.db_table)} ({', '.join(map(quote, columns))})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY {into} FROM STDIN") as copy:  # type: ignore[attr-defined]
                for row in values:
                    copy.write_row(row)
            return
        places = ", ".join(["%s"] * len(columns))
        while step := list(islice(values, STEP)):
            cursor.executemany(f"INSERT INTO {into} VALUES ({places})", step)  # noqa: S608 (names are ours)
