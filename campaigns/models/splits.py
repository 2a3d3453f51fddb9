"""Two versions of an invitation, tried on a part of the people."""

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _

from campaigns.models.campaigns import Campaign, Variant
from campaigns.models.servers import EmailTemplate
from config.api.models import AccountQuerySet


class SplitTest(models.Model):
    """An A/B test of the invitation: A is the campaign's template, B another subject, or another template.

    `test_percent` of the people get A or B by a hash of campaign and contact. The others wait until a
    winner is chosen, by staff or by the rules of campaigns/splitting.py. open → decided, once.
    """

    class Metric(models.TextChoices):
        STARTED = "started", "Began the interview"
        COMPLETED = "completed", "Completed the interview"

    account_path = "campaign__account"

    campaign = models.OneToOneField(
        Campaign, primary_key=True, on_delete=models.CASCADE, related_name="split_test"
    )
    subject_b = models.CharField(
        max_length=150, blank=True, help_text="Empty: the subject of B's own template."
    )
    template_b = models.ForeignKey(
        EmailTemplate,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="split_tests",
        help_text="Empty: the campaign's own, under the other subject.",
    )
    test_percent = models.PositiveSmallIntegerField(
        default=100,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text="Of all people. The others wait for the winner.",
    )
    metric = models.CharField(max_length=9, choices=Metric, default=Metric.STARTED)
    min_sample = models.PositiveIntegerField(
        default=100,
        validators=[MinValueValidator(10)],
        help_text="Emails sent of each version before a winner can be named.",
    )
    is_automatic = models.BooleanField(
        "choose the winner automatically",
        default=False,
        help_text="Else staff choose. A clear winner is taken; without one, A, when the time is over.",
    )
    decide_after_hours = models.PositiveIntegerField(
        default=72,
        validators=[MinValueValidator(1)],
        help_text="People need time to answer: nothing is chosen automatically before.",
    )
    winner = models.CharField(max_length=1, choices=Variant, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, help_text="Who chose, and why.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "A/B test"
        constraints = [
            # B must differ from A, or the test compares an email with itself.
            models.CheckConstraint(
                condition=~Q(subject_b="") | Q(template_b__isnull=False), name="split_test_has_a_b"
            ),
            models.CheckConstraint(
                condition=Q(test_percent__gte=1, test_percent__lte=100), name="split_test_percent"
            ),
            models.CheckConstraint(
                condition=Q(winner="", decided_at=None) | (~Q(winner="") & Q(decided_at__isnull=False)),
                name="split_test_decided_once",
            ),
        ]

    def __str__(self) -> str:
        return f"A/B test of {self.campaign}"

    def clean(self) -> None:
        if not self.subject_b and self.template_b is None:
            raise ValidationError({"subject_b": _("Give B another subject or another template.")})
