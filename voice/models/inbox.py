"""The inbox of voice: each webhook as it came, what it told of, and how far a vendor was asked."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.arrivals import Arrived
from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact, Conversation, MediaFile


class ReceivedConversation(models.Model):
    """A conversation that another system held and told us of.

    processing → completed | failed; completed, failed → processing (a new version came, or staff replay it).
    Whatever the state, → erased: the id alone stays, so that a repeated delivery does not bring it back.
    `content_at` is the age of the content it holds: what is older and comes later changes nothing.
    """

    class Status(models.TextChoices):
        PROCESSING = "processing", "Processing"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"
        ERASED = "erased", "Erased"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="received_conversations")
    conversation_id = models.CharField(max_length=200, help_text="The other system's own id of it.")
    # The webhook's `accountId` is the sender's own word: plain data, never a tenant.
    account_label = models.CharField("account there", max_length=50, blank=True)
    email = models.CharField(max_length=254, blank=True)
    source = models.CharField(max_length=12)
    agent_id = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=10, choices=Status, default=Status.PROCESSING)
    reason = models.CharField(max_length=200, blank=True, help_text="Why it failed.")
    version = models.PositiveIntegerField(default=1, help_text="Grows with each different content.")
    content_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    message_count = models.PositiveIntegerField(default=0)
    summary = models.JSONField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    processed_at = models.DateTimeField(default=timezone.now)
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.SET_NULL, related_name="received_conversations"
    )
    talk = models.OneToOneField(
        Conversation, null=True, blank=True, on_delete=models.SET_NULL, related_name="received"
    )
    recording = models.ForeignKey(
        MediaFile, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            # ten copies at once make one conversation
            models.UniqueConstraint(fields=["account", "conversation_id"], name="received_once_per_account")
        ]
        indexes = [
            # the documented list, whole and by each of its filters
            models.Index(fields=["account", "-received_at", "-id"], name="received_newest"),
            models.Index(fields=["account", "email", "-received_at"], name="received_by_email"),
            models.Index(fields=["account", "account_label", "-received_at"], name="received_by_label"),
            # the admin's list of all accounts
            models.Index(fields=["-received_at", "-id"], name="received_newest_of_all"),
        ]

    def __str__(self) -> str:
        return self.conversation_id


class VoiceEvent(Arrived):
    """One webhook as it came, stored before anything is made of it."""

    class Source(models.TextChoices):
        WEBHOOK = "webhook", "Webhook API"
        ELEVENLABS = "elevenlabs", "ElevenLabs"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="voice_events")
    source = models.CharField(max_length=12, choices=Source)
    kind = models.CharField(max_length=60, blank=True, help_text="As the sender calls it.")
    event_id = models.CharField(max_length=64, help_text="SHA-256 of what makes it this event and no other.")
    conversation_id = models.CharField(max_length=200, blank=True)
    received = models.ForeignKey(
        ReceivedConversation, null=True, blank=True, on_delete=models.CASCADE, related_name="events"
    )
    content_at = models.DateTimeField(default=timezone.now, help_text="When the sender made it.")
    is_polled = models.BooleanField(default=False, help_text="Asked for by us: its webhook never came.")
    # Every byte, in latin-1. Cleared some time after it was read. What is large is a file instead.
    body = EncryptedTextField(blank=True)
    file = models.FileField(max_length=200, blank=True)
    size_bytes = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-received_at", "-id"]
        constraints = [
            # senders repeat an event until they see a 200
            models.UniqueConstraint(fields=["account", "source", "event_id"], name="voice_event_once")
        ]
        indexes = [
            models.Index(
                fields=["not_before"], condition=Q(state__in=["waiting", "taken"]), name="voice_event_due"
            ),
            # the admin's list; also the sweep that clears bodies
            models.Index(fields=["-received_at", "-id"], name="voice_event_newest"),
            # those that wait for a person
            models.Index(fields=["-received_at"], condition=Q(state="dead"), name="voice_event_dead"),
            # an erasure, and asking the vendor, look for all about one conversation
            models.Index(fields=["account", "conversation_id"], name="voice_event_of"),
        ]

    def __str__(self) -> str:
        return f"{self.kind or self.source} {self.conversation_id}".strip()

    @property
    def webhook_id(self) -> str:
        """What the sender calls this delivery; 74 of its bits are random, so nobody guesses another."""
        return f"webhook_{self.pk.hex}"


class VoiceFeed(models.Model):
    """How far a vendor's list of conversations was read. One reader at a time holds `reading_until`."""

    source = models.CharField(max_length=12, primary_key=True)
    asked_until = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(default=timezone.now)
    reading_until = models.DateTimeField(null=True, blank=True)
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return self.source
