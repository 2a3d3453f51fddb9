"""A person, the addresses that lead to them, and the one timeline of what happened with them."""

from django.db import models
from django.db.models import F
from django.db.models.functions import Upper
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from config.api.zones import validate_time_zone


class Channel(models.TextChoices):
    WEB = "web", "Web chat"
    EMAIL = "email", "Email"
    PHONE = "phone", "Phone"
    API = "api", "API"


class Contact(models.Model):
    """A person as one account knows them. `name` is empty once the person was erased."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=200, blank=True)
    company = models.CharField(max_length=200, blank=True)
    role = models.CharField(max_length=120, blank=True)
    language = models.CharField(max_length=12, blank=True)
    time_zone = models.CharField(max_length=64, blank=True, validators=[validate_time_zone])
    preferences = models.JSONField(default=dict, blank=True)
    fields = models.JSONField(
        default=dict, blank=True, help_text="What imports brought along: column → value."
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="contact_newest"),
            models.Index(fields=["account", "name"], name="contact_by_name"),
            # the figures of a day
            models.Index(fields=["created_at"], name="contact_by_time"),
            # the filters of the CRM API's list, in any case
            models.Index("account", Upper("company"), F("created_at").desc(), name="contact_by_company"),
            models.Index("account", Upper("role"), F("created_at").desc(), name="contact_by_role"),
        ]

    def __str__(self) -> str:
        return self.name or f"Contact {str(self.id)[-6:]}"


class ContactAddress(models.Model):
    """One way to reach or recognise a contact. `value` is normalised: crm/contacts.py says how."""

    class Kind(models.TextChoices):
        EMAIL = "email", "Email"
        PHONE = "phone", "Phone"
        EXTERNAL_ID = "external_id", "External id"

    # The contact's account again, so that the database itself can keep an address unique in it.
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="+")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="addresses")
    kind = models.CharField(max_length=12, choices=Kind)
    value = models.CharField(max_length=320)
    as_given = models.CharField(max_length=320, blank=True)
    is_primary = models.BooleanField(default=False)
    is_verified = models.BooleanField(default=False)
    source = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "contact addresses"
        ordering = ["-is_primary", "id"]
        constraints = [
            # An address leads to one person of an account.
            models.UniqueConstraint(fields=["account", "kind", "value"], name="address_once_per_account"),
            models.UniqueConstraint(
                fields=["contact", "kind"],
                condition=models.Q(is_primary=True),
                name="one_primary_address_per_kind",
            ),
        ]

    def __str__(self) -> str:
        return self.value


class TimelineEntry(models.Model):
    """One thing that happened with a contact, written by whichever app it happened in."""

    class Direction(models.TextChoices):
        IN = "in", "From the person"
        OUT = "out", "To the person"
        NONE = "none", "Neither"

    account_path = "contact__account"

    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="timeline")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=40, help_text='Like "email_sent" or "interview_completed".')
    direction = models.CharField(max_length=4, choices=Direction, default=Direction.NONE)
    channel = models.CharField(max_length=8, choices=Channel, blank=True)
    title = models.CharField(max_length=300)
    # What it is about: {"kind": "delivery", "id": …}
    ref = models.JSONField(default=dict, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "timeline entries"
        ordering = ["-at", "-id"]
        # a contact's timeline, newest first, by keyset
        indexes = [models.Index(fields=["contact", "-at", "-id"], name="timeline_newest")]

    def __str__(self) -> str:
        return self.title
