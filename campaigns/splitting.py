"""A/B tests of an invitation: who gets which version, what came of it, and when a winner may be named.

The split is a hash of campaign and contact: the same person always falls into the same part, whoever asks.
The difference is judged by a two-proportion z-test with a pooled variance, two-sided, at 5 % (Fleiss,
"Statistical Methods for Rates and Proportions", 2.2). It is looked at once, when the time to answer is over:
looking again and again until it is significant would find differences that are not there.
"""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Min, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from campaigns import rendering
from campaigns.models import Campaign, Delivery, Recipient, SplitTest, Variant
from campaigns.models.campaigns import RecipientQuerySet

LEVEL = 0.05
LOOK_AGAIN = timedelta(days=1)
PARTS = 10_000


class SplitRefusedError(Exception):
    """The winner cannot be chosen now. `str()` is for people."""


@dataclass(frozen=True, slots=True)
class Split:
    """An A/B test as a value."""

    campaign_id: UUID
    test_percent: int
    winner: str

    def variant_of(self, contact_id: UUID) -> str:
        """A or B; "" for whoever waits for the winner."""
        text = f"{self.campaign_id}:{contact_id}".encode()
        part = int.from_bytes(hashlib.sha256(text).digest()[:8], "big") % PARTS
        if self.winner:
            return self.winner
        if part >= self.test_percent * PARTS // 100:
            return ""
        return Variant.A if part % 2 == 0 else Variant.B

    def looks_again_at(self, now: datetime) -> datetime:
        """Whoever waits is woken by the choice; this only makes sure."""
        return now + LOOK_AGAIN


def split_of(campaign: Campaign) -> Split | None:
    row: SplitTest | None = getattr(campaign, "split_test", None)
    return None if row is None else Split(campaign.pk, row.test_percent, row.winner)


def skeletons_of(campaign: Campaign) -> dict[str, rendering.Skeleton]:
    """Variant → the invitation, laid out. "" is for a campaign without a test."""
    own = rendering.skeleton_of(campaign)
    row: SplitTest | None = getattr(campaign, "split_test", None)
    if row is None:
        return {"": own}
    other = rendering.skeleton_of(campaign, row.template_b, subject=row.subject_b)
    return {Variant.A: own, Variant.B: other}


# --- What came of it ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Side:
    """One version: invitations that were sent, and people who did what the test counts."""

    sent: int = 0
    reached: int = 0

    @property
    def share(self) -> float:
        return self.reached / self.sent if self.sent else 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """`p_value`: how likely a difference like this is when both versions work alike."""

    a: Side
    b: Side
    p_value: float
    has_sample: bool

    @property
    def leader(self) -> str:
        """The version that did better beyond chance, on a sample that is large enough; else ""."""
        if not self.has_sample or self.p_value >= LEVEL:
            return ""
        return Variant.A if self.a.share > self.b.share else Variant.B


def p_value_of(a: Side, b: Side) -> float:
    """Two-sided, of the pooled two-proportion z-test; 1 where nothing can be told."""
    if not a.sent or not b.sent:
        return 1.0
    pooled = (a.reached + b.reached) / (a.sent + b.sent)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / a.sent + 1 / b.sent))
    if spread == 0:
        return 1.0
    return math.erfc(abs(a.share - b.share) / spread / math.sqrt(2))


def result_of(test: SplitTest) -> Result:
    """Counted from rows in one query."""
    reached = Q(interview__started_at__isnull=False)
    if test.metric == SplitTest.Metric.COMPLETED:
        reached = Q(interview__completed_at__isnull=False)
    rows = (
        _tested(test)
        .values("variant")
        .annotate(n=Count("pk"), did=Count("pk", filter=reached))
        .order_by("variant")
    )
    sides = {row["variant"]: Side(row["n"], row["did"]) for row in rows}
    a, b = sides.get(Variant.A, Side()), sides.get(Variant.B, Side())
    return Result(a, b, p_value_of(a, b), min(a.sent, b.sent) >= test.min_sample)


def _tested(test: SplitTest) -> RecipientQuerySet:
    """People who got A or B by the split, not because it had won."""
    rows = Recipient.objects.filter(
        campaign=test.campaign_id,
        variant__in=Variant.values,
        deliveries__step=0,
        deliveries__state=Delivery.State.SENT,
    )
    return rows if test.decided_at is None else rows.filter(invited_at__lte=test.decided_at)


# --- The choice ------------------------------------------------------------------------------------------


@transaction.atomic
def choose(test: SplitTest, winner: str, *, by: str) -> None:
    """From now on everybody gets this version; whoever waited for the choice is due. Once.

    Raises SplitRefusedError when it was chosen before.
    """
    now = timezone.now()
    open_test = SplitTest.objects.filter(pk=test.pk, winner="")
    if not open_test.update(winner=winner, decided_at=now, decided_by=by[:150]):
        raise SplitRefusedError(_("The winner of this test was chosen before."))
    waiting = Recipient.objects.filter(campaign=test.campaign_id, state=Recipient.State.WAITING)
    waiting.filter(next_at__gt=now, next_at__lte=now + LOOK_AGAIN).update(next_at=now)


def decide_due(*, at: datetime | None = None) -> int:
    """Tests that choose by themselves and whose time is over. How many were decided.

    Without a clear winner A stays. Too small a sample waits for more people, up to as long again; then A.
    """
    now = at or timezone.now()
    tests = SplitTest.objects.filter(
        is_automatic=True, winner="", campaign__state=Campaign.State.RUNNING
    ).annotate(began_at=Min("campaign__recipients__invited_at"))
    return sum(_decide(test, now) for test in tests)


def _decide(test: SplitTest, now: datetime) -> bool:
    began_at: datetime | None = test.began_at  # type: ignore[attr-defined]
    waits = timedelta(hours=test.decide_after_hours)
    if began_at is None or now < began_at + waits:
        return False
    result = result_of(test)
    if not result.has_sample and now < began_at + 2 * waits:
        return False
    try:
        choose(test, result.leader or Variant.A, by=_words_of(result))
    except SplitRefusedError:  # chosen by staff at this moment
        return False
    return True


def _words_of(result: Result) -> str:
    a, b = (f"{side.reached}/{side.sent}" for side in (result.a, result.b))
    figures = f"A {a}, B {b}, p = {result.p_value:.3f}"
    if result.leader:
        return f"automatically: {figures}"
    why = "no clear difference" if result.has_sample else "too few people"
    return f"automatically, {why}: {figures}"
