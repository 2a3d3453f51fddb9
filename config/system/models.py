"""Figures about the running installation."""

from django.db import models
from django.utils import timezone

from config.api.models import Account, AccountQuerySet


class Heartbeat(models.Model):
    """A part of the installation that was alive at `at`: one row per process."""

    part = models.CharField(max_length=20, help_text="web, worker or beat")
    instance = models.CharField(max_length=100, help_text="host and process id")
    started_at = models.DateTimeField(default=timezone.now)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["part", "-at"]
        constraints = [
            models.UniqueConstraint(fields=["part", "instance"], name="heartbeat_once_per_process")
        ]

    def __str__(self) -> str:
        return f"{self.part} {self.instance}"


class RequestFigure(models.Model):
    """Requests of one minute: how many, how many failed (5xx), and their time together.

    A minute without requests in which a web process was alive has a row too: from that comes the uptime.
    """

    minute = models.DateTimeField(unique=True)
    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    total_milliseconds = models.PositiveBigIntegerField(default=0)
    # Looking for passages: how often, and how long.
    retrievals = models.PositiveIntegerField(default=0)
    retrieval_microseconds = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["-minute"]

    def __str__(self) -> str:
        return f"{self.requests} requests at {self.minute:%Y-%m-%d %H:%M}"


class DailyFigure(models.Model):
    """One number of one account and day, counted once by a task so that charts need not count again."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="daily_figures")
    day = models.DateField()
    name = models.CharField(max_length=40)
    value = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["-day"]
        constraints = [models.UniqueConstraint(fields=["account", "name", "day"], name="one_figure_per_day")]
        # the chart of all accounts on the start page
        indexes = [models.Index(fields=["name", "day"], name="figure_by_day")]

    def __str__(self) -> str:
        return f"{self.name} on {self.day}: {self.value}"


class ContactDay(models.Model):
    """What one contact did on one UTC day: counted from messages and ratings, and counted again at will."""

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    # No foreign key: a merge moves what belongs to a contact, but these rows are only counted from it.
    contact_key = models.UUIDField()
    day = models.DateField()
    messages = models.PositiveIntegerField(default=0)
    written = models.PositiveIntegerField(default=0, help_text="Messages by the person.")
    sessions = models.PositiveIntegerField(default=0, help_text="Sessions that began on this day.")
    session_milliseconds = models.PositiveBigIntegerField(default=0)
    thumbs_up = models.PositiveIntegerField(default=0)
    thumbs_down = models.PositiveIntegerField(default=0)
    replies = models.JSONField(default=dict, help_text="Agent (its slug) → replies.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-day"]
        # also a contact's days
        constraints = [models.UniqueConstraint(fields=["contact_key", "day"], name="contact_day_once")]
        # the day that is counted again
        indexes = [models.Index(fields=["day"], name="contact_day_by_day")]

    def __str__(self) -> str:
        return f"{self.messages} messages on {self.day}"


class TouchedDay(models.Model):
    """An old day to be counted again before any other: rows of it were moved or erased."""

    day = models.DateField(primary_key=True)
    noted_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["day"]

    def __str__(self) -> str:
        return f"{self.day} is to be counted again"


class CountingProgress(models.Model):
    """How far the days are counted: one row. Whoever holds the lease counts; nobody else does meanwhile."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    # Everything before is in DailyFigure and ContactDay. Null: nothing is counted yet.
    counted_until = models.DateTimeField(null=True)
    # The next old day to be counted again, so that what was erased, merged or deleted leaves the figures.
    recount_day = models.DateField(null=True)
    # Whoever was merged or taken apart before then has had their days noted (TouchedDay).
    merges_seen_until = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="one_counting_progress")]

    def __str__(self) -> str:
        return f"counted until {self.counted_until}"


class ProviderProbe(models.Model):
    """What the last look at a provider's address found. No model is called for it."""

    provider = models.CharField(max_length=40, unique=True)
    is_reachable = models.BooleanField()
    milliseconds = models.PositiveIntegerField(null=True, help_text="Until it answered.")
    detail = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["provider"]

    def __str__(self) -> str:
        return f"{self.provider} {'answers' if self.is_reachable else 'does not answer'}"
