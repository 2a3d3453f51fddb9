"""Phone calls and their turns; the times on offer, and the appointments that calls make."""

from datetime import datetime, timedelta
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact, Conversation
from voice import outcomes
from voice.models.batches import Callee

LONGEST = timedelta(days=1)  # of an interview
FARTHEST = timedelta(days=730)  # ahead


class TimeSlotQuerySet(AccountQuerySet):
    def open(self, *, at: datetime | None = None) -> Self:
        """Those that can still be booked."""
        booked = Appointment.objects.filter(slot=OuterRef("pk"), state=Appointment.State.BOOKED)
        return self.filter(~Exists(booked), is_offered=True, starts_at__gt=at or timezone.now())


class TimeSlot(models.Model):
    """A time at which one interview can take place."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="time_slots")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    is_offered = models.BooleanField(default=True, help_text="Off: nobody is offered this time any more.")
    # The words of RAPPORT_TIME_SLOTS that it was made from; staff's own have none.
    origin = models.CharField(max_length=80, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TimeSlotQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at", "id"]
        indexes = [models.Index(fields=["account", "starts_at"], name="slot_by_time")]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=models.F("starts_at")), name="slot_has_length"),
            # Two processes that make the slots of the environment at once make each once.
            models.UniqueConstraint(
                fields=["account", "origin", "starts_at"],
                condition=~Q(origin=""),
                name="environment_slot_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{timezone.localtime(self.starts_at):%a %d %b %Y %H:%M %Z}"

    def clean(self) -> None:
        """A slip of the year would be read out on the phone, or be no time at all in some zone."""
        starts_at: datetime | None = self.starts_at
        ends_at: datetime | None = self.ends_at
        now = timezone.now()
        if self._state.adding and starts_at and not now < starts_at < now + FARTHEST:
            raise ValidationError({"starts_at": _("Must be ahead, within two years.")})
        if starts_at and ends_at and not starts_at < ends_at <= starts_at + LONGEST:
            raise ValidationError({"ends_at": _("Must be after the start, within a day.")})


class PhoneCall(models.Model):
    """One call to one person, and how the talk in it stands.

    `line` is the telephone's side, as Twilio reports it; it never moves backwards:
    requested → queued → initiated → ringing → in-progress → completed | busy | no-answer | failed | canceled.
    `unknown` stands between requested and queued: Twilio was asked, and its answer did not arrive.
    `status` is the documented API's word: active → completed (a time was agreed) | failed (none was).
    """

    class Line(models.TextChoices):
        REQUESTED = "requested", "Requested"
        UNKNOWN = "unknown", "Unknown"
        QUEUED = "queued", "Queued"
        INITIATED = "initiated", "Dialled"
        RINGING = "ringing", "Ringing"
        IN_PROGRESS = "in-progress", "Talking"
        COMPLETED = "completed", "Ended"
        BUSY = "busy", "Busy"
        NO_ANSWER = "no-answer", "Not answered"
        FAILED = "failed", "Failed"
        CANCELED = "canceled", "Cancelled"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        COMPLETED = "completed", "Completed"
        FAILED = "failed", "Failed"

    ENDED = (Line.COMPLETED, Line.BUSY, Line.NO_ANSWER, Line.FAILED, Line.CANCELED)

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="phone_calls")
    # Nobody in a test call, and somebody in every other.
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.CASCADE, related_name="phone_calls"
    )
    is_test = models.BooleanField("test call", default=False, db_default=False)
    # The written talk that goes on by this call; its words are stored there, and no turns here.
    continues = models.ForeignKey(
        Conversation, null=True, blank=True, on_delete=models.CASCADE, related_name="continued_by"
    )
    # Twilio's id. Empty is NULL: it is unknown until Twilio answers.
    sid = models.CharField(max_length=64, null=True, blank=True, unique=True)
    to_number = models.CharField(max_length=20)
    line = models.CharField(max_length=12, choices=Line, default=Line.REQUESTED)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    # What the talk came to: voice/scheduling.py's words, or how the line ended when nobody talked.
    outcome = models.CharField(max_length=20, blank=True)
    confirmed_slot = models.CharField(max_length=80, blank=True)
    # Frozen when the call is placed: who is called, for whom, about what, in which zone and language, and
    # whether an email will follow.
    invitation = models.JSONField(default=dict, blank=True)
    # Where the talk stands. Of a written one: whether the person agreed to go on, how often it was relayed.
    talk = models.JSONField(default=dict, blank=True)
    turn_count = models.PositiveSmallIntegerField(default=0)
    # The turn that a model was asked about: a repeated webhook asks none again.
    asked_turn = models.PositiveSmallIntegerField(null=True, blank=True)
    # Attempts to reach this person about one thing count from 1. `retry_at`: when the next of them is due.
    attempt = models.PositiveSmallIntegerField(default=1, db_default=1)
    retry_at = models.DateTimeField(null=True, blank=True)
    # The database lets a call be followed by one attempt, whatever is killed in between.
    retry_of = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retried_by"
    )
    # The place in a batch that it was made for; the batch then decides when the next attempt is.
    callee = models.ForeignKey(Callee, null=True, blank=True, on_delete=models.SET_NULL, related_name="calls")
    answered_by = models.CharField(max_length=24, blank=True)
    error = models.CharField(max_length=300, blank=True)
    requested_by = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    duration_seconds = models.PositiveIntegerField(null=True, blank=True)
    # What was said, as a conversation of the person's: due when the line is down, and then made once.
    transcript = models.OneToOneField(
        Conversation, null=True, blank=True, on_delete=models.SET_NULL, related_name="transcript_of"
    )
    transcript_is_due = models.BooleanField(default=False, db_default=False, editable=False)
    # What Twilio took for it, when it says so; `price_due_at` is when it is asked next.
    price = models.DecimalField(max_digits=12, decimal_places=5, null=True, blank=True)
    price_unit = models.CharField(max_length=3, blank=True, db_default="")
    price_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    price_looks = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at"]
        indexes = [
            # the documented list, newest first, by keyset
            models.Index(fields=["account", "-started_at", "-id"], name="call_newest"),
            # the figures
            models.Index(fields=["account", "status"], name="call_by_status"),
            # how often a person was called lately
            models.Index(fields=["contact", "-started_at"], name="call_of_contact"),
            # how often a number was called lately, whoever asked for it
            models.Index(fields=["account", "to_number", "-started_at"], name="call_to_number"),
            # the admin's list of all accounts, and the figures of some days
            models.Index(fields=["-started_at", "-id"], name="call_newest_of_all"),
            # calls in progress; also the sweep, for those whose end was not reported
            models.Index(fields=["started_at"], condition=Q(ended_at__isnull=True), name="call_open"),
            # talks to keep, and prices to ask for
            models.Index(fields=["ended_at"], condition=Q(transcript_is_due=True), name="call_to_keep"),
            models.Index(
                fields=["price_due_at"], condition=Q(price_due_at__isnull=False), name="call_to_price"
            ),
            # the next attempts that are due
            models.Index(fields=["retry_at"], condition=Q(retry_at__isnull=False), name="call_to_retry"),
        ]
        constraints = [
            # A test call reaches nobody: not their limits, not their consent, not their timeline.
            models.CheckConstraint(
                condition=Q(is_test=True, contact__isnull=True) | Q(is_test=False, contact__isnull=False),
                name="only_a_test_call_is_to_nobody",
            ),
            # Nobody's phone rings twice because a button was pressed twice.
            models.UniqueConstraint(
                fields=["contact"], condition=Q(status="active"), name="one_active_call_per_contact"
            ),
            # Two workers at one person of a batch, one of them thought dead: one of them calls.
            models.UniqueConstraint(
                fields=["callee", "attempt"],
                condition=Q(callee__isnull=False),
                name="one_call_per_attempt_of_a_batch",
            ),
        ]

    def __str__(self) -> str:
        return f"Call {self.reference[-8:]}"

    @property
    def reference(self) -> str:
        """What the documented API calls it: Twilio's id, or ours while that is unknown."""
        return self.sid or str(self.pk)

    @property
    def outcome_in_words(self) -> str:
        return outcomes.in_words(self.outcome)

    @property
    def has_ended(self) -> bool:
        return self.line in self.ENDED

    @property
    def person(self) -> Contact:
        """Whom we call. Not for test calls, which are to nobody."""
        assert self.contact is not None
        return self.contact


