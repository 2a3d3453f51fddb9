"""What people did, read from their messages: sessions, time spent, who answered, and how long replies took.

A session is messages of one contact, in any of their talks and by either side, with gaps under 30 minutes.
It counts on the day of its first message; each gap within it counts as time on the day of the later message.
So the figures of days add up, whatever the sessions cross.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import QuerySet, Value
from django.db.models.functions import Coalesce

from config.api.models import Account
from crm.models import Contact, Message

SESSION_GAP = timedelta(minutes=30)
ROWS_AT_ONCE = 5_000
MILLISECOND = timedelta(milliseconds=1)


class Row(NamedTuple):
    """One message, as it is read here. `agent` is the slug of who wrote it, of a persona's messages."""

    account: int
    contact: UUID
    at: datetime
    completed_at: datetime | None
    author: str
    reply_to: int | None
    attempts: int
    provider: str
    agent: str


@dataclass(slots=True)
class Activity:
    """What happened within one span of time."""

    account: int = 0
    messages: int = 0
    written: int = 0
    sessions: int = 0
    session_milliseconds: int = 0
    # Replies whose time is known, and those of them that a model worded.
    replies: int = 0
    reply_milliseconds: int = 0
    model_replies: int = 0
    model_milliseconds: int = 0
    agents: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Activity") -> None:
        for name in SUMMED:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.agents.update(other.agents)

    def note(self, row: Row, before: datetime | None) -> None:
        """One message; `before` is when the contact's last one was."""
        self.messages += 1
        self.written += row.author == Message.Author.PERSON
        gap = None if before is None else row.at - before
        if gap is None or gap >= SESSION_GAP:
            self.sessions += 1
        else:
            self.session_milliseconds += gap // MILLISECOND
        if row.author == Message.Author.PERSONA and row.reply_to is not None:
            self._note_reply(row)

    def _note_reply(self, row: Row) -> None:
        if row.agent:
            self.agents[row.agent] += 1
        # The row of a repeated reply still has the time of its first try.
        if row.completed_at is None or row.attempts > 1:
            return
        milliseconds = max(0, (row.completed_at - row.at) // MILLISECOND)
        self.replies += 1
        self.reply_milliseconds += milliseconds
        if row.provider not in ("", "offline"):
            self.model_replies += 1
            self.model_milliseconds += milliseconds


SUMMED = (
    "messages",
    "written",
    "sessions",
    "session_milliseconds",
    "replies",
    "reply_milliseconds",
    "model_replies",
    "model_milliseconds",
)


def of_contacts(rows: Iterable[tuple[Any, ...]], *, since: datetime) -> dict[UUID, Activity]:
    """Each contact's activity from `since` on. Rows come by contact and time, and begin a gap earlier."""
    found: dict[UUID, Activity] = {}
    contact: UUID | None = None
    before: datetime | None = None
    for row in map(Row._make, rows):
        if row.contact != contact:
            contact, before = row.contact, None
        if row.at >= since:
            activity = found.setdefault(row.contact, Activity(account=row.account))
            activity.note(row, before)
        before = row.at
    return found


def of_accounts(contacts: Iterable[Activity]) -> dict[int, Activity]:
    found: dict[int, Activity] = {}
    for one in contacts:
        found.setdefault(one.account, Activity(account=one.account)).add(one)
    return found


def between(since: datetime, until: datetime) -> dict[UUID, Activity]:
    """Everybody's activity within a span: one query over a range of an index, read as it comes."""
    messages = Message.objects.filter(created_at__gte=since - SESSION_GAP, created_at__lt=until)
    return of_contacts(_rows(messages).iterator(chunk_size=ROWS_AT_ONCE), since=since)


def after(since: datetime, *, of: Account | None) -> Activity:
    """An account's activity (None: everybody's) from `since` until now."""
    messages = Message.objects.filter(created_at__gte=since - SESSION_GAP)
    if of is not None:
        # No message is newer than its talk's last activity: by an index that leaves a few talks to join.
        recent = {"conversation__last_activity_at__gte": since - SESSION_GAP}
        messages = messages.filter(conversation__account=of, **recent)
    found = Activity()
    for one in of_contacts(_rows(messages), since=since).values():
        found.add(one)
    return found


def by_day(since: datetime, *, of: Contact) -> dict[date, Activity]:
    """One contact's activity from `since` until now, by UTC day."""
    messages = Message.objects.filter(created_at__gte=since - SESSION_GAP, conversation__contact=of)
    found: dict[date, Activity] = {}
    before: datetime | None = None
    for row in map(Row._make, _rows(messages)):
        if row.at >= since:
            found.setdefault(row.at.astimezone(UTC).date(), Activity(account=row.account)).note(row, before)
        before = row.at
    return found


def _rows(messages: QuerySet[Message]) -> QuerySet[Any, Any]:
    agent = Coalesce("persona__slug", "conversation__persona__slug", Value(""))
    return (
        messages.filter(conversation__tried_out_by=None)
        .order_by("conversation__contact_id", "created_at", "pk")
        .annotate(agent=agent)
        .values_list(
            "conversation__account_id",
            "conversation__contact_id",
            "created_at",
            "completed_at",
            "author",
            "reply_to_id",
            "attempts",
            "provider",
            "agent",
        )
    )
