"""What may not be said in talks: rules as data, a vendor's judgement, and what they found."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.models import Account, AccountQuerySet
from crm.models.conversations import Message
from crm.moderation_rules import InvalidPattern, phrases_in
from personas.chains import check_known
from personas.models import Persona


class Side(models.TextChoices):
    INPUT = "input", "What people write"
    OUTPUT = "output", "What personas say"


class Action(models.TextChoices):
    REFUSE = "refuse", "Refuse"
    MASK = "mask", "Mask"
    FLAG = "flag", "Flag for staff"


class ModerationRule(models.Model):
    """Words and patterns of an account, for all its personas or for one (crm/moderation_rules.py)."""

    class Sides(models.TextChoices):
        BOTH = "both", "Both"
        INPUT = "input", "What people write"
        OUTPUT = "output", "What personas say"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="moderation_rules")
    persona = models.ForeignKey(
        Persona,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="moderation_rules",
        help_text="Empty: all personas of the account.",
    )
    name = models.CharField(max_length=80)
    patterns = models.TextField(
        max_length=10_000,
        help_text="One word or phrase a line. * stands for any letters, ? for one; case does not matter.",
    )
    sides = models.CharField(max_length=6, choices=Sides, default=Sides.BOTH)
    action = models.CharField(max_length=6, choices=Action, default=Action.FLAG)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["account_id", "id"]
        # those of an account, read for its turns
        indexes = [models.Index(fields=["account", "id"], name="moderation_rules_account")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            phrases_in(self.patterns)
        except InvalidPattern as error:
            raise ValidationError({"patterns": str(error)}) from None
        if self.persona is not None and self.persona.account_id != self.account_id:
            raise ValidationError({"persona": _("This persona is of another account.")})


class ModerationByVendor(models.Model):
    """That a vendor judges what is said in an account's talks, and what then."""

    class OnFailure(models.TextChoices):
        LET_THROUGH = "let_through", "Let it through"
        REFUSE = "refuse", "Say nothing until it answers"

    account = models.OneToOneField(Account, on_delete=models.CASCADE, related_name="moderation_by_vendor")
    provider = models.CharField(
        max_length=40,
        validators=[check_known],
        help_text="A name in settings.PROVIDERS that can moderate: OpenAI, or a server of its format.",
    )
    checks_input = models.BooleanField(default=True)
    checks_output = models.BooleanField(default=True)
    checks_pictures = models.BooleanField(
        default=True,
        db_default=True,
        help_text="Of what people write. Off for a server that judges words alone.",
    )
    action = models.CharField(
        max_length=6, choices=[("refuse", "Refuse"), ("flag", "Flag for staff")], default=Action.REFUSE
    )
    on_failure = models.CharField(max_length=12, choices=OnFailure, default=OnFailure.LET_THROUGH)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "moderation by a vendor"
        verbose_name_plural = "moderation by vendors"

    def __str__(self) -> str:
        return f"{self.provider} moderates {self.account}"


class ModerationFlag(models.Model):
    """What a rule or a vendor found in one message. Written once."""

    account_path = "message__conversation__account"

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="moderation_flags")
    side = models.CharField(max_length=6, choices=Side)
    found_by = models.CharField(max_length=120, help_text="The rule, or the provider and its categories.")
    action = models.CharField(max_length=6, choices=Action)
    excerpt = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            # A repeated attempt finds the same again.
            models.UniqueConstraint(fields=["message", "side", "found_by"], name="moderation_flag_once")
        ]

    def __str__(self) -> str:
        return f"{self.found_by} ({self.action})"
