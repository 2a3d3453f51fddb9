"""What became of a campaign's emails, counted as they leave, and how far it has come right now.

Counting rows of a hundred thousand emails at every look would be felt; ten seconds of them are one row.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, F
from django.utils import timezone

from campaigns.models import Campaign, Delivery, Recipient, SendingFigure

COUNTED = ("sent", "deferred", "failed", "unknown")
SPEED_OVER = timedelta(seconds=60)
CHART_OVER = timedelta(days=1)
LEFT = (Delivery.State.QUEUED, Delivery.State.DEFERRED, Delivery.State.CLAIMED, Delivery.State.IN_DATA)


def count(ended: Iterable[tuple[UUID | None, str]], *, at: datetime | None = None) -> None:
    """Adds what became of emails, by campaign, in the caller's transaction."""
    tally: dict[UUID, Counter[str]] = {}
    for campaign_id, state in ended:
        if campaign_id is not None and state in COUNTED:
            tally.setdefault(campaign_id, Counter())[str(state)] += 1
    moment = _bin(at or timezone.now())
    for campaign_id, counts in sorted(tally.items()):
        more = {name: F(name) + number for name, number in counts.items()}
        row = SendingFigure.objects.filter(campaign=campaign_id, at=moment)
        if not row.update(**more):
            SendingFigure.objects.get_or_create(campaign_id=campaign_id, at=moment)
            row.update(**more)


def _bin(at: datetime) -> datetime:
    return at.replace(second=at.second - at.second % SendingFigure.SECONDS, microsecond=0)


@dataclass(frozen=True, slots=True)
class Live:
    """A campaign while it is sent. `seconds_left` is None when nothing moves, so that nobody can say."""

    state: str
    state_reason: str
    people: int
    left: int
    sent: int
    deferred: int
    failed: int
    unknown: int
    sent_per_second: float
    seconds_left: int | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def live(campaign: Campaign, *, at: datetime | None = None) -> Live:
    """Four queries, each answered by an index alone, however large the campaign is."""
    emails = dict(
        Delivery.objects.filter(campaign=campaign).order_by().values_list("state").annotate(n=Count("pk"))
    )
    people = dict(
        Recipient.objects.filter(campaign=campaign).order_by().values_list("state").annotate(n=Count("pk"))
    )
    left = people.get(Recipient.State.WAITING, 0) + sum(emails.get(state, 0) for state in LEFT)
    speed = sent_per_second(campaign.pk, at=at)
    is_moving = campaign.state == Campaign.State.RUNNING and speed > 0
    return Live(
        state=campaign.state,
        state_reason=campaign.state_reason,
        people=sum(people.values()),
        left=left,
        **{name: emails.get(name, 0) for name in COUNTED},
        sent_per_second=round(speed, 1),
        seconds_left=round(left / speed) if is_moving else None,
    )


def sent_per_second(campaign_id: UUID, *, at: datetime | None = None) -> float:
    """Over the last minute, or since it began to send when that is less."""
    now = at or timezone.now()
    rows = SendingFigure.objects.filter(campaign=campaign_id, at__gt=now - SPEED_OVER, at__lte=now)
    counted = list(rows.order_by("at").values_list("at", "sent"))
    if not counted:
        return 0.0
    began = SendingFigure.objects.filter(campaign=campaign_id, at__lte=now - SPEED_OVER).exists()
    since = now - SPEED_OVER if began else counted[0][0]
    seconds = max(1.0, (now - since).total_seconds())
    return sum(sent for _at, sent in counted) / seconds


def over_time(campaign_id: UUID, *, at: datetime | None = None) -> list[dict[str, object]]:
    """The last day minute by minute, for charts: at, sent, deferred, failed, unknown."""
    since = (at or timezone.now()) - CHART_OVER
    rows = SendingFigure.objects.filter(campaign=campaign_id, at__gte=since).order_by("at")
    minutes: dict[datetime, Counter[str]] = {}
    for row in rows.values("at", *COUNTED):
        counts = {name: row[name] for name in COUNTED}
        minutes.setdefault(row["at"].replace(second=0), Counter()).update(counts)
    return [{"at": minute, **{name: counts[name] for name in COUNTED}} for minute, counts in minutes.items()]
