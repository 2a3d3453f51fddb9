"""Accounts, the keys that speak for them, and the record of who did what."""

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.zones import validate_time_zone

DEFAULT_ACCOUNT = "default"


class AccountQuerySet(models.QuerySet[Any]):
    """Rows of a tenant. `account_path` names the way to the account for models one step away."""

    def for_account(self, account: "Account") -> Self:
        path: str = getattr(self.model, "account_path", "account")
        return self.filter(**{path: account})


class Account(models.Model):
    """A tenant. Its slug is what the marketing API calls `user_id`."""

    class PageSize(models.TextChoices):
        A4 = "A4", "A4"
        LETTER = "letter", "US Letter"

    # No '+': a chat session's label is {user_id}+{email}, split on the first one.
    slug = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "Use letters, digits, dots, dashes.")],
    )
    name = models.CharField(max_length=200)
    accent = models.CharField(
        max_length=7,
        default="#0b6e5f",
        validators=[RegexValidator(r"^#[0-9a-fA-F]{6}$", "Use a colour like #0b6e5f.")],
    )
    language = models.CharField(max_length=12, default="en")
    time_zone = models.CharField(max_length=64, default="UTC", validators=[validate_time_zone])
    page_size = models.CharField(max_length=8, choices=PageSize, default=PageSize.A4)
    email_cap = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Campaign emails to one person in so many days. Empty: as the settings say; 0: no limit.",
    )
    email_cap_days = models.PositiveSmallIntegerField(
        default=7, validators=[MinValueValidator(1), MaxValueValidator(365)]
    )
    postal_line = models.CharField(
        max_length=300, blank=True, help_text="Postal address in the footer of emails."
    )
    privacy_contact = models.EmailField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


def digest(token: str) -> str:
    """SHA-256 of a token, in hex. Tokens hold 256 random bits, so no salt and no slow hash is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


class ApiKeyQuerySet(AccountQuerySet):
    def usable(self, *, at: datetime | None = None) -> Self:
        now = at or timezone.now()
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class ApiKey(models.Model):
    """A key of one account. Only its digest is stored; the key is shown once, when it is made."""

    PREFIX = "rk_"
    USED_RESOLUTION = timedelta(minutes=1)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100)
    hint = models.CharField(
        max_length=12, editable=False, help_text="The first characters, to tell keys apart."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list, blank=True, help_text='A list; ["*"] is every scope.')
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint}…)"

    @classmethod
    def issue(
        cls,
        account: Account,
        name: str,
        *,
        scopes: list[str] | None = None,
        expires_at: datetime | None = None,
    ) -> tuple["ApiKey", str]:
        """The stored row and the key itself, which nobody can read again. Raises ValidationError."""
        row = cls(account=account, name=name, expires_at=expires_at)
        row.scopes = ["*"] if scopes is None else scopes
        row.clean()
        key = row.new_key()
        row.save()
        return row, key

    def new_key(self) -> str:
        """Gives an unsaved row its key, and returns it: nobody can read it again."""
        key = self.PREFIX + secrets.token_urlsafe(32)
        self.hint, self.digest = key[:8], digest(key)
        return key

    def revoke(self) -> bool:
        """From now on calls with it are refused. False when it was revoked before."""
        return bool(ApiKey.objects.filter(pk=self.pk, revoked_at=None).update(revoked_at=timezone.now()))

    def clean(self) -> None:
        if not isinstance(self.scopes, list) or not all(isinstance(scope, str) for scope in self.scopes):
            raise ValidationError({"scopes": 'Write a list of words, like ["knowledge", "interviews"].'})
        if not all(scope.strip() for scope in self.scopes) or not self.scopes:
            raise ValidationError({"scopes": 'A key without a scope can do nothing. ["*"] is every scope.'})

    def allows(self, scope: str) -> bool:
        return "*" in self.scopes or scope in self.scopes


class AuditEntry(models.Model):
    """Who read or changed what, and when. Written once, never changed."""

    class ActorKind(models.TextChoices):
        STAFF = "staff", "Staff"
        KEY = "key", "API key"
        PERSON = "person", "Person"
        SYSTEM = "system", "System"

    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.CASCADE)
    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=8, choices=ActorKind)
    actor = models.CharField(max_length=150, blank=True)
    action = models.CharField(max_length=60, help_text='What was done, like "read transcript".')
    target_kind = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    detail = models.JSONField(default=dict, blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "audit entries"
        ordering = ["-at", "-id"]
        indexes = [
            # the newest entries of an account; everything done to one thing
            models.Index(fields=["account", "-at"], name="audit_by_account"),
            models.Index(fields=["target_kind", "target_id", "-at"], name="audit_by_target"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.target_kind} {self.target_id}".strip()
