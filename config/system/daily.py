"""Figures of each account, contact and UTC day, counted by the sweep so that nobody who asks counts again.

Every five minutes the days since the last count are counted anew, up to a moment that is noted
(`CountingProgress.counted_until`). Who reads adds what came after it, from a short index range (`standing`).
The days of who was merged or erased are counted again soon (touched.py); all older days in turn, so that what
was deleted or came late leaves or joins the figures too.
"""

import time as clock
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Min, Q, QuerySet
from django.utils import timezone

from campaigns.models import Delivery
from config.system import activity, touched
from config.system.models import ContactDay, CountingProgress, DailyFigure, TouchedDay
from crm.contacts import people_among
from crm.models import Contact, Conversation, Message, Rating
from interviews.models import Interview

COMPLETED = "interviews_completed"
COUNT_EVERY = timedelta(minutes=5)
# A row may be committed a little after the moment it carries.
SETTLED = timedelta(seconds=10)
LATE_ROWS = timedelta(hours=1)
# What a reader adds to the counted figures: at most this, also while the first count is not finished.
LONGEST_TAIL = timedelta(days=1)
LEASE = timedelta(minutes=2)
CATCHING_UP_SECONDS = 25.0
RECOUNTING_SECONDS = 1.0
TOUCHED_SECONDS = 20.0

Figures = dict[str, dict[int, int]]  # name → account → value


