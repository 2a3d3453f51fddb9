"""Single emails, what became of each, and every change on the way."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from campaigns.models.campaigns import Campaign, Recipient
from campaigns.models.servers import SmtpServer
from config.api.encryption import EncryptedTextField
from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact
from crm.models.consent import Purpose


class DeliveryQuerySet(AccountQuerySet):
    def due(self, *, at: datetime | None = None) -> Self:
        states = [Delivery.State.QUEUED, Delivery.State.DEFERRED]
        return self.filter(state__in=states, not_before__lte=at or timezone.now())

    def leased_out(self, *, at: datetime | None = None) -> Self:
        states = [Delivery.State.CLAIMED, Delivery.State.IN_DATA]
        return self.filter(state__in=states, lease_until__lt=at or timezone.now())

    def in_outbox(self) -> Self:
        return self.filter(smtp_server=None, state=Delivery.State.SENT)

    def unknown_once(self) -> Self:
        """Unknown, and not yet sent again by their campaign's rule. Unknown once more, a person decides:
        a server that takes every email and never says so would get the same one for ever.
        """
        again = EmailEvent.objects.filter(
            delivery=OuterRef("pk"), kind=EmailEvent.Kind.QUEUED, detail=EmailEvent.SENT_AGAIN_BY_RULE
        )
        return self.filter(~Exists(again), state=Delivery.State.UNKNOWN).exclude(rendered="")


class Delivery(models.Model):
    """One email to one person. Its id is its Message-ID, so every attempt is the same email.

    queued → claimed → in_data → sent | deferred | failed | unknown
    claimed → queued (the lease ran out before DATA);  deferred → claimed (when due)
    in_data is committed just before DATA. A crash after that leaves `unknown`, held and shown, not
    resent unless the campaign says so, and then once. queued | deferred → cancelled (campaign cancelled,
    suppressed).
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        CLAIMED = "claimed", "Claimed"
        IN_DATA = "in_data", "Being handed over"
        SENT = "sent", "Sent"
        DEFERRED = "deferred", "Deferred"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"
        CANCELLED = "cancelled", "Cancelled"

    FINAL = (State.SENT, State.FAILED, State.CANCELLED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="deliveries")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="deliveries")
    campaign = models.ForeignKey(
        Campaign, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    recipient = models.ForeignKey(
        Recipient, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    smtp_server = models.ForeignKey(
        SmtpServer,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="deliveries",
        verbose_name="SMTP server",
    )
    purpose = models.CharField(max_length=16, choices=Purpose)
    step = models.PositiveSmallIntegerField(
        default=0, help_text="Of its campaign: 0 is the invitation, then the follow-ups."
    )
    # Why it is sent, from the caller: the same key is the same email.
    key = models.CharField(max_length=120)
    to_email = models.EmailField(max_length=320)
    subject = models.CharField(max_length=300, blank=True)
    message_id = models.CharField(max_length=200, blank=True)
    # The whole email as it goes over the wire, kept until the state is final (the outbox keeps it).
    rendered = EncryptedTextField(blank=True)
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    # Which run of a sender holds it: two senders can never settle the same claim.
    claim = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True)
    last_reply = models.TextField(blank=True, help_text="What the server last said.")
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    # What was heard after it was sent, each the first time. They never move the state (campaigns/hearing.py).
    delivered_at = models.DateTimeField(null=True, blank=True, editable=False)
    bounced_at = models.DateTimeField(null=True, blank=True, editable=False)
    complained_at = models.DateTimeField(null=True, blank=True, editable=False)
    replied_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Hints only: by a person, as far as one can tell; scanners' hits are events marked so.
    opened_at = models.DateTimeField(null=True, blank=True, editable=False)
    clicked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        # GLOSSARY.md: a delivery is one email to one person; staff read the plainer word.
        verbose_name = "email"
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["account", "key"], name="delivery_once_per_key")]
        indexes = [
            # what a sender claims next, campaign by campaign
            models.Index(
                fields=["smtp_server", "campaign", "not_before"],
                condition=Q(state__in=["queued", "deferred"]),
                name="delivery_due",
            ),
            # the sweep: leases that ran out
            models.Index(
                fields=["lease_until"], condition=Q(state__in=["claimed", "in_data"]), name="delivery_leased"
            ),
            models.Index(fields=["campaign", "state"], name="delivery_of_campaign"),
            # the start page: emails that wait for a person to decide
            models.Index(fields=["-created_at"], condition=Q(state="unknown"), name="delivery_unknown"),
            models.Index(fields=["account", "-created_at"], name="delivery_newest"),
            # the admin's list, which is over all accounts
            models.Index(fields=["-created_at"], name="delivery_newest_of_all"),
            models.Index(fields=["message_id"], name="delivery_by_message_id"),
            # the figures of a day
            models.Index(fields=["sent_at"], name="delivery_by_sending"),
            # a thread, the last emails to an address that bounced, and matching by sender
            models.Index(fields=["account", "to_email", "-created_at"], name="delivery_to_address"),
            # a campaign's answers and bounces: few rows of many
            models.Index(
                fields=["campaign", "bounced_at"],
                condition=Q(bounced_at__isnull=False),
                name="delivery_bounced",
            ),
            models.Index(
                fields=["campaign", "replied_at"],
                condition=Q(replied_at__isnull=False),
                name="delivery_replied",
            ),
            # a sender's own claims
            models.Index(fields=["claim"], condition=~Q(claim=""), name="delivery_claimed"),
        ]

    def __str__(self) -> str:
        return f"{self.subject or 'Email'} ({self.to_email})"

    @property
    def standing(self) -> str:
        """The state with what was heard since: "bounced" and "complained" say more than "sent"."""
        if self.complained_at is not None:
            return "complained"
        return "bounced" if self.bounced_at is not None else self.state


