"""Guides, the interviews held by them, and what came of each."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models import Contact, Conversation, Message
from knowledge.models import Collection, Document
from personas.models import Persona


class Guide(models.Model):
    """What an interview wants to learn, and how. Frozen into the brief when an interview starts."""

    class Order(models.TextChoices):
        FIXED = "fixed", "As listed"
        SHUFFLED = "shuffled", "Shuffled for each person"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="guides")
    persona = models.ForeignKey(Persona, on_delete=models.PROTECT, related_name="guides")
    collection = models.ForeignKey(
        Collection,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="guides",
        help_text="Where transcripts go. Empty: a collection named for the guide is made.",
    )
    name = models.CharField(max_length=200)
    goal = models.TextField(help_text="What we want to learn; said to the person on the first page.")
    language = models.CharField(max_length=12, default="en")
    minutes = models.PositiveSmallIntegerField(
        default=10, help_text="How long it takes, as told to the person."
    )
    welcome = models.TextField(blank=True)
    consent_text = models.TextField()
    consent_version = models.CharField(max_length=40, default="1")
    closing = models.TextField(blank=True, help_text="The last words of the interview.")
    forbidden_topics = models.TextField(blank=True)
    order = models.CharField(max_length=8, choices=Order, default=Order.FIXED)
    max_turns = models.PositiveSmallIntegerField(
        default=40,
        validators=[MinValueValidator(2), MaxValueValidator(400)],
        help_text="Answers, not questions.",
    )
    max_minutes = models.PositiveSmallIntegerField(
        default=60,
        validators=[MinValueValidator(1), MaxValueValidator(600)],
        help_text="Time since Begin after which the interview closes at the next message.",
    )
    link_days = models.PositiveSmallIntegerField(default=30, help_text="How long an invitation link lives.")
    redacts_personal_data = models.BooleanField(
        "redact before indexing",
        default=False,
        help_text=(
            "The knowledge base gets marks like [name], [email], [phone], [link] and [number] instead of "
            "personal data. Transcript and PDF keep what was said. For interviews that begin from now on."
        ),
    )
    version = models.PositiveIntegerField(default=1, editable=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["account", "-created_at"], name="guide_newest")]

    def __str__(self) -> str:
        return self.name


class Question(models.Model):
    """One question of a guide. `key` names it in answers and exports and does not change."""

    class Kind(models.TextChoices):
        OPEN = "open", "Open"
        CHOICE = "choice", "One of these"
        SCALE = "scale", "Scale"
        DATE = "date", "Date"

    account_path = "guide__account"

    guide = models.ForeignKey(Guide, on_delete=models.CASCADE, related_name="questions")
    position = models.PositiveSmallIntegerField(default=0, db_index=True)
    key = models.CharField(
        max_length=60,
        validators=[RegexValidator(r"^[a-z][a-z0-9_]*$", "Use small letters, digits and underscores.")],
    )
    text = models.TextField()
    topic = models.CharField(
        max_length=80, blank=True, help_text="Two or three words, for lists and the PDF."
    )
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.OPEN)
    choices = models.JSONField(
        default=list, blank=True, help_text='Like ["Yes", "No"], or ["1", …, "5"] for a scale.'
    )
    must_ask = models.BooleanField(default=True)
    probe_depth = models.PositiveSmallIntegerField(
        default=1, validators=[MaxValueValidator(5)], help_text="Follow-up questions at most."
    )
    probes = models.JSONField(default=list, blank=True, help_text="Follow-ups in your own words, in order.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["guide", "key"], name="question_key_once_per_guide")]

    def __str__(self) -> str:
        return self.topic or self.text[:60]


class InterviewQuerySet(AccountQuerySet):
    def move(self, to: str, *, since: Iterable[str], at: datetime | None = None, **fields: Any) -> bool:
        """Move the one interview selected to a state, if it is in one of `since`. Returns whether it won."""
        now = at or timezone.now()
        return self.filter(state__in=list(since)).update(state=to, **{f"{to}_at": now}, **fields) > 0

    def expired(self, *, at: datetime) -> Self:
        return self.filter(state__in=["invited", "opened"], expires_at__lte=at)

    def quiet(self, *, since: datetime) -> Self:
        """Begun, still open, and nothing said since."""
        return self.filter(
            state="started", conversation__state="open", conversation__last_activity_at__lt=since
        )

    def back(self) -> Self:
        """Abandoned, and then the person said something again."""
        return self.filter(
            state="abandoned",
            conversation__state="open",
            conversation__last_activity_at__gt=F("abandoned_at"),
        )

    def closed_unfinished(self) -> Self:
        """Their talk has ended, and nobody has noticed yet."""
        return self.filter(state__in=["started", "abandoned"], conversation__state="closed")


class Interview(models.Model):
    """One person's interview by one guide.

    invited → opened → started → completed → processed
    invited | opened → declined | expired
    declined → started (a changed mind);  expired → invited (a fresh link)
    started → abandoned | declined;  abandoned → started (back) | completed
    completed → failed (a step gave up) → completed (repeated) → processed
    completed | processed | failed → started (the person corrects an answer)
    `opened` is a hint: mail scanners open links too.
    """

    class State(models.TextChoices):
        INVITED = "invited", "Invited"
        OPENED = "opened", "Opened"
        STARTED = "started", "Started"
        COMPLETED = "completed", "Completed"
        PROCESSED = "processed", "Processed"
        DECLINED = "declined", "Declined"
        ABANDONED = "abandoned", "Abandoned"
        EXPIRED = "expired", "Expired"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="interviews")
    guide = models.ForeignKey(Guide, on_delete=models.PROTECT, related_name="interviews")
    conversation = models.OneToOneField(Conversation, on_delete=models.CASCADE, related_name="interview")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="interviews")
    state = models.CharField(max_length=10, choices=State, default=State.INVITED)
    frozen_guide = models.JSONField(default=dict, blank=True, help_text="The guide as it was at Begin.")
    guide_version = models.PositiveIntegerField(default=0)
    consent_version = models.CharField(max_length=40, blank=True)
    pdf = models.FileField(max_length=400, blank=True)
    pdf_pages = models.PositiveSmallIntegerField(null=True, blank=True)
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="interviews"
    )
    # Where its transcript goes, when the account named another place than the guide's for this one.
    collection = models.ForeignKey(
        Collection, null=True, blank=True, on_delete=models.SET_NULL, related_name="interviews"
    )
    # A few words for lists of transcripts, and under which heading they stand (interviews/summarising.py).
    title = models.CharField(max_length=200, blank=True)
    subheading = models.CharField(max_length=300, blank=True)
    category = models.CharField(max_length=80, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # When the account asked for it to start (POST /interview/start). The person has not agreed by that.
    requested_at = models.DateTimeField(null=True, blank=True)
    invited_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    completed_at = models.DateTimeField(null=True, blank=True)
    processed_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)
    abandoned_at = models.DateTimeField(null=True, blank=True)
    expired_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)

    objects = InterviewQuerySet.as_manager()

    class Meta:
        ordering = ["-invited_at"]
        indexes = [
            models.Index(fields=["account", "-invited_at"], name="interview_newest"),
            models.Index(fields=["account", "state", "-invited_at"], name="interview_by_state"),
            models.Index(fields=["guide", "state"], name="interview_of_guide"),
            # the documented lists of transcripts: an account's, newest first, or under one heading
            models.Index(
                fields=["account", "-completed_at"], condition=~Q(pdf=""), name="interview_with_pdf"
            ),
            # the sweep: links that ran out
            models.Index(
                fields=["expires_at"], condition=Q(state__in=["invited", "opened"]), name="interview_expiry"
            ),
            # the sweep: talks that went quiet, came back, or ended unnoticed
            models.Index(
                fields=["started_at"],
                condition=Q(state__in=["started", "abandoned"]),
                name="interview_under_way",
            ),
            # the start page's chart and the figures of a day
            models.Index(
                fields=["completed_at"], condition=Q(completed_at__isnull=False), name="interview_completed"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.contact} · {self.guide}"

    @property
    def ref(self) -> dict[str, str]:
        """Of its timeline entries; by the conversation an erasure of that one talk finds them."""
        return {"kind": "interview", "id": str(self.pk), "conversation": str(self.conversation_id)}

    @property
    def has_begun(self) -> bool:
        return bool(self.frozen_guide)


class Answer(models.Model):
    """What a person answered to one question: a projection of messages, rebuilt at will.

    `quote` is a literal substring of `message`; `value` is the choice, number or whole answer.
    """

    class Kind(models.TextChoices):
        ANSWERED = "answered", "Answered"
        SKIPPED = "skipped", "Skipped"
        REFUSED = "refused", "Would rather not say"
        WITHHELD = "withheld", "Withheld by the person"

    account_path = "interview__account"

    interview = models.ForeignKey(Interview, on_delete=models.CASCADE, related_name="answers")
    question_key = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.ANSWERED)
    value = models.TextField(blank=True)
    quote = models.TextField(blank=True)
    message = models.ForeignKey(Message, null=True, on_delete=models.CASCADE, related_name="answers")
    is_corrected = models.BooleanField(default=False)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["interview", "question_key"], name="answer_once_per_question")
        ]

    def __str__(self) -> str:
        return f"{self.question_key}: {self.value[:60]}"


class ProcessingStepQuerySet(AccountQuerySet):
    def due(self, *, at: datetime) -> Self:
        """Steps a worker may claim: due, or left by a worker whose lease ran out; and all before are done."""
        earlier = ProcessingStep.objects.filter(
            interview=OuterRef("interview"), position__lt=OuterRef("position")
        ).exclude(state="done")
        return self.filter(
            Q(state="waiting", not_before__lte=at) | Q(state="running", lease_until__lt=at),
            ~Exists(earlier),
            interview__state="completed",
        )


class ProcessingStep(models.Model):
    """One step after an interview, done at most once at a time: pdf → storage → knowledge.

    waiting → running → done;  running → waiting (tried again later) | failed (gave up; repeatable)
    failed | done → waiting (repeated by staff, or the person corrected or withheld an answer)
    `attempts` is also the fence: a worker whose lease ran out cannot write over the one that came after.
    """

    class Name(models.TextChoices):
        PDF = "pdf", "Make the PDF"
        STORAGE = "storage", "Store it"
        KNOWLEDGE = "knowledge", "Read it into the knowledge"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    account_path = "interview__account"

    interview = models.ForeignKey(Interview, on_delete=models.CASCADE, related_name="steps")
    name = models.CharField(max_length=10, choices=Name)
    position = models.PositiveSmallIntegerField()
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True)
    result = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ProcessingStepQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["interview", "name"], name="step_once_per_interview")]
        indexes = [
            models.Index(
                fields=["not_before"], condition=Q(state__in=["waiting", "running"]), name="processing_due"
            ),
            # the start page: steps that gave up
            models.Index(fields=["id"], condition=Q(state="failed"), name="processing_failed"),
        ]

    def __str__(self) -> str:
        return f"{self.get_name_display()}: {self.state}"
