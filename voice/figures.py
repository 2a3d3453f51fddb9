"""What came of calls, in numbers. Test calls are in none of them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Avg, Count, Q, QuerySet
from django.db.models.functions import TruncDate
from django.utils import timezone

from voice.models import PhoneCall

Status = PhoneCall.Status
MOST_PREFERENCES = 50


def figures(rows: "QuerySet[PhoneCall]") -> dict[str, Any]:
    """The documented figures; two queries."""
    counted = rows.aggregate(
        total=Count("pk"),
        successful=Count("pk", filter=Q(status=Status.COMPLETED)),
        failed=Count("pk", filter=Q(status=Status.FAILED)),
        turns=Avg("turn_count"),
    )
    total, successful, failed = counted["total"], counted["successful"], counted["failed"]
    liked = rows.exclude(confirmed_slot="").order_by().values("confirmed_slot").annotate(count=Count("pk"))
    preferred = liked.order_by("-count", "confirmed_slot")[:MOST_PREFERENCES]
    return {
        "total_calls": total,
        "successful_calls": successful,
        "failed_calls": failed,
        "active_calls": total - successful - failed,
        "success_rate": round(100 * successful / total, 2) if total else 0.0,
        "average_turns_per_call": round(counted["turns"] or 0.0, 2),
        "slot_preferences": [{"slot": row["confirmed_slot"], "count": row["count"]} for row in preferred],
    }


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    calls: int
    booked: int


def per_day(rows: "QuerySet[PhoneCall]", *, days: int, now: datetime | None = None) -> list[Day]:
    """The last days, oldest first, those without a call included; in the zone of the installation."""
    today = timezone.localtime(now).date()
    counted = (
        rows.annotate(day=TruncDate("started_at"))
        .order_by()
        .values("day")
        .annotate(calls=Count("pk"), booked=Count("pk", filter=Q(status=Status.COMPLETED)))
    )
    found = {row["day"]: Day(row["day"], row["calls"], row["booked"]) for row in counted}
    every = [today - timedelta(days=back) for back in reversed(range(days))]
    return [found.get(day, Day(day, 0, 0)) for day in every]


def outcomes(rows: "QuerySet[PhoneCall]") -> list[tuple[str, int]]:
    """How the calls ended that did, the most frequent first."""
    ended = rows.exclude(outcome="").order_by().values_list("outcome").annotate(count=Count("pk"))
    return [(outcome, count) for outcome, count in ended.order_by("-count", "outcome")]
