"""Campaigns, the people in them, and the files these come from."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from campaigns.models.servers import EmailTemplate, SmtpServer
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact
from interviews.models import Guide, Interview


class CampaignQuerySet(AccountQuerySet):
    def sendable(self) -> Self:
        """Campaigns whose queued emails may leave. A finished one has some only when staff resend one."""
        return self.filter(state__in=[Campaign.State.RUNNING, Campaign.State.FINISHED])

    def due(self, *, at: datetime | None = None) -> Self:
        return self.filter(state=Campaign.State.SCHEDULED, scheduled_at__lte=at or timezone.now())


class Campaign(models.Model):
    """An invitation of many people to one guide.

    draft → scheduled → running ⇄ paused → finished;  any but finished → cancelled.
    Finished is computed from its deliveries, never assumed.
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


class Recipient(models.Model):
    """One contact in one campaign. waiting → invited | skipped (with the reason)."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        INVITED = "invited", "Invited"
        SKIPPED = "skipped", "Skipped"

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
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "contact"], name="recipient_once_per_campaign")
        ]
        indexes = [models.Index(fields=["campaign", "state", "id"], name="recipient_waiting")]

    def __str__(self) -> str:
        return str(self.contact)


class ContactImport(models.Model):
    """A file of people for one campaign: checked first (dry run), then imported row by row.

    checked → running → done | failed. `errors` are rows with their reasons, to download.
    """

    class State(models.TextChoices):
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    account_path = "campaign__account"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="imports")
    file = models.FileField(max_length=400, blank=True)
    filename = models.CharField(max_length=300)
    encoding = models.CharField(max_length=20, default="utf-8")
    delimiter = models.CharField(max_length=2, default=",")
    mapping = models.JSONField(default=dict, help_text="Column of the file → field of the contact.")
    state = models.CharField(max_length=8, choices=State, default=State.CHECKED)
    row_count = models.PositiveIntegerField(default=0)
    done_rows = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict, help_text="new, updated, invalid, suppressed, duplicate")
    errors = models.JSONField(default=list, blank=True)
    reason = models.TextField(blank=True, help_text="Why it failed.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            # the sweep: imports that a dead worker left half done
            models.Index(fields=["created_at"], condition=Q(state="running"), name="import_running"),
            models.Index(fields=["campaign", "-created_at"], name="import_of_campaign"),
        ]

    def __str__(self) -> str:
        return self.filename
