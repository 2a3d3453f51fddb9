"""Figures of chats with influencers over the last days: what the admin's page of dashboards shows.

They say what the reporting views say, but read the days that are shown and no others: messages by the index
of their times. Days are UTC days. A page is a fixed number of queries, each over messages of these days.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, DateField, F, Func, Max, Q, QuerySet

from config.api.models import Account
from crm.models import Conversation, Message

LENGTHS = (7, 30, 90)  # days that can be shown
MOST_BOTS = 20
MOST_CHATS = 20
OF_USER = Q(author=Message.Author.PERSON)


class UtcDay(Func):
    """The day of a moment, by the database's own words: Django's takes a Python call a row on SQLite."""

    function = "date"
    output_field = DateField()

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="(%(expressions)s AT TIME ZONE 'UTC')::date", **extra
        )


@dataclass(frozen=True, slots=True)
class DayFigures:
    day: date
    messages: int = 0
    of_users: int = 0
    users: int = 0
    chats: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    messages: int
    of_users: int
    users: int
    chats: int
    bots: int


@dataclass(frozen=True, slots=True)
class Period:
    """So many days up to and with `last`, of one account or of all."""

    account: Account | None
    last: date
    days: int

    @property
    def first(self) -> date:
        return self.last - timedelta(days=self.days - 1)

    @property
    def since(self) -> datetime:
        return datetime.combine(self.first, time.min, tzinfo=UTC)

    def messages(self) -> "QuerySet[Message]":
        rows = Message.objects.filter(
            state=Message.State.COMPLETE, created_at__gte=self.since, conversation__pair_key__isnull=False
        ).order_by()
        return rows if self.account is None else rows.for_account(self.account)


COUNTS = {
    "messages": Count("pk"),
    "of_users": Count("pk", filter=OF_USER),
    "users": Count("conversation__contact", distinct=True),
    "chats": Count("conversation", distinct=True),
}


def totals(period: Period) -> Totals:
    bots = Count("conversation__persona", distinct=True)
    return Totals(**period.messages().aggregate(**COUNTS, bots=bots))


def per_day(period: Period) -> list[DayFigures]:
    """Oldest first, days without a message included."""
    rows = period.messages().annotate(day=UtcDay("created_at")).values("day").annotate(**COUNTS)
    found = {row["day"]: DayFigures(**row) for row in rows}
    days = [period.first + timedelta(days=number) for number in range(period.days)]
    return [found.get(day, DayFigures(day)) for day in days]


def busiest_bots(period: Period) -> list[dict[str, Any]]:
    """Those with the most messages; each with its account's name."""
    names = {
        "name": F("conversation__persona__name"),
        "category": F("conversation__persona__category"),
        "account": F("conversation__persona__account__name"),
    }
    rows: Any = period.messages().values("conversation__persona_id", **names).annotate(**COUNTS)
    return list(rows.order_by("-messages", "conversation__persona_id")[:MOST_BOTS])


def recent_chats(period: Period) -> list[Conversation]:
    """The last spoken in, each with `said`: its messages in these days."""
    rows = period.messages().values("conversation").annotate(said=Count("pk"), at=Max("created_at"))
    said = {row["conversation"]: row["said"] for row in rows.order_by("-at", "conversation")[:MOST_CHATS]}
    found = Conversation.objects.filter(pk__in=said).select_related("persona", "contact", "account")
    chats = list(found.order_by("-last_activity_at", "-id"))
    for chat in chats:
        chat.said = said[chat.pk]  # type: ignore[attr-defined]
    return chats
