"""What tests of follow-ups share: a campaign with steps, and a clock that can be moved to the next day."""

from datetime import UTC, datetime, timedelta

from django.utils import timezone

from campaigns import tasks
from campaigns.models import Delivery, Schedule, Step
from interviews.models import Interview
from tests.factories import make_campaign, make_template

# A Thursday.
START = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
DAY = 24 * 60


def stepped_campaign(people=1, *, delays=(3 * DAY,), condition="always", schedule=None, **fields):
    """A draft with so many follow-ups."""
    campaign = make_campaign(people=people, **fields)
    for position, delay in enumerate(delays, 1):
        template = make_template(campaign.account, name=f"Reminder {position}", subject="Still there?")
        Step.objects.create(
            campaign=campaign, position=position, template=template, delay_minutes=delay, condition=condition
        )
    if schedule is not None:
        Schedule.objects.create(campaign=campaign, **schedule)
    return campaign


def steps_sent(campaign):
    """How many emails of each step were sent."""
    rows = Delivery.objects.filter(campaign=campaign, state="sent").values_list("step", flat=True)
    return {step: list(rows).count(step) for step in set(rows)}


def interview_of(campaign):
    return Interview.objects.get(recipient__campaign=campaign)


def after(clock, *, minutes=0, days=0, to=None):
    """Moves the clock on, or to a moment, and sweeps: once to queue, once to send what that queued."""
    clock.move_to(to or timezone.now() + timedelta(minutes=minutes, days=days))
    tasks.sweep()
    tasks.sweep()
