"""Analytics of an account and of one contact: sums of counted days, and what came after the last count.

Every figure comes from rows; what nobody measured is 0, what nobody said (a rating, an agent) is None.
Times are seconds, days are UTC days. Means per day are over the last 30 days, today included, or since the
account's first figure. The times and errors of requests are the installation's, over seven days.
"""

import calendar
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q, QuerySet, Sum
from django.utils import timezone

from config.api.models import Account
from config.system import activity, daily
from config.system.models import ContactDay, DailyFigure, RequestFigure
from crm.contacts import email_of, people_among, reference_of
from crm.models import Contact, Conversation
from knowledge.models import Collection

RECENT_DAYS = 30
MEASURED = timedelta(days=7)
HISTORY = 10  # conversations
MINUTE = timedelta(minutes=1)


def mean(total: float, number: float, *, digits: int = 2) -> float:
    return round(total / number, digits) if number else 0.0


def of_account(rows: QuerySet, account: Account | None, path: str = "account") -> QuerySet:
    """None is every account: an operator asks."""
    return rows if account is None else rows.filter(**{path: account})


@dataclass(frozen=True, slots=True)
class Totals:
    """Figures by name: of all days, and of the recent ones."""

    everything: dict[str, int]
    recent: dict[str, int]
    days: int  # how many the recent ones are
    stock: dict[str, int]  # how much there was at the last count
    new: dict[str, int]  # what came since

    def all_of(self, name: str) -> int:
        return self.everything.get(name, 0) + self.new.get(name, 0)

    def recent_of(self, name: str) -> int:
        return self.recent.get(name, 0) + self.new.get(name, 0)

    def now(self, name: str) -> int:
        return self.stock.get(name, 0) + self.new.get(name, 0)

    def per_day(self, name: str) -> float:
        return mean(self.recent_of(name), self.days)


def totals(account: Account | None, *, now: datetime) -> Totals:
    standing = daily.standing(now=now)
    today = now.date()
    first = today - timedelta(days=RECENT_DAYS - 1)
    rows = of_account(DailyFigure.objects.all(), account).order_by().values("name")
    counted = rows.annotate(
        everything=Sum("value"),
        recent=Sum("value", filter=Q(day__gte=first)),
        stock=Sum("value", filter=Q(day=standing.stock_day)),
        oldest=Min("day"),
    )
    found = list(counted)
    oldest = max(min((row["oldest"] for row in found), default=today), first)
    return Totals(
        everything={row["name"]: row["everything"] for row in found},
        recent={row["name"]: row["recent"] or 0 for row in found},
        stock={row["name"]: row["stock"] or 0 for row in found},
        days=(today - oldest).days + 1,
        new=came_since(standing.tail_from, account),
    )


def came_since(since: datetime, account: Account | None) -> dict[str, int]:
    """What is not counted yet, each from a short range of an index."""
    new = activity.after(since, of=account)
    made = of_account(Contact.objects.filter(created_at__gte=since), account)
    people = people_among(made).aggregate(all=Count("pk"), active=Count("pk", filter=Q(is_active=True)))
    talks = of_account(Conversation.objects.filter(created_at__gte=since, tried_out_by=None), account).count()
    return {
        **{name: getattr(new, name) for name in activity.SUMMED},
        "contacts": people["all"],
        "contacts_created": people["all"],
        "contacts_active": people["active"],
        "conversations": talks,
        "conversations_started": talks,
    }


@dataclass(frozen=True, slots=True)
class Requests:
    """The installation's requests of the last seven days."""

    mean_seconds: float
    error_rate: float  # 0 to 1
    uptime_percentage: float
    retrieval_seconds: float


def requests(*, now: datetime) -> Requests:
    found = RequestFigure.objects.filter(minute__gte=now - MEASURED).aggregate(
        minutes=Count("pk"),
        first=Min("minute"),
        last=Max("minute"),
        requests=Sum("requests"),
        errors=Sum("errors"),
        milliseconds=Sum("total_milliseconds"),
        retrievals=Sum("retrievals"),
        microseconds=Sum("retrieval_microseconds"),
    )
    asked = found["requests"] or 0
    return Requests(
        mean_seconds=mean((found["milliseconds"] or 0) / 1000, asked, digits=4),
        error_rate=mean(found["errors"] or 0, asked, digits=4),
        uptime_percentage=uptime(found["minutes"], found["first"], found["last"], now=now),
        retrieval_seconds=mean((found["microseconds"] or 0) / 1_000_000, found["retrievals"] or 0, digits=4),
    )


def uptime(minutes: int, first: datetime | None, last: datetime | None, *, now: datetime) -> float:
    """The share of minutes since the first known one in which a web process was there.

    Now it is there, since it answers, and its row of this minute may not be written yet.
    """
    present = now.replace(second=0, microsecond=0)
    if first is None or last is None:
        return 100.0
    known = minutes + (last < present)
    return round(min(100.0, 100 * known / ((max(present, last) - first) / MINUTE + 1)), 2)


