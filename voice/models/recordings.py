"""The sound of calls, where it is kept at all."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.models import AccountQuerySet
from voice.models.calls import PhoneCall


class CallRecording(models.Model):
    """What Twilio recorded of one call. due → kept | failed, and any of them → removed.

    Twilio's own copy is deleted once ours is kept, and with ours. The row of a removed one stays until that
    is done: `due_at` is when something is tried next.
    """

    class State(models.TextChoices):
        DUE = "due", "To be fetched"
        KEPT = "kept", "Kept"
        FAILED = "failed", "Could not be fetched"
        REMOVED = "removed", "Removed"

    account_path = "call__account"

    # A call that is deleted leaves its recording to the sweep, which removes it here and at Twilio.
    call = models.ForeignKey(PhoneCall, null=True, on_delete=models.SET_NULL, related_name="recordings")
    sid = models.CharField(max_length=34, unique=True)
    state = models.CharField(max_length=8, choices=State, default=State.DUE)
    file = models.FileField(max_length=200, blank=True)
    size_bytes = models.PositiveIntegerField(null=True, blank=True)
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    is_at_vendor = models.BooleanField(default=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [
            # what is to be fetched, or deleted at Twilio
            models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="recordings_due"),
            # those whose time is over
            models.Index(fields=["created_at"], condition=~Q(state="removed"), name="recordings_by_age"),
        ]

    def __str__(self) -> str:
        return f"Recording of {self.call}"