class CallTurn(models.Model):
    """What the person said or pressed, what was answered, and the TwiML of that: a retry gets it again.

    Turn 0 is the greeting.
    """

    account_path = "call__account"

    call = models.ForeignKey(PhoneCall, on_delete=models.CASCADE, related_name="turns")
    number = models.PositiveSmallIntegerField()
    words = models.TextField(blank=True)
    digits = models.CharField(max_length=20, blank=True)
    said = models.TextField(blank=True)
    # The person interrupted it: `said` is what was heard by then.
    is_cut = models.BooleanField(default=False)
    twiml = models.TextField(blank=True)
    intent = models.CharField(max_length=20, blank=True)
    confidence = models.FloatField(null=True, blank=True)
    # What the rules saw, for whoever asks why.
    why = models.CharField(max_length=300, blank=True)
    # Millionths of a dollar, for the model that was asked what was meant.
    model_micro_usd = models.PositiveIntegerField(default=0, db_default=0)
    at = models.DateTimeField(default=timezone.now)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["call", "number"]
        constraints = [
            # Twilio repeats a webhook that it got no answer to: one turn stays one turn.
            models.UniqueConstraint(fields=["call", "number"], name="turn_once_per_call")
        ]

    def __str__(self) -> str:
        return f"Turn {self.number}"


