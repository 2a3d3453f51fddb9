"""The documented scheduler: max_limit, interval and time, as the schedule of the standing campaign."""

from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import Max

from campaigns import followups, states
from campaigns.models import Campaign, EmailTemplate, Recipient, Schedule, Step
from campaigns.standing import running_campaign_of
from config.api.models import Account

# One after the other, a follow-up each; the last is repeated up to `max_limit`.
FOLLOW_UPS: tuple[dict[str, str], ...] = (
    {
        "name": "Friendly reminder",
        "subject": "A friendly reminder of our conversation",
        "preheader": "A few questions, whenever it suits you.",
        "text": (
            "Hello {{ first_name|there }},\n\n"
            "we would still like to hear from you. It takes about {{ minutes }} minutes, and you can go on "
            "where you stopped.\n\n{{ link }}\n\nThank you,\n{{ organisation }}"
        ),
    },
    {
        "name": "Last reminder",
        "subject": "Our last reminder",
        "preheader": "The conversation is open for you.",
        "text": (
            "Hello {{ first_name|there }},\n\n"
            "this is a last reminder of our few questions. If now is not the time, you need not do anything."
            "\n\n{{ link }}\n\nThank you,\n{{ organisation }}"
        ),
    },
    {
        "name": "Follow-up",
        "subject": "Our conversation is still open",
        "preheader": "Whenever it suits you.",
        "text": (
            "Hello {{ first_name|there }},\n\n"
            "the conversation is still open for you, whenever it suits you.\n\n{{ link }}\n\n"
            "Thank you,\n{{ organisation }}"
        ),
    },
)


@transaction.atomic
def set_up(account: Account, *, max_emails: int, interval_minutes: int, daily_at: str) -> Schedule:
    """Sets it, or changes it. From then on the standing campaign runs; who was written to is not again.

    Raises standing.EndedError.
    """
    campaign = running_campaign_of(account)
    wanted: dict[str, Any] = {
        "max_emails": max_emails,
        "interval_minutes": interval_minutes,
        "daily_at": time.fromisoformat(daily_at),
        "repeats_last_step": True,
    }
    schedule, is_new = Schedule.objects.update_or_create(campaign=campaign, defaults=wanted)
    if is_new and not campaign.steps.exists():
        _make_steps(campaign)
    followups.plan_again(campaign)  # a higher max_limit goes on where the lower one ended
    if not (states.begin(campaign.pk) or states.resume(campaign.pk)):
        states.wake(campaign.pk)
    return schedule


def _make_steps(campaign: Campaign) -> None:
    """The interval is the schedule's, so the steps' own delay is the least there is."""
    for position, words in enumerate(FOLLOW_UPS, start=1):
        template = EmailTemplate.objects.create(account=campaign.account, **words)
        Step.objects.create(campaign=campaign, position=position, template=template, delay_minutes=1)


def schedule_of(account: Account) -> Schedule | None:
    rows = Schedule.objects.filter(campaign__account=account, campaign__is_standing=True)
    found: Schedule | None = rows.select_related("campaign").first()
    return found


def last_invited_at(schedule: Schedule) -> datetime | None:
    rows = Recipient.objects.filter(campaign=schedule.campaign_id)
    found: datetime | None = rows.aggregate(latest=Max("invited_at"))["latest"]
    return found
