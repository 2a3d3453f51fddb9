"""Many calls about one thing: a batch, and the people in it."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact


class CallBatch(models.Model):
    """Calls to many people, so many at a time.

    draft → running ⇄ paused → finished;  any but finished → cancelled.
    Finished is computed from its people, never assumed. `state_reason` says why it paused itself.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        FINISHED = "finished", "Finished"
        CANCELLED = "cancelled", "Cancelled"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="call_batches")
    name = models.CharField(max_length=200)
    company = models.CharField(
        max_length=200, blank=True, help_text="For whom we call. Empty: the account's name."
    )
    position = models.CharField(
        max_length=200, blank=True, help_text="What the interview is about. Empty: each person's own role."
    )
    calls_at_once = models.PositiveSmallIntegerField(
        default=5,
        validators=[MinValueValidator(1)],
        help_text="No more calls of this batch than these are in progress at any time.",
    )
    pause_after = models.PositiveSmallIntegerField(
        "pause after so many failures",
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="So many calls in a row that could not be placed pause the batch.",
    )
    state = models.CharField(max_length=10, choices=State, default=State.DRAFT)
    state_reason = models.CharField(max_length=300, blank=True)
    # Whom it was made from, like "campaign:<id>"; the layer above knows what that is.
    origin = models.CharField(max_length=80, blank=True, editable=False)
    created_by = models.CharField(max_length=150, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    # Failures before this are forgiven: it was started, or somebody resumed it.
    resumed_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "call batches"
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account", "-created_at", "-id"], name="batch_newest"),
            # the list by state
            models.Index(fields=["account", "state", "-created_at", "-id"], name="batch_newest_by_state"),
            # the sweep
            models.Index(fields=["started_at"], condition=Q(state="running"), name="batch_running"),
            # the admin's list of all accounts
            models.Index(fields=["-created_at", "-id"], name="batch_newest_of_all"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(calls_at_once__gte=1), name="batch_calls_somebody"),
            models.CheckConstraint(condition=Q(pause_after__gte=1), name="batch_allows_a_failure"),
        ]

    def __str__(self) -> str:
        return self.name


class Callee(models.Model):
    """One contact in one batch of calls.

    waiting (due at `next_at`) → claimed → calling → done, or waiting again for the next attempt
    claimed → skipped (`reason`) | waiting (outside their hours, or its worker died before it asked anybody)
    claimed, calling → unknown: Twilio was asked and nobody knows whether it rang
    unknown → calling | done, when that is learnt;  → waiting | done, when a person decides
    waiting → cancelled

    Claimed is committed before the call's row is, and that before Twilio is asked. So a claim without a call
    rang nobody; a call whose answer is missing may have. `outcome` is that of the latest call.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        CLAIMED = "claimed", "Being dialled"
        CALLING = "calling", "In a call"
        UNKNOWN = "unknown", "Unknown"
        DONE = "done", "Done"
        SKIPPED = "skipped", "Skipped"
        CANCELLED = "cancelled", "Cancelled"

    OPEN = (State.CLAIMED, State.CALLING, State.UNKNOWN)

    account_path = "batch__account"

    batch = models.ForeignKey(CallBatch, on_delete=models.CASCADE, related_name="people")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="batch_places")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    next_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    # When they were claimed last; a move by whoever claimed them counts only while this is still so.
    called_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "person in a call batch"
        verbose_name_plural = "people in call batches"
        ordering = ["-id"]
        indexes = [
            # who is due next
            models.Index(fields=["batch", "state", "next_at"], name="callee_due"),
            # the lists of one batch
            models.Index(fields=["batch", "-id"], name="callee_newest"),
            models.Index(fields=["batch", "state", "-id"], name="callee_by_state"),
            # the failures in a row
            models.Index(
                fields=["batch", "-called_at"], condition=Q(called_at__isnull=False), name="callee_called"
            ),
            # the sweep: those that something is to be learnt of
            models.Index(
                fields=["called_at"],
                condition=Q(state__in=["claimed", "calling", "unknown"]),
                name="callee_open",
            ),
        ]
        constraints = [
            # Nobody is in a batch twice, and so is not called twice by it.
            models.UniqueConstraint(fields=["batch", "contact"], name="callee_once_per_batch"),
            # Whoever waits is due at some time; nobody else is.
            models.CheckConstraint(
                condition=Q(state="waiting", next_at__isnull=False)
                | (~Q(state="waiting") & Q(next_at__isnull=True)),
                name="callee_waits_for_a_time",
            ),
        ]

    def __str__(self) -> str:
        return str(self.contact)
