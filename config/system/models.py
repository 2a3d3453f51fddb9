"""Figures about the running installation."""

from django.db import models
from django.utils import timezone

from config.api.models import Account


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
    """Requests of one minute: how many, how many failed (5xx), and their time together."""

    minute = models.DateTimeField(unique=True)
    requests = models.PositiveIntegerField(default=0)
    errors = models.PositiveIntegerField(default=0)
    total_milliseconds = models.PositiveBigIntegerField(default=0)

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