def day_bounds(day: date) -> tuple[datetime, datetime]:
    """The UTC day."""
    start = timezone.make_aware(datetime.combine(day, time.min), timezone=timezone.get_fixed_timezone(0))
    return start, start + timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the figures reach."""

    stock_day: date  # the figures of what there is are those of this day
    tail_from: datetime  # from here on rows are not in the figures yet


def standing(*, now: datetime) -> Standing:
    earliest = now - LONGEST_TAIL
    until = counted_until()
    return Standing((until or now).date(), max(until, earliest) if until else earliest)


def counted_until() -> datetime | None:
    return CountingProgress.objects.values_list("counted_until", flat=True).first()


def is_due(*, now: datetime | None = None) -> bool:
    until = counted_until()
    return until is None or until <= (now or timezone.now()) - COUNT_EVERY


def forget() -> None:
    """The next count begins with the first day again."""
    CountingProgress.objects.update(counted_until=None)


def is_being_counted() -> bool:
    return CountingProgress.objects.filter(lease_until__gt=timezone.now()).exists()


def catch_up(*, until: datetime | None = None, seconds: float = CATCHING_UP_SECONDS) -> bool:
    """Count the days since the last count; whether all are counted. After so many seconds the rest waits."""
    until = until or timezone.now() - SETTLED
    progress = _claim()
    if progress is None:
        return False
    try:
        touched.note_merges(progress)
        started, before = clock.monotonic(), progress.counted_until
        for day in _days_to_count(progress, until):
            _count_up_to(day, until, progress)
            is_late = clock.monotonic() - started > seconds
            # However long a day takes, each call gets further.
            if is_late and day < until.date() and progress.counted_until != before:
                return False
        _recount_touched_days(before=until.date())
        recount_old_days(progress, before=until.date())
        return True
    finally:
        _save(progress, lease_until=None)


def follow_changes() -> None:
    """Between two counts: the days of who was merged, taken apart or erased are counted again at once."""
    progress = CountingProgress.objects.first()
    if progress is None or progress.counted_until is None:
        return
    touched.note_merges(progress)
    before = progress.counted_until.date()
    if not TouchedDay.objects.filter(day__lt=before).exists() or _claim() is None:
        return
    try:
        _recount_touched_days(before=before)
    finally:
        _save(progress, lease_until=None)


def _recount_touched_days(*, before: date, seconds: float = TOUCHED_SECONDS) -> None:
    """What does not fit is there the next time. Later days are counted as they come."""
    started = clock.monotonic()
    for row in TouchedDay.objects.filter(day__lt=before):
        _recount(row.day)
        # Touched once more meanwhile, it stays.
        TouchedDay.objects.filter(day=row.day, noted_at=row.noted_at).delete()
        if clock.monotonic() - started > seconds:
            break


def _recount(day: date) -> None:
    counted = gather(day)
    if not counted.is_written():
        with transaction.atomic():
            counted.write()


def _claim() -> CountingProgress | None:
    """The one row, when nobody else is counting."""
    now = timezone.now()
    rows = CountingProgress.objects.filter(pk=CountingProgress.ONLY)
    CountingProgress.objects.get_or_create(pk=CountingProgress.ONLY)
    free = Q(lease_until=None) | Q(lease_until__lt=now)
    return rows.get() if rows.filter(free).update(lease_until=now + LEASE) else None


def _save(progress: CountingProgress, **fields: datetime | date | None) -> None:
    for name, value in fields.items():
        setattr(progress, name, value)
    CountingProgress.objects.filter(pk=progress.pk).update(**fields)


def _count_up_to(day: date, until: datetime, progress: CountingProgress) -> None:
    counted = gather(day, until=until)
    stock = stock_at(until) if day == until.date() else {}
    # In one step: a reader adds what came after `counted_until` to the figures, and must not add it twice.
    with transaction.atomic():
        counted.write()
        write_figures(day, stock)
        reached = min(day_bounds(day)[1], until)
        _save(progress, counted_until=max(progress.counted_until or reached, reached))


def _days_to_count(progress: CountingProgress, until: datetime) -> Iterator[date]:
    since = progress.counted_until
    first = (since - LATE_ROWS).date() if since else first_day() or until.date()
    yield from days_from(first, until.date())


def days_from(first: date, last: date) -> Iterator[date]:
    """Both included."""
    for index in range((last - first).days + 1):
        yield first + timedelta(days=index)


def first_day() -> date | None:
    """Of the oldest row that is counted; each is the end of an index."""
    sources: tuple[tuple[type, str], ...] = (
        (Message, "created_at"),
        (Contact, "created_at"),
        (Conversation, "created_at"),
        (Interview, "completed_at"),
        (Delivery, "sent_at"),
    )
    moments = [model.objects.aggregate(first=Min(field))["first"] for model, field in sources]  # type: ignore[attr-defined]
    return min((moment.date() for moment in moments if moment), default=None)


def recount_old_days(
    progress: CountingProgress, *, before: date, seconds: float = RECOUNTING_SECONDS
) -> None:
    """A second's worth of days, the oldest after the newest, so that each comes round again and again."""
    oldest = DailyFigure.objects.aggregate(day=Min("day"))["day"]
    if oldest is None or oldest >= before:
        return
    started = clock.monotonic()
    day = progress.recount_day or oldest
    for _turn in range((before - oldest).days):
        if not oldest <= day < before:
            day = oldest
        _recount(day)
        day += timedelta(days=1)
        if clock.monotonic() - started > seconds:
            break
    _save(progress, recount_day=day)


@dataclass(frozen=True, slots=True)
class DayCount:
    """What the rows say about one day."""

    day: date
    figures: Figures
    contacts: list[ContactDay]

    def write(self) -> None:
        """Replaces what was counted before; in the caller's transaction."""
        write_figures(self.day, self.figures)
        ContactDay.objects.filter(day=self.day).delete()
        ContactDay.objects.bulk_create(self.contacts, batch_size=500)

    def is_written(self) -> bool:
        """Whether the rows say this already: then there is nothing to replace."""
        figures = DailyFigure.objects.filter(day=self.day, name__in=self.figures)
        stored = set(figures.values_list("name", "account_id", "value"))
        counted = {
            (name, account, value)
            for name, values in self.figures.items()
            for account, value in values.items()
        }
        days = {day.contact_key: _facts(day) for day in ContactDay.objects.filter(day=self.day)}
        return stored == counted and days == {day.contact_key: _facts(day) for day in self.contacts}


def _facts(day: ContactDay) -> list[object]:
    return [
        getattr(day, field.attname) for field in ContactDay._meta.concrete_fields if not field.primary_key
    ]


