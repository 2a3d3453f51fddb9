"""Sessions of the CRM API, and what people think of an answer."""

import secrets
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet, digest
from crm.models.contacts import Contact
from crm.models.conversations import Message


class SessionToken(models.Model):
    """What lets a chat user of the CRM API speak as their contact. Only the token's SHA-256 is stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="sessions")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["contact", "-created_at"], name="session_of_contact"),
            # what the clean-up removes
            models.Index(fields=["expires_at"], name="session_expiry"),
        ]

    def __str__(self) -> str:
        return f"Session of {self.contact}"

    @classmethod
    def issue(
        cls, contact: Contact, *, lasts: timedelta, at: datetime | None = None
    ) -> tuple["SessionToken", str]:
        """The stored row and the token itself (43 URL-safe characters), which nobody can read again."""
        now = at or timezone.now()
        token = secrets.token_urlsafe(32)
        row = cls.objects.create(
            account_id=contact.account_id,
            contact=contact,
            digest=digest(token),
            created_at=now,
            expires_at=now + lasts,
        )
        return row, token


class Rating(models.Model):
    """Thumbs for one reply, by the person it was written to or by a member of staff. One each."""

    account_path = "message__conversation__account"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="ratings")
    # Null: the person of the talk.
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    thumbs = models.SmallIntegerField(choices=[(1, "Helpful"), (-1, "Not helpful")])
    comment = models.TextField(blank=True, max_length=2_000)
    rated_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-rated_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["message"], condition=Q(staff__isnull=True), name="person_rates_once"
            ),
            models.UniqueConstraint(
                fields=["message", "staff"], condition=Q(staff__isnull=False), name="staff_rate_once"
            ),
            models.CheckConstraint(condition=Q(thumbs__in=[-1, 1]), name="rating_up_or_down"),
        ]
        indexes = [models.Index(fields=["rated_at"], name="rating_newest")]

    def __str__(self) -> str:
        return f"{'+' if self.thumbs > 0 else '-'} for message {self.message_id}"
