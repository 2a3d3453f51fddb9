"""Campaigns, the people in them, and the files these come from."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from campaigns.models.servers import EmailTemplate, SmtpServer
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact
from interviews.models import Guide, Interview


class Variant(models.TextChoices):
    """The two versions of an invitation in an A/B test."""

    A = "a", "A"
    B = "b", "B"


class CampaignQuerySet(AccountQuerySet):
    def sendable(self) -> Self:
        """Campaigns whose queued emails may leave. A finished one has some only when staff resend one."""
        return self.filter(state__in=[Campaign.State.RUNNING, Campaign.State.FINISHED])

    def due(self, *, at: datetime | None = None) -> Self:
        return self.filter(state=Campaign.State.SCHEDULED, scheduled_at__lte=at or timezone.now())


class Campaign(models.Model):
    """An invitation of many people to one guide.

    draft → scheduled → running ⇄ paused → finished;  any but finished → cancelled.
    Finished is computed from its people and deliveries, never assumed. A standing campaign never finishes:
    people added later are invited by its schedule.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        SCHEDULED = "scheduled", "Scheduled"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        FINISHED = "finished", "Finished"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="campaigns")
    name = models.CharField(max_length=200)
    guide = models.ForeignKey(Guide, on_delete=models.PROTECT, related_name="campaigns")
    template = models.ForeignKey(EmailTemplate, on_delete=models.PROTECT, related_name="campaigns")
    smtp_server = models.ForeignKey(
        SmtpServer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="campaigns",
        verbose_name="SMTP server",
        help_text="Empty: the embedded outbox; nothing leaves this machine.",
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    state_reason = models.TextField(blank=True)
    resend_unknown = models.BooleanField(
        "send unknown emails again",
        default=False,
        help_text="When it is unknown whether an email was taken: it may then arrive twice.",
    )
    is_standing = models.BooleanField(
        "goes on for new people",
        default=False,
        help_text="It never finishes by itself; people added later are invited by its schedule.",
    )
    track_opens = models.BooleanField(
        default=False,
        help_text="A picture in the email tells when it is opened. Say so in your privacy words.",
    )
    track_clicks = models.BooleanField(
        default=False,
        help_text="Links in the email pass by us first. The interview's own link never does.",
    )
    scheduled_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    # SMTP errors in a row that were not about one recipient; too many pause the campaign.
    error_streak = models.PositiveIntegerField(default=0, editable=False)

    objects = CampaignQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            # The documented marketing API knows one scheduler of an account: this is its campaign.
            models.UniqueConstraint(
                fields=["account"], condition=Q(is_standing=True), name="one_standing_campaign"
            )
        ]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="campaign_newest"),
            models.Index(
                fields=["state", "scheduled_at"],
                condition=Q(state__in=["scheduled", "running"]),
                name="campaign_live",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RecipientQuerySet(AccountQuerySet):
    def due(self, *, at: datetime | None = None) -> Self:
        """People with something due by the clock: an invitation, or the next follow-up."""
        return self.filter(
            state__in=[Recipient.State.WAITING, Recipient.State.INVITED], next_at__lte=at or timezone.now()
        )

    def followed(self) -> Self:
        """People who still have follow-ups to come."""
        return self.filter(state=Recipient.State.INVITED, next_at__isnull=False)

    def held(self) -> Self:
        """Those to whom not even a queued email leaves. What failed may be sent again by staff."""
        return self.filter(stopped_at__isnull=False).exclude(stop_reason=Recipient.Stop.FAILED)


class Recipient(models.Model):
    """One contact in one campaign. waiting → invited | skipped (with the reason).

    The clock of their emails: `next_step` is due at `next_at` (0 is the invitation); None means that
    nothing is due any more. Who is due is locked, judged and moved in one transaction, and passed over by
    other workers, so that two sweeps at once never take the same step twice; the unique key of the delivery
    has the last word. Stopping is a conditional UPDATE.
      due → (n + 1, sent + delay) an email was queued  |  (n + 1, now + delay) the condition did not hold
          → (n, later) the window is closed, too soon after the last email, or the cap on emails is reached
          → (n, None) the last step is behind them, or they are stopped
      stopped_at None → set, with the reason; once, never back.
    A planned `next_at` counts from the moment an email was queued; when it comes, the true time of sending
    decides. So nobody has to tell the clock what a sender did.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        INVITED = "invited", "Invited"
        SKIPPED = "skipped", "Skipped"

    class Stop(models.TextChoices):
        """Why nothing more is sent to a person by this campaign."""

        REPLIED = "replied", "Replied"
        COMPLETED = "completed", "Completed the interview"
        DECLINED = "declined", "Declined the interview"
        EXPIRED = "expired", "The invitation ran out"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
        BOUNCED = "bounced", "The address bounced"
        COMPLAINED = "complained", "Reported as spam"
        FAILED = "failed", "An email could not be sent"
        SUPPRESSED = "suppressed", "Must not be written to"
        TAKEN_OVER = "taken_over", "Taken over by staff"
        STAFF = "staff", "Stopped by staff"
        MAX_EMAILS = "max_emails", "Got all the emails"
        CANCELLED = "cancelled", "The campaign was cancelled"

    account_path = "campaign__account"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="recipients")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="recipients")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    skip_reason = models.CharField(max_length=60, blank=True)
    fields = models.JSONField(
        default=dict, blank=True, help_text="The row's other columns, for placeholders."
    )
    interview = models.OneToOneField(
        Interview, null=True, blank=True, on_delete=models.SET_NULL, related_name="recipient"
    )
    variant = models.CharField(
        max_length=1, choices=Variant, blank=True, help_text="Which version of the invitation they got."
    )
    next_step = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(default=timezone.now, null=True, blank=True)
    invited_at = models.DateTimeField(null=True, blank=True)
    emails_sent = models.PositiveSmallIntegerField(default=0)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=12, choices=Stop, blank=True)
    # What the account told us of their email (PUT /emails/…/status): shown until we know something later.
    reported_status = models.CharField(max_length=12, blank=True)
    reported_error = models.CharField(max_length=1000, blank=True)
    reported_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = RecipientQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "contact"], name="recipient_once_per_campaign"),
            # Whoever was stopped has nothing due, and the reason is known.
            models.CheckConstraint(
                condition=Q(stopped_at=None, stop_reason="")
                | (Q(stopped_at__isnull=False, next_at=None) & ~Q(stop_reason="")),
                name="recipient_stopped_for_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "state", "id"], name="recipient_waiting"),
            # the admin's filters, newest first
            models.Index(
                fields=["campaign", "skip_reason", "-id"],
                condition=Q(skip_reason__gt=""),
                name="recipient_skipped_why",
            ),
            models.Index(
                fields=["campaign", "stop_reason", "-id"],
                condition=Q(stop_reason__gt=""),
                name="recipient_stopped_why",
            ),
            # the clock: whose email is due, campaign by campaign
            models.Index(
                fields=["campaign", "state", "next_at"],
                condition=Q(next_at__isnull=False),
                name="recipient_due",
            ),
            # invitations of one day, against the greatest number of a day
            models.Index(
                fields=["campaign", "invited_at"],
                condition=Q(invited_at__isnull=False),
                name="recipient_invited_when",
            ),
        ]

    def __str__(self) -> str:
        return str(self.contact)


class ContactImportQuerySet(AccountQuerySet):
    def under_way(self, *, at: datetime | None = None) -> Self:
        """Checks and imports that nobody is at: just begun, handed over, or left by a dead worker."""
        free = Q(lease_until=None) | Q(lease_until__lt=at or timezone.now())
        states = [ContactImport.State.CHECKING, ContactImport.State.RUNNING]
        return self.filter(free, state__in=states)


class ContactImport(models.Model):
    """A file of people for one campaign: its columns chosen, checked (dry run), then imported row by row.

    uploaded → checking → checked → running → done | failed;  checking → uploaded (with the reason).
    Other columns may be chosen until it runs. `errors` are the first rows with their reasons, to show.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    account_path = "campaign__account"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="imports")
    # As it came, or the rows of an Excel sheet as CSV.
    file = models.FileField(max_length=400, blank=True)
    filename = models.CharField(max_length=300)
    sheet = models.CharField(max_length=100, blank=True, help_text="Its name in an Excel file.")
    encoding = models.CharField(max_length=20, default="utf-8")
    encoding_is_sure = models.BooleanField(default=True, help_text="The bytes left no doubt.")
    delimiter = models.CharField(max_length=2, default=",")
    mapping = models.JSONField(default=dict, help_text="Column of the file → field; empty: left out.")
    state = models.CharField(max_length=8, choices=State, default=State.UPLOADED)
    row_count = models.PositiveIntegerField(default=0)
    done_rows = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="new, updated, invalid, suppressed, duplicate")
    errors = models.JSONField(default=list, blank=True)
    reason = models.TextField(blank=True, help_text="Why it failed.")
    # Whose turn it is: a worker that died holds it for a moment only.
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ContactImportQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # the sweep: imports that a dead worker left half done
            models.Index(
                fields=["created_at"], condition=Q(state__in=["checking", "running"]), name="import_under_way"
            ),
            models.Index(fields=["campaign", "-created_at"], name="import_of_campaign"),
        ]
        constraints = [
            # More rows done than there are: a bar past its end, and a resumed import that skips people.
            models.CheckConstraint(condition=Q(done_rows__lte=F("row_count")), name="import_within_its_rows")
        ]

    def __str__(self) -> str:
        return self.filename
