"""What staff write about a conversation for each other."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from config.api.models import AccountQuerySet
from crm.models.conversations import Conversation


class PrivateNote(models.Model):
    """A note of staff on a conversation. No message: nobody who speaks in the talk gets to see it."""

    account_path = "conversation__account"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="private_notes")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        # the transcript: the notes between two messages
        indexes = [models.Index(fields=["conversation", "created_at"], name="private_notes_of_talk")]

    def __str__(self) -> str:
        return f"Private note on {self.conversation}"
