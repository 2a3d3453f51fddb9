"""What messages said before they were said anew."""

from django.db import models
from django.utils import timezone

from config.api.models import AccountQuerySet
from crm.models.conversations import Message


class MessageVersion(models.Model):
    """A message as it was, kept when the person edited it or had its reply written anew.

    The person sees the newest words alone; staff see all. It goes with its message.
    """

    account_path = "message__conversation__account"

    class Why(models.TextChoices):
        EDITED = "edited", "The person edited their message"
        REGENERATED = "regenerated", "The person asked for another answer"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveSmallIntegerField()
    why = models.CharField(max_length=12, choices=Why)
    text = models.TextField(blank=True)
    act = models.CharField(max_length=16, blank=True)
    question_key = models.CharField(max_length=60, blank=True)
    plan = models.JSONField(default=dict, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=100, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    said_at = models.DateTimeField()
    replaced_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["message_id", "number"]
        constraints = [
            # also: has a message been said anew, and what did it say last
            models.UniqueConstraint(fields=["message", "number"], name="message_version_once")
        ]
        indexes = [
            # the admin's list of all accounts
            models.Index(fields=["-replaced_at", "-id"], name="message_version_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.number}: {self.text[:60]}"