def system(account: Account | None, *, now: datetime | None = None) -> dict[str, Any]:
    """GET /admin/analytics/system."""
    now = now or timezone.now()
    found, asked = totals(account, now=now), requests(now=now)
    held = of_account(Collection.objects.all(), account).aggregate(
        documents=Sum("document_count"), chunks=Sum("chunk_count")
    )
    return {
        "overview": {
            "total_users": found.now("contacts"),
            "active_users": found.now("contacts_active"),
            "total_conversations": found.now("conversations"),
            "total_messages": found.all_of("messages"),
            "avg_response_time": seconds_each(found, "reply_milliseconds", "replies"),
        },
        "usage_metrics": {
            "messages_per_day": found.per_day("messages"),
            "conversations_per_day": found.per_day("conversations_started"),
            "new_users_per_day": found.per_day("contacts_created"),
            "avg_session_length": seconds_each(found, "session_milliseconds", "sessions"),
        },
        "performance_metrics": {
            "avg_api_response_time": asked.mean_seconds,
            "avg_openai_response_time": seconds_each(found, "model_milliseconds", "model_replies"),
            "error_rate": asked.error_rate,
            "uptime_percentage": asked.uptime_percentage,
        },
        "document_metrics": {
            "total_documents": held["documents"] or 0,
            "total_chunks": held["chunks"] or 0,
            "avg_retrieval_time": asked.retrieval_seconds,
        },
    }


def seconds_each(found: Totals, milliseconds: str, number: str) -> float:
    return mean(found.recent_of(milliseconds) / 1000, found.recent_of(number), digits=3)


@dataclass(slots=True)
class Life:
    """All the days of one contact."""

    by_weekday: Counter[int]
    agents: Counter[str]
    sessions: int = 0
    milliseconds: int = 0
    up: int = 0
    down: int = 0

    @property
    def most_active_day(self) -> str | None:
        """The weekday on which the person wrote most; of equals the earlier in the week."""
        if not +self.by_weekday:
            return None
        return calendar.day_name[min(self.by_weekday, key=lambda day: (-self.by_weekday[day], day))]

    @property
    def preferred_agent(self) -> str | None:
        if not +self.agents:
            return None
        return min(self.agents, key=lambda agent: (-self.agents[agent], agent))

    @property
    def satisfaction(self) -> float | None:
        """From 1 (every thumb down) to 5 (every thumb up); None when nobody rated."""
        rated = self.up + self.down
        return round(1 + 4 * self.up / rated, 2) if rated else None


def life_of(contact: Contact, *, now: datetime) -> Life:
    life = Life(Counter(), Counter())
    days = ContactDay.objects.filter(contact_key=contact.pk).order_by()
    fields = ("day", "written", "sessions", "session_milliseconds", "thumbs_up", "thumbs_down", "replies")
    for day, written, sessions, milliseconds, up, down, replies in days.values_list(*fields):
        life.by_weekday[day.weekday()] += written
        life.agents.update(replies)
        life.sessions += sessions
        life.milliseconds += milliseconds
        life.up += up
        life.down += down
    add_tail(life, contact, since=daily.standing(now=now).tail_from)
    return life


def add_tail(life: Life, contact: Contact, *, since: datetime) -> None:
    new = activity.by_day(since, of=contact)
    for day, one in new.items():
        life.by_weekday[day.weekday()] += one.written
        life.agents.update(one.agents)
        life.sessions += one.sessions
        life.milliseconds += one.session_milliseconds
    for _account, up, down in daily.thumbs_between(since, of=contact).values():
        life.up += up
        life.down += down


def user(contact: Contact, *, now: datetime | None = None) -> dict[str, Any]:
    """GET /admin/analytics/user/{id}."""
    life = life_of(contact, now=now or timezone.now())
    talks = Conversation.objects.filter(contact=contact, tried_out_by=None)
    known = talks.aggregate(number=Count("pk"), messages=Sum("last_seq"), last=Max("last_activity_at"))
    return {
        "user_info": {
            "id": reference_of(contact),
            "name": contact.name,
            "email": email_of(contact),
            "created_at": contact.created_at,
        },
        "conversation_stats": {
            "total_conversations": known["number"],
            "avg_messages_per_conversation": mean(known["messages"] or 0, known["number"]),
            "most_active_day": life.most_active_day,
            "preferred_agent": life.preferred_agent,
        },
        "engagement_metrics": {
            "total_time_spent": life.milliseconds // 1000,
            "avg_session_length": mean(life.milliseconds / 1000, life.sessions),
            "response_satisfaction": life.satisfaction,
            "last_active": known["last"],
        },
        "conversation_history": [
            {
                "id": talk.label,
                "title": str(talk),
                "created_at": talk.created_at,
                "message_count": talk.last_seq,
                "category": talk.category or "general",
            }
            for talk in talks.order_by("-last_activity_at")[:HISTORY]
        ],
    }