class Appointment(models.Model):
    """A person and a time slot. booked → booked (another slot) → cancelled; a cancelled one frees its slot.

    Each change makes a new version of the calendar entry (`sequence`) and an email that is due (`notice`).
    """

    class State(models.TextChoices):
        BOOKED = "booked", "Booked"
        CANCELLED = "cancelled", "Cancelled"

    class Notice(models.TextChoices):
        PENDING = "pending", "To be sent"
        QUEUED = "queued", "Handed over"
        IMPOSSIBLE = "impossible", "No email may be sent"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="appointments")
    slot = models.ForeignKey(TimeSlot, on_delete=models.RESTRICT, related_name="appointments")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="appointments")
    call = models.ForeignKey(
        PhoneCall, null=True, blank=True, on_delete=models.SET_NULL, related_name="appointments"
    )
    state = models.CharField(max_length=10, choices=State, default=State.BOOKED)
    booked_at = models.DateTimeField(default=timezone.now)
    sequence = models.PositiveSmallIntegerField(default=0, db_default=0)
    changed_at = models.DateTimeField(default=timezone.now, db_default=Now())
    # The email with the calendar file of this version.
    notice = models.CharField(max_length=10, choices=Notice, default=Notice.PENDING)
    cancelled_at = models.DateTimeField(null=True, blank=True)
    # When the reminder is due; empty when there is none, or it went out.
    remind_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-booked_at"]
        indexes = [
            models.Index(fields=["account", "-booked_at"], name="appointment_newest"),
            # those whose email is due: the sweep
            models.Index(fields=["changed_at"], condition=Q(notice="pending"), name="appointment_to_tell"),
            # those whose reminder is due
            models.Index(
                fields=["remind_at"], condition=Q(remind_at__isnull=False), name="appointment_to_remind"
            ),
        ]
        constraints = [
            # Two people who say yes to one time at the same moment: the database lets one of them have it.
            models.UniqueConstraint(
                fields=["slot"], condition=Q(state="booked"), name="one_appointment_per_slot"
            ),
            # A confirmation that arrives twice is one appointment.
            models.UniqueConstraint(
                fields=["call"], condition=Q(state="booked"), name="one_appointment_per_call"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact}, {self.slot}"
