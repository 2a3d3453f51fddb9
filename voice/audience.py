"""Whom a batch will call, as things stand: asked before it starts, by the rules of each call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from voice import dialling, gates
from voice.models import CallBatch, Callee

CHUNK = 500
WORDS = {
    "no_phone_number": _l("no phone number"),
    "no_consent": _l("no consent"),
    "declined": _l("said no"),
    "inactive": _l("inactive"),
    "call_limit_reached": _l("called often enough lately"),
    "unsubscribe": _l("do not call: asked for it"),
    "manual": _l("do not call: by staff"),
    "legal": _l("do not call: legal"),
    "complaint": _l("do not call: complaint"),
    "erased": _l("do not call: erased person"),
    "hard_bounce": _l("do not call: the number does not exist"),
    "outside_hours": _l("no hour suits all zones of the number"),
}


@dataclass(slots=True)
class Audience:
    """Of those who wait: `later` is outside their own hours now; `skipped` counts by reason."""

    will_be_called: int = 0
    later: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def skipped_count(self) -> int:
        return sum(self.skipped.values())


def audience_of(batch: CallBatch, *, now: datetime | None = None) -> Audience:
    """Four queries for each five hundred people."""
    at, found = now or timezone.now(), Audience()
    for people in _chunks(batch):
        contacts = [one.contact for one in people]
        for refusal in gates.refusals(batch.account, contacts, now=at):
            if refusal is None:
                found.will_be_called += 1
            elif refusal.code == "OUTSIDE_HOURS":
                found.later += 1
            else:
                reason = dialling.reason_of(refusal.code, refusal.details)
                found.skipped[reason] = found.skipped.get(reason, 0) + 1
    return found


def _chunks(batch: CallBatch) -> Iterator[Sequence[Callee]]:
    rows = Callee.objects.filter(batch=batch, state=Callee.State.WAITING).order_by("pk")
    rows = rows.select_related("contact").prefetch_related("contact__addresses")
    last = 0
    while people := list(rows.filter(pk__gt=last)[:CHUNK]):
        yield people
        last = people[-1].pk


def in_words(reason: str) -> str:
    return str(WORDS.get(reason, reason))


def sentence(found: Audience) -> str:
    """ "312 will be called, 150 skipped: 90 outside their hours …", in one line."""
    words = [_("%(n)s will be called now") % {"n": f"{found.will_be_called:,}"}]
    if found.later:
        words.append(_("%(n)s later, outside their hours now") % {"n": f"{found.later:,}"})
    if found.skipped:
        why = ", ".join(f"{count:,} {in_words(reason)}" for reason, count in _by_count(found.skipped))
        words.append(_("%(n)s skipped: %(why)s") % {"n": f"{found.skipped_count:,}", "why": why})
    return "; ".join(words) + "."


def _by_count(counts: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
