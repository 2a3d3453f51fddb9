"""How the line of a call moved: each report that counted, with its time."""

from django.db import models
from django.utils import timezone

from config.api.models import AccountQuerySet
from voice.models.calls import PhoneCall


class LineMove(models.Model):
    """One move of a call's line. Reports that moved nothing leave none."""

    account_path = "call__account"

    call = models.ForeignKey(PhoneCall, on_delete=models.CASCADE, related_name="line_moves")
    line = models.CharField(max_length=12, choices=PhoneCall.Line)
    at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["call", "id"]
        constraints = [
            # The line never moves backwards, so that it comes to each place once.
            models.UniqueConstraint(fields=["call", "line"], name="line_comes_to_a_place_once")
        ]

    def __str__(self) -> str:
        return f"{self.get_line_display()} {self.at:%H:%M:%S}"
