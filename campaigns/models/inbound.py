"""What comes back: mailboxes we read, providers that tell us, and every email that arrived."""

from datetime import datetime
from typing import Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from campaigns.models.deliveries import Delivery
from config.api.arrivals import Arrived
from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact

# What goes into an IMAP command must not end it.
ONE_LINE = RegexValidator(r"\A[^\x00-\x1f\x7f]+\Z", "No line breaks or other controls.")
PLAIN_LINE = RegexValidator(
    r"\A[ -~]+\Z", "Only plain letters, digits and signs; IMAP's own names for others."
)


class MailboxQuerySet(AccountQuerySet):
    def due(self, *, at: datetime | None = None) -> Self:
        """Switched on, not resting after an error, and held by no reader."""
        now = at or timezone.now()
        free = Q(reading_until=None) | Q(reading_until__lt=now)
        return self.filter(free, is_active=True, not_before__lte=now)


class Mailbox(models.Model):
    """Where replies and bounces to an account arrive, read by IMAP.

    Read are messages with a UID above `last_uid`, under `uid_validity`. When the server numbers its
    messages anew (another UIDVALIDITY), all are read again, and those we hold are recognised.
    """

    class Security(models.TextChoices):
        NONE = "none", "None"
        STARTTLS = "starttls", "STARTTLS"
        TLS = "tls", "TLS from the start"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="mailboxes")
    name = models.CharField(max_length=100)
    address = models.EmailField(help_text="The address whose mail arrives here.")
    host = models.CharField(max_length=255)
    port = models.PositiveIntegerField(
        default=993, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    security = models.CharField(max_length=8, choices=Security, default=Security.TLS)
    username = models.CharField(max_length=255, validators=[ONE_LINE])
    password = EncryptedTextField(blank=True)
    folder = models.CharField(max_length=200, default="INBOX", validators=[PLAIN_LINE])
    tags_replies = models.BooleanField(
        "tag replies",
        default=True,
        help_text="Replies go to name+tag@domain, so that each is matched surely. "
        "Switch it off where the server does not know such addresses.",
    )
    is_active = models.BooleanField("in use", default=True)
    uid_validity = models.BigIntegerField(null=True, blank=True, editable=False)
    last_uid = models.BigIntegerField(default=0, editable=False)
    last_read_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)
    error_streak = models.PositiveIntegerField(default=0, editable=False)
    not_before = models.DateTimeField(default=timezone.now, editable=False)
    reading_until = models.DateTimeField(null=True, blank=True, editable=False)
    reading_by = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = MailboxQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "mailboxes"
        ordering = ["name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.address})"


class MailWebhook(models.Model):
    """A mail provider that may tell us about an account's emails. Its secret proves each call."""

    class Provider(models.TextChoices):
        GENERIC = "generic", "Any (signed by our own rule)"
        MAILGUN = "mailgun", "Mailgun"
        SENDGRID = "sendgrid", "SendGrid"
        POSTMARK = "postmark", "Postmark"
        AMAZON_SES = "ses", "Amazon SES"
        BREVO = "brevo", "Brevo"
        MAILJET = "mailjet", "Mailjet"
        SPARKPOST = "sparkpost", "SparkPost"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="mail_webhooks")
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=12, choices=Provider)
    secret = EncryptedTextField(
        help_text="Mailgun: the signing key. SendGrid: the verification key. Generic: at least 32 random "
        "characters. All others: user:password, as it stands in the address the provider calls."
    )
    is_active = models.BooleanField("in use", default=True)
    last_called_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "provider webhook"
        ordering = ["name"]
        indexes = [
            # whose secret proves a call to /webhooks/…/{provider}
            models.Index(fields=["provider"], condition=Q(is_active=True), name="mailwebhook_in_use")
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.provider})"


