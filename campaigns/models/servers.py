"""Where email leaves from, and the words it is made of."""

from datetime import datetime
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet


class SmtpServerQuerySet(AccountQuerySet):
    def usable(self, *, at: datetime | None = None) -> Self:
        now = at or timezone.now()
        return self.filter(Q(paused_until=None) | Q(paused_until__lte=now), is_active=True)


class SmtpServer(models.Model):
    """Where an account's email leaves. Without one, emails go into the embedded outbox."""

    class Security(models.TextChoices):
        NONE = "none", "None"
        STARTTLS = "starttls", "STARTTLS"
        TLS = "tls", "TLS from the start"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="smtp_servers")
    name = models.CharField(max_length=100)
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(
        default=587, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    security = models.CharField(max_length=8, choices=Security, default=Security.STARTTLS)
    username = models.CharField(max_length=255, blank=True)
    password = EncryptedTextField(blank=True)
    from_email = models.EmailField()
    from_name = models.CharField(max_length=120, blank=True)
    reply_to = models.EmailField(blank=True)
    dkim_selector = models.CharField(
        "DKIM selector",
        max_length=100,
        blank=True,
        validators=[
            RegexValidator(r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\Z", "Use letters, digits, dots, dashes.")
        ],
        help_text="The “s=” that the mail service signs with, like s1. For the pre-flight.",
    )
    max_connections = models.PositiveSmallIntegerField(
        default=4, validators=[MinValueValidator(1), MaxValueValidator(200)]
    )
    # Never more in any second, minute, hour or day, wherever it begins (campaigns/pacing.py). 0: no limit.
    per_second = models.PositiveIntegerField("emails per second", default=0, help_text="0: no limit.")
    per_minute = models.PositiveIntegerField("emails per minute", default=0, help_text="0: no limit.")
    per_hour = models.PositiveIntegerField("emails per hour", default=0, help_text="0: no limit.")
    per_day = models.PositiveIntegerField("emails per day", default=0, help_text="0: no limit.")
    domain_connections = models.PositiveSmallIntegerField(
        "connections per recipient domain",
        default=0,
        help_text="At most so many emails to one domain at the same time. 0: no limit.",
    )
    domain_per_minute = models.PositiveIntegerField(
        "emails per minute to one domain", default=0, help_text="0: no limit."
    )
    is_active = models.BooleanField("in use", default=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    pause_reason = models.TextField(blank=True, help_text="The server's last words, when we paused it.")
    created_at = models.DateTimeField(auto_now_add=True)

    # One sender at a time keeps to max_connections; it renews this while it lives.
    sending_until = models.DateTimeField(null=True, blank=True, editable=False)
    sending_by = models.CharField(max_length=32, blank=True, editable=False)
    # The process that keeps idle connections open, for a moment: nobody else opens more beside them.
    kept_until = models.DateTimeField(null=True, blank=True, editable=False)
    kept_by = models.CharField(max_length=32, blank=True, editable=False)

    objects = SmtpServerQuerySet.as_manager()

    class Meta:
        verbose_name = "SMTP server"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class SendingPace(models.Model):
    """What left through a server lately, counted per window: all of it, or to one recipient domain."""

    account_path = "smtp_server__account"

    smtp_server = models.ForeignKey(SmtpServer, on_delete=models.CASCADE, related_name="paces")
    domain = models.CharField(max_length=255, blank=True, help_text="Empty: the server as a whole.")
    counts = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = [
            # One row holds the count, and its lock makes the limit exact over all senders.
            models.UniqueConstraint(fields=["smtp_server", "domain"], name="one_pace_per_server_and_domain")
        ]
        # the sweep: domains nobody wrote to for a while
        indexes = [models.Index(fields=["updated_at"], condition=~Q(domain=""), name="pace_forgotten")]

    def __str__(self) -> str:
        return f"{self.smtp_server}: {self.domain or 'all'}"


class EmailTemplate(models.Model):
    """Subject, text and HTML with {{ placeholders }}; checked when it is saved (campaigns/rendering.py)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="email_templates")
    name = models.CharField(max_length=120)
    subject = models.CharField(max_length=150)
    preheader = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    html = models.TextField("HTML", blank=True, help_text="Empty: made from the text.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