def count_day(day: date) -> None:
    """Write the figures of one day. Done again, they are replaced by what the rows say now."""
    counted = gather(day)
    with transaction.atomic():
        counted.write()


def gather(day: date, *, until: datetime | None = None) -> DayCount:
    start, end = day_bounds(day)
    end = min(end, until) if until else end
    contacts = activity.between(start, end)
    figures = dict(counted_rows(start, end)) | activity_figures(contacts.values())
    return DayCount(day, figures, contact_days(day, contacts, thumbs_between(start, end)))


def write_figures(day: date, figures: Figures) -> None:
    rows = [
        DailyFigure(account_id=account, day=day, name=name, value=value)
        for name, values in figures.items()
        for account, value in values.items()
    ]
    DailyFigure.objects.filter(day=day, name__in=figures).delete()
    DailyFigure.objects.bulk_create(rows, batch_size=500)


def counted_rows(start: datetime, end: datetime) -> Iterator[tuple[str, dict[int, int]]]:
    yield COMPLETED, by_account(within(Interview.objects.all(), "completed_at", start, end))
    yield "emails_sent", by_account(within(Delivery.objects.all(), "sent_at", start, end))
    yield "contacts_created", by_account(within(Contact.objects.all(), "created_at", start, end))
    talks = Conversation.objects.filter(tried_out_by=None)
    yield "conversations_started", by_account(within(talks, "created_at", start, end))


def within(rows: QuerySet, field: str, start: datetime, end: datetime) -> QuerySet:
    return rows.filter(**{f"{field}__gte": start, f"{field}__lt": end})


def by_account(rows: QuerySet, path: str = "account") -> dict[int, int]:
    return dict(rows.order_by().values_list(path).annotate(number=Count("pk")))


def activity_figures(contacts: Iterable[activity.Activity]) -> Figures:
    accounts = activity.of_accounts(contacts)
    return {
        name: {account: getattr(one, name) for account, one in accounts.items()} for name in activity.SUMMED
    }


Thumbs = dict[UUID, tuple[int, int, int]]  # contact → account, up, down


def thumbs_between(start: datetime, end: datetime | None = None, *, of: Contact | None = None) -> Thumbs:
    """What people thought of the replies to them; staff's own ratings are not theirs."""
    ratings = Rating.objects.filter(staff=None, rated_at__gte=start)
    if end is not None:
        ratings = ratings.filter(rated_at__lt=end)
    if of is not None:
        ratings = ratings.filter(message__conversation__contact=of)
    rows = ratings.order_by().values_list(
        "message__conversation__contact_id", "message__conversation__account_id"
    )
    counted = rows.annotate(up=Count("pk", filter=Q(thumbs=1)), down=Count("pk", filter=Q(thumbs=-1)))
    return {contact: (account, up, down) for contact, account, up, down in counted}


def contact_days(day: date, contacts: dict[UUID, activity.Activity], thumbs: Thumbs) -> list[ContactDay]:
    """A person may rate on a day on which nothing was said."""
    found = []
    for contact in {**contacts, **thumbs}:
        account, up, down = thumbs.get(contact, (0, 0, 0))
        one = contacts.get(contact) or activity.Activity(account=account)
        found.append(
            ContactDay(
                account_id=one.account,
                contact_key=contact,
                day=day,
                messages=one.messages,
                written=one.written,
                sessions=one.sessions,
                session_milliseconds=one.session_milliseconds,
                thumbs_up=up,
                thumbs_down=down,
                replies=dict(one.agents),
            )
        )
    return found


def stock_at(until: datetime) -> Figures:
    """How much there was at that moment: the totals that nobody counts when asked."""
    contacts = people_among(Contact.objects.filter(created_at__lt=until))
    return {
        "contacts": by_account(contacts),
        "contacts_active": by_account(contacts.filter(is_active=True)),
        "conversations": by_account(Conversation.objects.filter(created_at__lt=until, tried_out_by=None)),
    }