class WebhookCall(Arrived):
    """One call of a provider, as it came. It may tell of many emails."""

    class Kind(models.TextChoices):
        EVENTS = "events", "What became of emails"
        EMAILS = "emails", "Emails that arrived"

    account_path = "webhook__account"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    webhook = models.ForeignKey(MailWebhook, on_delete=models.CASCADE, related_name="calls")
    kind = models.CharField(max_length=6, choices=Kind)
    event_id = models.CharField(max_length=64, help_text="SHA-256 of the body: the same call is one row.")
    content_type = models.CharField(max_length=255, blank=True)
    # Holds addresses, and what people wrote; cleared some time after it was read.
    body = EncryptedTextField(blank=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            # providers repeat a call until they see a 200
            models.UniqueConstraint(fields=["webhook", "event_id"], name="webhook_call_once")
        ]
        indexes = [
            models.Index(
                fields=["not_before"], condition=Q(state__in=["waiting", "taken"]), name="webhook_call_due"
            ),
            # the sweep that clears bodies; also the admin's list
            models.Index(fields=["-received_at"], name="webhook_call_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.webhook} at {self.received_at:%Y-%m-%d %H:%M}"


class InboundEmail(Arrived):
    """One email that arrived, with what it turned out to be and whose it is."""

    class Kind(models.TextChoices):
        REPLY = "reply", "Reply"
        UNSUBSCRIBE = "unsubscribe", "Asks to stop"
        AUTO_REPLY = "auto_reply", "Automatic reply"
        BOUNCE = "bounce", "Bounce"
        DELAY = "delay", "Notice of delay"
        COMPLAINT = "complaint", "Complaint"
        OWN_COPY = "own_copy", "Our own email"
        COPY = "copy", "Second copy"
        OTHER = "other", "Not about our emails"

    class MatchedBy(models.TextChoices):
        MESSAGE_ID = "message_id", "Message-ID"
        TAG = "tag", "Tagged address"
        SENDER = "sender", "Sender's address"
        NOTHING = "", "Nothing"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="inbound_emails")
    source = models.CharField(max_length=12, help_text='"imap", or the provider whose webhook brought it.')
    mailbox = models.ForeignKey(
        Mailbox, null=True, blank=True, on_delete=models.SET_NULL, related_name="emails"
    )
    uid_validity = models.BigIntegerField(null=True, blank=True)
    uid = models.BigIntegerField(null=True, blank=True)
    digest = models.CharField(max_length=64, help_text="SHA-256 of the email as it came.")
    # As it came, in latin-1 so that every byte is kept. Cleared some time after it was read.
    raw = EncryptedTextField(blank=True)
    size_bytes = models.PositiveIntegerField(default=0)
    is_cut = models.BooleanField(default=False, help_text="Too large: only its beginning is kept.")

    # --- what reading made of it
    # Who sent what under which Message-ID: the same email by a second way is a copy.
    identity = models.CharField(max_length=64, null=True, blank=True, editable=False)
    kind = models.CharField(max_length=12, choices=Kind, blank=True)
    matched_by = models.CharField(max_length=10, choices=MatchedBy, blank=True)
    message_id = models.CharField(max_length=300, blank=True)
    from_email = models.CharField(max_length=320, blank=True)
    from_name = models.CharField(max_length=200, blank=True)
    to_email = models.CharField(max_length=320, blank=True)
    subject = models.CharField(max_length=300, blank=True)
    text = models.TextField(blank=True, help_text="What was written, without what it quotes.")
    quoted = models.TextField(blank=True, help_text="What it quotes, links shortened.")
    attachments = models.JSONField(default=list, blank=True, help_text="Names, types and sizes.")
    facts = models.JSONField(default=dict, blank=True, help_text="Of a bounce: status, reply, address.")
    written_at = models.DateTimeField(null=True, blank=True)
    delivery = models.ForeignKey(
        Delivery, null=True, blank=True, on_delete=models.SET_NULL, related_name="answers"
    )
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="inbound_emails"
    )

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            # what a reader that died half-way has stored is not stored again
            models.UniqueConstraint(fields=["mailbox", "uid_validity", "uid"], name="inbound_once_per_uid"),
            # a mailbox numbered anew, or a webhook repeated, brings the same bytes
            models.UniqueConstraint(fields=["account", "digest"], name="inbound_once_per_content"),
            # the same email through a second mailbox or a webhook differs in its headers alone
            models.UniqueConstraint(fields=["account", "identity"], name="inbound_once_per_identity"),
        ]
        indexes = [
            models.Index(
                fields=["not_before"], condition=Q(state__in=["waiting", "taken"]), name="inbound_due"
            ),
            # the start page: those that wait for a person
            models.Index(fields=["-received_at"], condition=Q(state="dead"), name="inbound_dead"),
            # the API's list
            models.Index(fields=["account", "-received_at", "-id"], name="inbound_newest"),
            # the admin's list, which is over all accounts
            models.Index(fields=["-received_at"], name="inbound_newest_of_all"),
            # the same of one kind: bounces are few among replies
            models.Index(fields=["account", "kind", "-received_at"], name="inbound_of_kind"),
            # the API's list of one contact
            models.Index(fields=["contact", "-received_at"], name="inbound_of_contact"),
            # a thread: what this address wrote
            models.Index(fields=["account", "from_email", "received_at"], name="inbound_of_sender"),
            # the sweep that clears raw emails: those still kept
            models.Index(fields=["received_at"], condition=~Q(raw=""), name="inbound_raw_kept"),
        ]

    def __str__(self) -> str:
        return f"{self.subject or 'Email'} ({self.from_email})"