class SentText(models.Model):
    """What an email said, for threads: its text part without the capabilities in its links.

    Made with the delivery and kept when `Delivery.rendered` goes. A table of its own, so that senders do
    not carry it around. (docs/decisions/0005-what-is-kept-of-an-email.md)
    """

    account_path = "delivery__account"

    delivery = models.OneToOneField(
        Delivery, primary_key=True, on_delete=models.CASCADE, related_name="sent_text"
    )
    text = models.TextField()

    objects = AccountQuerySet.as_manager()

    def __str__(self) -> str:
        return f"Text of {self.delivery_id}"


class EmailEvent(models.Model):
    """One change of a delivery's state, or one thing heard about it. Rows are only ever added."""

    # The detail of `queued` when it is queued anew: by a person, or because its campaign says so.
    SENT_AGAIN = "sent again by choice"
    SENT_AGAIN_BY_RULE = "sent again, as the campaign says"

    account_path = "delivery__account"

    class Kind(models.TextChoices):
        QUEUED = "queued", "Queued"
        CLAIMED = "claimed", "Taken by a sender"
        RELEASED = "released", "Given back"
        IN_DATA = "in_data", "Being handed over"
        SENT = "sent", "Sent"
        DEFERRED = "deferred", "Deferred"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"
        CANCELLED = "cancelled", "Cancelled"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"
        # Heard after it was sent; none of these is a state.
        DELIVERED = "delivered", "Delivered"
        DELAYED = "delayed", "Delayed on its way"
        BOUNCED = "bounced", "Bounced"
        SOFT_BOUNCED = "soft_bounced", "Bounced for now"
        COMPLAINED = "complained", "Complained about"
        REPLIED = "replied", "Replied to"
        AUTO_REPLIED = "auto_replied", "Automatic reply"
        OPENED = "opened", "Opened"
        CLICKED = "clicked", "Clicked"

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=20, choices=Kind)
    detail = models.TextField(blank=True)
    # Who told us ("imap", "mailgun", "page"), and their id of it; empty for our own steps.
    source = models.CharField(max_length=12, blank=True)
    source_id = models.CharField(max_length=80, blank=True)
    is_bot = models.BooleanField(default=False, help_text="A scanner's doing, as far as one can tell.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            # a webhook told twice, or an email read again after a crash, is one event
            models.UniqueConstraint(
                fields=["delivery", "kind", "source", "source_id"],
                condition=~Q(source_id=""),
                name="event_heard_once",
            )
        ]
        indexes = [models.Index(fields=["delivery", "id"], name="events_of_delivery")]

    def __str__(self) -> str:
        return f"{self.kind} at {self.at:%Y-%m-%d %H:%M}"


class SendingFigure(models.Model):
    """What became of a campaign's emails in ten seconds: for its speed, and for charts over time."""

    SECONDS = 10

    account_path = "campaign__account"

    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="sending_figures")
    at = models.DateTimeField(help_text="When the ten seconds began.")
    sent = models.PositiveIntegerField(default=0)
    deferred = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    unknown = models.PositiveIntegerField(default=0)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["at"]
        constraints = [
            # Also the look-up of the last minute.
            models.UniqueConstraint(fields=["campaign", "at"], name="one_sending_figure_per_moment")
        ]

    def __str__(self) -> str:
        return f"{self.sent} sent from {self.at:%H:%M:%S}"
