"""When a campaign's emails may leave, and which ones follow the invitation."""

from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _

from campaigns import public_holidays
from campaigns.models.campaigns import Campaign
from campaigns.models.servers import EmailTemplate
from config.api.models import AccountQuerySet
from config.api.zones import validate_time_zone

EVERY_DAY = "1234567"


def validate_holidays(value: object) -> None:
    """A list of ISO dates, like ["2026-12-25"]."""
    try:
        days = [date.fromisoformat(day) for day in value]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise ValidationError(_("Write a list of dates like 2026-12-25.")) from None
    if not isinstance(value, list) or len(days) > 1000:
        raise ValidationError(_("Write a list of at most 1,000 dates."))


class Step(models.Model):
    """A follow-up. The campaign's own template is step 0, the invitation.

    Whoever replied, finished, declined or unsubscribed is no longer followed up, whatever the condition
    (campaigns/followups.py). Opening an email or a link is no condition: scanners open both.
    """

    class Condition(models.TextChoices):
        ALWAYS = "always", "Whoever has not finished"
        NOT_STARTED = "not_started", "Whoever has not begun"
        STARTED = "started", "Whoever has begun and not finished"

    account_path = "campaign__account"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="steps")
    delay_minutes = models.PositiveIntegerField(
        default=3 * 24 * 60,
        validators=[MinValueValidator(1)],
        help_text="After the email before it, or after the moment a step before it was left out.",
    )
    condition = models.CharField(max_length=12, choices=Condition, default=Condition.ALWAYS)
    keeps_subject = models.BooleanField(
        "under the invitation's subject",
        default=True,
        help_text="“Re:” and the invitation's subject. Off: the template's own; it still refers to it.",
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            # A person's `next_step` is a position: two steps there would be one email too many.
            models.UniqueConstraint(fields=["campaign", "position"], name="step_once_per_position"),
            # 0 is the invitation.
            models.CheckConstraint(condition=Q(position__gte=1), name="step_after_the_invitation"),
            # Without a delay two emails would arrive together.
            models.CheckConstraint(condition=Q(delay_minutes__gte=1), name="step_has_a_delay"),
        ]

    def __str__(self) -> str:
        return f"Follow-up {self.position}"


class Schedule(models.Model):
    """When the emails of one campaign may leave. A campaign without one sends at any time.

    Times of day are the person's own: their contact's time zone, else `time_zone`, else the account's,
    else the installation's.
    """

    account_path = "campaign__account"

    campaign = models.OneToOneField(
        Campaign, primary_key=True, on_delete=models.CASCADE, related_name="schedule"
    )
    send_from = models.TimeField(null=True, blank=True, help_text="Empty, with the end: at any time.")
    send_until = models.TimeField(
        null=True, blank=True, help_text="A time before the start is on the next day."
    )
    weekdays = models.CharField(
        max_length=7,
        default=EVERY_DAY,
        validators=[RegexValidator(r"^[1-7]+$", "Write days as digits, 1 for Monday to 7 for Sunday.")],
        help_text="1 is Monday, 7 Sunday; 12345 are working days.",
    )
    holidays = models.JSONField(
        default=list, blank=True, validators=[validate_holidays], help_text='Like ["2026-12-25"].'
    )
    holiday_country = models.CharField(
        max_length=2,
        blank=True,
        default="",
        db_default="",
        help_text="Its public holidays are days without emails, besides those listed. Like PL.",
    )
    holiday_subdivision = models.CharField(
        max_length=30,
        blank=True,
        default="",
        db_default="",
        help_text="A part of the country with holidays of its own, like BY for Bavaria.",
    )
    time_zone = models.CharField(
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text="For people whose zone is not known. Empty: the account's.",
    )
    # The documented scheduler's max_limit, interval and time.
    max_emails = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(1000)],
        help_text="All emails to one person, the invitation counted. Empty: as many as there are steps.",
    )
    interval_minutes = models.PositiveIntegerField(
        default=0, help_text="At least so long between two emails to one person."
    )
    daily_at = models.TimeField(
        null=True, blank=True, help_text="When each day's new people are invited. Empty: as they come."
    )
    repeats_last_step = models.BooleanField(
        default=False, help_text="The last follow-up is sent again until the greatest number is reached."
    )
    max_invitations_a_day = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1)], help_text="New people. Empty: no limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            # Half a window would be read in two ways, and an empty one would hold every email for ever.
            models.CheckConstraint(
                condition=Q(send_from=None, send_until=None)
                | (Q(send_from__isnull=False, send_until__isnull=False) & ~Q(send_from=F("send_until"))),
                name="schedule_window_is_whole",
            ),
            # No day at all would hold every email for ever.
            models.CheckConstraint(condition=~Q(weekdays=""), name="schedule_has_a_day"),
            # The last step would be repeated for ever.
            models.CheckConstraint(
                condition=Q(repeats_last_step=False) | Q(max_emails__isnull=False),
                name="schedule_repeats_up_to_a_number",
            ),
            models.CheckConstraint(
                condition=Q(max_emails=None) | Q(max_emails__gte=1), name="schedule_sends_at_least_one"
            ),
            # BY is Bavaria in Germany, and something else elsewhere.
            models.CheckConstraint(
                condition=Q(holiday_subdivision="") | ~Q(holiday_country=""),
                name="schedule_part_has_a_country",
            ),
        ]

    def __str__(self) -> str:
        return f"Schedule of {self.campaign}"

    def clean(self) -> None:
        weekdays = {int(day) for day in self.weekdays if day.isdecimal()}
        try:
            public_holidays.check(self.holiday_country, self.holiday_subdivision, weekdays=weekdays)
        except public_holidays.UnknownPlaceError as error:
            raise ValidationError({error.field: str(error)}) from None
