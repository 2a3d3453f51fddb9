"""Numbers of each account and day, counted once so that charts need not count again."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from django.db.models import Count, QuerySet
from django.utils import timezone

from campaigns.models import Delivery
from config.system.models import DailyFigure
from crm.models import Contact, Conversation
from interviews.models import Interview

COMPLETED = "interviews_completed"
# Late rows (a completion that was committed after midnight's count) are found within this many days.
RECOUNTED_DAYS = 2


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The UTC day."""
    start = timezone.make_aware(datetime.combine(day, time.min), timezone=timezone.get_fixed_timezone(0))
    return start, start + timedelta(days=1)


def sources(day: date) -> Iterable[tuple[str, QuerySet]]:
    between = day_bounds(day)
    yield COMPLETED, within(Interview.objects.all(), "completed_at", between)
    yield "emails_sent", within(Delivery.objects.all(), "sent_at", between)
    yield "contacts_created", within(Contact.objects.all(), "created_at", between)
    yield "conversations_started", within(Conversation.objects.all(), "created_at", between)


def within(rows: QuerySet, field: str, between: tuple[datetime, datetime]) -> QuerySet:
    return rows.filter(**{f"{field}__gte": between[0], f"{field}__lt": between[1]})


def count_day(day: date) -> None:
    """Write the figures of one day. Done again, the same rows get the newer numbers."""
    rows = [
        DailyFigure(account_id=found["account"], day=day, name=name, value=found["number"])
        for name, source in sources(day)
        for found in source.order_by().values("account").annotate(number=Count("pk"))
    ]
    DailyFigure.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["account", "name", "day"], update_fields=["value"]
    )


def count_recent_days() -> None:
    today = timezone.now().date()
    for days_ago in range(RECOUNTED_DAYS):
        count_day(today - timedelta(days=days_ago))
