"""What a person agreed to, and what must never be sent to an address again."""

from django.db import models
from django.utils import timezone

from config.api.models import Account, AccountQuerySet
from crm.models.contacts import Channel, Contact


class Purpose(models.TextChoices):
    """Why we write or call. An opt-out of invitations does not block what the person asked for."""

    INVITATION = "invitation", "Invitation to an interview"
    MARKETING = "marketing", "Marketing"
    TRANSACTIONAL = "transactional", "Something the person asked for"
    INTERVIEW = "interview", "Storing an interview"


class Consent(models.Model):
    """A person said yes or no to one purpose, at one moment, to one text. Rows are only ever added."""

    account_path = "contact__account"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="consents")
    channel = models.CharField(max_length=8, choices=Channel)
    purpose = models.CharField(max_length=16, choices=Purpose)
    given = models.BooleanField()
    at = models.DateTimeField(default=timezone.now)
    source = models.CharField(
        max_length=60, help_text='Where it was said: "landing page", "csv import", "operator".'
    )
    text_version = models.CharField(max_length=40, blank=True)
    evidence = models.JSONField(default=dict, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        # the latest word on a channel and purpose
        indexes = [models.Index(fields=["contact", "channel", "purpose", "-at"], name="consent_latest")]

    def __str__(self) -> str:
        return f"{'yes' if self.given else 'no'} to {self.purpose} by {self.channel}"


class Suppression(models.Model):
    """An address that must not be written to or called. It outlives the contact: only a digest is kept.

    An empty purpose blocks everything; lifted rows stay, for the record.
    """

    class Reason(models.TextChoices):
        UNSUBSCRIBE = "unsubscribe", "Unsubscribed"
        HARD_BOUNCE = "hard_bounce", "Hard bounce"
        COMPLAINT = "complaint", "Complaint"
        MANUAL = "manual", "By staff"
        LEGAL = "legal", "Legal"
        ERASED = "erased", "Erased person"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="suppressions")
    channel = models.CharField(max_length=8, choices=Channel)
    address_digest = models.CharField(max_length=64, help_text="SHA-256 of the normalised address.")
    hint = models.CharField(max_length=40, blank=True, help_text='Like "a…@example.com".')
    purpose = models.CharField(max_length=16, choices=Purpose, blank=True)
    reason = models.CharField(max_length=12, choices=Reason)
    source = models.JSONField(default=dict, blank=True)
    at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-at", "-id"]
        constraints = [
            # Unsubscribing twice is one suppression; also the look-up of may_contact.
            models.UniqueConstraint(
                fields=["account", "channel", "address_digest", "purpose"],
                condition=models.Q(lifted_at=None),
                name="one_suppression_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.hint} ({self.reason})"
