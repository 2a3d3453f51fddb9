"""What keeps chats with influencers decent: reports of replies, bans of people, confirmed ages."""

from datetime import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.models import Account, AccountQuerySet
from crm.models.contacts import Contact
from crm.models.conversations import Message


class MessageReport(models.Model):
    """A person says that a reply to them is not right. open → kept | removed, and between those two.

    `text` is the reply as it was reported: what staff remove is gone from the chat, and can be put back.
    """

    class Reason(models.TextChoices):
        HARMFUL = "harmful", "Harmful or dangerous"
        HATE = "hate", "Hateful or insulting"
        SEXUAL = "sexual", "Sexual"
        SELF_HARM = "self_harm", "About self-harm"
        UNTRUE = "untrue", "Untrue"
        OTHER = "other", "Something else"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        KEPT = "kept", "Kept"
        REMOVED = "removed", "Removed"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="message_reports")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="message_reports")
    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="reports")
    reason = models.CharField(max_length=10, choices=Reason)
    comment = models.CharField(max_length=500, blank=True)
    text = models.TextField(blank=True, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    decided_by = models.CharField(max_length=150, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Pressing the button twice is one report.
            models.UniqueConstraint(fields=["message", "contact"], name="report_once")
        ]
        # the queue: what nobody has looked at, the oldest first
        indexes = [models.Index(fields=["id"], condition=Q(state="open"), name="reports_open")]

    def __str__(self) -> str:
        return f"Report {self.pk} ({self.state})"


class Ban(models.Model):
    """A person who may not use persona chat for now. One row each; lifted, it stays for the record."""

    account_path = "contact__account"

    contact = models.OneToOneField(Contact, on_delete=models.CASCADE, related_name="ban")
    reason = models.CharField(max_length=300, help_text="For staff; the person is not told.")
    until = models.DateTimeField(null=True, blank=True, help_text="Empty: until it is lifted.")
    banned_by = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    lifted_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        # the admin's list
        indexes = [models.Index(fields=["-created_at", "-id"], name="bans_newest")]

    def __str__(self) -> str:
        return f"Ban of {self.contact}"

    def is_in_force(self, *, at: datetime | None = None) -> bool:
        return self.lifted_at is None and (self.until is None or self.until > (at or timezone.now()))


class AgeConfirmation(models.Model):
    """A person said on our page that they are an adult."""

    account_path = "contact__account"

    contact = models.OneToOneField(Contact, on_delete=models.CASCADE, related_name="age_confirmation")
    confirmed_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.contact} is an adult"
