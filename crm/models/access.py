"""Capability links, which let a person in without a password, and erasures, which forget a person."""

import secrets
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet, digest
from crm.models.contacts import Contact
from crm.models.conversations import Conversation


class AccessLinkQuerySet(AccountQuerySet):
    def in_force(self, *, at: datetime | None = None) -> Self:
        now = at or timezone.now()
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)

    def for_token(self, token: str) -> Self:
        return self.filter(digest=digest(token))


class AccessLink(models.Model):
    """A link that may do one thing for one person. 256 random bits; only their SHA-256 is stored."""

    class Purpose(models.TextChoices):
        CONVERSATION = "conversation", "Take part in one conversation"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribe"
        APPOINTMENT = "appointment", "Move or cancel one appointment"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="access_links")
    purpose = models.CharField(max_length=16, choices=Purpose)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="access_links")
    conversation = models.ForeignKey(
        Conversation, null=True, blank=True, on_delete=models.CASCADE, related_name="access_links"
    )
    # What it acts on when that is not the conversation, like {"delivery": "<uuid>"}.
    subject = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    first_opened_at = models.DateTimeField(null=True, blank=True)

    objects = AccessLinkQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.purpose} link of {self.contact}"

    @classmethod
    def issue(
        cls,
        contact: Contact,
        purpose: str,
        *,
        conversation: Conversation | None = None,
        expires_at: datetime | None = None,
        subject: dict[str, str] | None = None,
    ) -> tuple["AccessLink", str]:
        """The stored row and the token itself, which nobody can read again."""
        token = secrets.token_urlsafe(32)
        row = cls.objects.create(
            account_id=contact.account_id,
            contact=contact,
            purpose=purpose,
            conversation=conversation,
            digest=digest(token),
            expires_at=expires_at,
            subject=subject or {},
        )
        return row, token


class Erasure(models.Model):
    """A person, or one talk of theirs, being forgotten.
    It goes on after a crash: `done` lists finished parts.

    requested → done. `receipt` counts what each part removed, and holds no personal data.
    """

    class State(models.TextChoices):
        REQUESTED = "requested", "Requested"
        DONE = "done", "Done"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="erasures")
    contact = models.ForeignKey(Contact, null=True, on_delete=models.SET_NULL, related_name="+")
    # Set: only this talk and all that came of it. The id, because the row itself goes.
    conversation_id_only = models.UUIDField(null=True, blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.REQUESTED)
    done = models.JSONField(default=list, blank=True)
    receipt = models.JSONField(default=dict, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    requested_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-requested_at"]
        indexes = [models.Index(fields=["not_before"], condition=Q(state="requested"), name="erasure_due")]

    def __str__(self) -> str:
        return f"Erasure {str(self.id)[-6:]} ({self.state})"
