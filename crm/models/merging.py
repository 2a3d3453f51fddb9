"""Two contacts that may be one person: proposed, merged by staff, and taken apart again."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models.contacts import Contact


class ContactMerge(models.Model):
    """One pair of contacts. proposed → merged | dismissed; merged → undone; dismissed, undone → merged.

    `removed` keeps its row and its facts, inactive; what was its own is moved to `kept` (MovedRows).
    `changes` are facts of `kept` before and after; `conflicts` the values that were not taken.
    """

    class State(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        MERGED = "merged", "Merged"
        UNDONE = "undone", "Undone"
        DISMISSED = "dismissed", "Dismissed"

    class Reason(models.TextChoices):
        PHONE = "phone", "Same phone number"
        EMAIL = "email", "Same mailbox"
        NAME_AND_COMPANY = "name_company", "Same name and company"
        ADDRESS = "address", "One was given an address of the other"
        STAFF = "staff", "Chosen by staff"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    kept = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    removed = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    # Both ids, the smaller first: a pair is proposed once, whichever of them would stay.
    pair = models.CharField(max_length=73, unique=True, editable=False)
    reasons = models.JSONField(default=list, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.PROPOSED)
    changes = models.JSONField(default=dict, blank=True)
    conflicts = models.JSONField(default=dict, blank=True)
    decided_by = models.CharField(max_length=150, blank=True)
    proposed_at = models.DateTimeField(default=timezone.now)
    merged_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "duplicate"
        verbose_name_plural = "duplicates"
        ordering = ["-proposed_at"]
        constraints = [
            models.CheckConstraint(condition=~Q(kept=F("removed")), name="merge_of_two"),
            # A contact has become part of at most one other.
            models.UniqueConstraint(
                fields=["removed"], condition=Q(state="merged"), name="merged_into_one_contact"
            ),
        ]
        indexes = [
            # the admin's list, of all or of one state
            models.Index(fields=["-proposed_at"], name="merge_newest"),
            models.Index(fields=["state", "-proposed_at"], name="merge_by_state"),
        ]

    def __str__(self) -> str:
        return f"{self.removed} → {self.kept}"

    @staticmethod
    def pair_of(first: Any, second: Any) -> str:
        return ":".join(sorted((str(first), str(second))))

    @classmethod
    def propose(cls, pairs: Iterable[tuple[Contact, Contact, Sequence[str]]]) -> None:
        """The older contact of each pair would stay. A pair that was ever proposed is left as it stands."""
        rows = [cls._proposal(first, second, reasons) for first, second, reasons in pairs]
        cls.objects.bulk_create(rows, ignore_conflicts=True)

    @classmethod
    def _proposal(cls, first: Contact, second: Contact, reasons: Sequence[str]) -> "ContactMerge":
        older, newer = sorted((first, second), key=lambda contact: (contact.created_at, contact.pk))
        return cls(
            account_id=older.account_id,
            kept=older,
            removed=newer,
            pair=cls.pair_of(older.pk, newer.pk),
            reasons=sorted(set(reasons)),
        )


class MovedRows(models.Model):
    """Rows that a merge moved from one contact to the other: exactly these go back when it is undone."""

    account_path = "merge__account"

    merge = models.ForeignKey(ContactMerge, on_delete=models.CASCADE, related_name="moved")
    relation = models.CharField(max_length=120, help_text='Like "crm.Conversation.contact".')
    keys = models.JSONField(default=list, help_text="Primary keys, at most 500 of them.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "moved rows"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{len(self.keys)} of {self.relation}"


class Likeness(models.Model):
    """A sign by which a contact may be known again: only a digest of it, with its account."""

    account_path = "contact__account"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+")
    reason = models.CharField(max_length=12, choices=ContactMerge.Reason)
    digest = models.CharField(max_length=64)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "likenesses"
        constraints = [models.UniqueConstraint(fields=["contact", "digest"], name="likeness_once")]
        # who else bears this sign
        indexes = [models.Index(fields=["digest"], name="likeness_digest")]

    def __str__(self) -> str:
        return f"{self.reason} of {self.contact_id}"


class LikenessSearch(models.Model):
    """How far the search for duplicates has come: one row. It walks all contacts, a piece at a time."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    after = models.UUIDField(null=True, blank=True, help_text="The contact that was looked at last.")
    round_began_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "likeness searches"

    def __str__(self) -> str:
        return f"after {self.after}" if self.after else "at the beginning"
