"""Who is invited, by which email, and what became of each."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact
from crm.models.consent import Purpose
from interviews.models import Guide, Interview


class SmtpServer(models.Model):
    """Where an account's email leaves. Without one, emails go into the embedded outbox."""

    class Security(models.TextChoices):
        NONE = "none", "None"
        STARTTLS = "starttls", "STARTTLS"
        TLS = "tls", "TLS from the start"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="smtp_servers")
    name = models.CharField(max_length=100)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(default=587, validators=[MinValueValidator(1), MaxValueValidator(65535)])
    security = models.CharField(max_length=8, choices=Security, default=Security.STARTTLS)
    username = models.CharField(max_length=255, blank=True)
    password = EncryptedTextField(blank=True)
    from_email = models.EmailField()
    from_name = models.CharField(max_length=120, blank=True)
    reply_to = models.EmailField(blank=True)
    max_connections = models.PositiveSmallIntegerField(default=4, validators=[MinValueValidator(1), MaxValueValidator(200)])
    is_active = models.BooleanField(default=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True, help_text="The server's last words, when we paused it.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "SMTP server"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class EmailTemplate(models.Model):
    """Subject, text and HTML with {{ placeholders }}; checked when it is saved (campaigns/rendering.py)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="email_templates")
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=150)
    preheader = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    html = models.TextField(blank=True, help_text="Empty: made from the text.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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
        SmtpServer, null=True, blank=True, on_delete=models.PROTECT, related_name="campaigns",
        help_text="Empty: the embedded outbox; nothing leaves this machine.",
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    state_reason = models.TextField(blank=True)
    resend_unknown = models.BooleanField(
        default=False, help_text="Send an email again when a crash left unknown whether it was taken."
    )
    scheduled_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="campaign_newest"),
            models.Index(fields=["state", "scheduled_at"], condition=Q(state__in=["scheduled", "running"]), name="campaign_live"),
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
    fields = models.JSONField(default=dict, blank=True, help_text="The row's other columns, for placeholders.")
    interview = models.OneToOneField(
        Interview, null=True, blank=True, on_delete=models.SET_NULL, related_name="recipient"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["campaign", "contact"], name="recipient_once_per_campaign")]
        indexes = [models.Index(fields=["campaign", "state", "id"], name="recipient_waiting")]

    def __str__(self) -> str:
        return str(self.contact)


class Delivery(models.Model):
    """One email to one person. Its id is its Message-ID, so every attempt is the same email.

    queued → claimed → in_data → sent | deferred | failed | unknown
    claimed → queued (the lease ran out before DATA);  deferred → claimed (when due)
    in_data is committed just before DATA. A crash after that leaves `unknown`, held and shown, not
    resent unless the campaign says so. queued | deferred → cancelled (campaign cancelled, suppressed).
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        CLAIMED = "claimed", "Claimed"
        IN_DATA = "in_data", "Being handed over"
        SENT = "sent", "Sent"
        DEFERRED = "deferred", "Deferred"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"
        CANCELLED = "cancelled", "Cancelled"

    FINAL = (State.SENT, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="deliveries")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="deliveries")
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    recipient = models.ForeignKey(
        Recipient, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    smtp_server = models.ForeignKey(
        SmtpServer, null=True, blank=True, on_delete=models.PROTECT, related_name="deliveries"
    )
    purpose = models.CharField(max_length=16, choices=Purpose)
    # Why it is sent, from the caller: the same key is the same email.
    key = models.CharField(max_length=120)
    to_email = models.EmailField(max_length=320)
    subject = models.CharField(max_length=300, blank=True)
    message_id = models.CharField(max_length=200, blank=True)
    # The whole email as it goes over the wire, kept until the state is final (the outbox keeps it).
    rendered = EncryptedTextField(blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_reply = models.TextField(blank=True, help_text="What the server last said.")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="delivery_once_per_key")]
        indexes = [
            # what a sender claims next
            models.Index(
                fields=["smtp_server", "not_before"],
                condition=Q(state__in=["queued", "deferred"]),
                name="delivery_due",
            ),
            # the sweep: leases that ran out
            models.Index(
                fields=["lease_until"], condition=Q(state__in=["claimed", "in_data"]), name="delivery_leased"
            ),
            models.Index(fields=["campaign", "state"], name="delivery_of_campaign"),
            models.Index(fields=["account", "-created_at"], name="delivery_newest"),
            models.Index(fields=["message_id"], name="delivery_by_message_id"),
        ]

    def __str__(self) -> str:
        return f"{self.to_email}: {self.subject}"


class EmailEvent(models.Model):
    """One change of a delivery's state, or one thing heard about it. Rows are only ever added."""

    account_path = "delivery__account"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=20)
    detail = models.TextField(blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["delivery", "id"], name="events_of_delivery")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"


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
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.filename
