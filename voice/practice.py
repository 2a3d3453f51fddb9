"""Test calls: staff type what a person would say, and the same code answers. Nobody is rung.

A test call is a row of its own kind, with nobody in it: no appointment, no do-not-call, no consent, no
next attempt, no line on a timeline and no figure comes of it (`PhoneCall.is_test`).
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from config.api.models import Account
from voice import calls, slots_of_environment, turns
from voice.models import PhoneCall

KEPT_FOR = timedelta(days=30)
LEFT_OPEN = timedelta(hours=1)
MACHINE = "machine_end_beep"
Line = PhoneCall.Line


@dataclass(frozen=True, slots=True)
class Scene:
    """Whom the made-up call is to, and about what."""

    candidate: str
    company: str
    position: str
    zone: str
    language: str


def begin(account: Account, scene: Scene, *, by: str, machine: bool = False) -> PhoneCall:
    """A test call that was just answered, by a person or a machine."""
    now = timezone.now()
    slots_of_environment.offer(account, now=now)
    call: PhoneCall = PhoneCall.objects.create(
        account=account,
        is_test=True,
        line=Line.IN_PROGRESS,
        started_at=now,
        answered_at=now,
        answered_by=MACHINE if machine else "human",
        requested_by=by[:150],
        invitation={
            "candidate": scene.candidate,
            "company": scene.company,
            "position": scene.position,
            "zone": scene.zone,
            "language": scene.language,
            "writes": False,
        },
    )
    turns.greet(call.pk, answered_by=call.answered_by)
    return call


def call_of(call_id: UUID) -> PhoneCall | None:
    """Never a real call: nobody types into one."""
    found: PhoneCall | None = (
        PhoneCall.objects.filter(pk=call_id, is_test=True).select_related("account").first()
    )
    return found


def hang_up(call: PhoneCall) -> bool:
    return calls.report(call.pk, Line.COMPLETED)


def clear_old() -> None:
    """Those that nobody hung up end; old ones go."""
    now, tests = timezone.now(), PhoneCall.objects.filter(is_test=True)
    for call in tests.filter(ended_at=None, started_at__lt=now - LEFT_OPEN).order_by("started_at")[:20]:
        hang_up(call)
    tests.filter(started_at__lt=now - KEPT_FOR).delete()
