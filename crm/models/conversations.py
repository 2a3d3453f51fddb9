"""Conversations and their messages: one ordered sequence, one turn at a time."""

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from crm.models.contacts import Channel, Contact
from personas.models import Persona


class ConversationQuerySet(AccountQuerySet):
    def called(self, account_id: Any, external_id: Any) -> Self:
        """The talk that has a caller's own id.

        Without the second condition SQLite does not see that the partial index holds all that can be meant,
        and reads every talk of the account.
        """
        return self.filter(account_id=account_id, external_id=external_id).exclude(external_id="")


class Conversation(models.Model):
    """One talk with one person. open → closed; closed → open only when the person corrects an answer.

    `brief` is all that the talk is about (an interview writes its frozen guide there), so that it can go
    on by another channel. `planner` is the dotted path of who decides what each turn must do.
    `last_seq` numbers the messages; it only grows, by an UPDATE in the transaction of the message.
    """

    class State(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    class Status(models.TextChoices):
        ACTIVE = "active", "Active"
        COMPLETED = "completed", "Completed"
        ARCHIVED = "archived", "Archived"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="conversations")
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="conversations")
    persona = models.ForeignKey(
        Persona, null=True, blank=True, on_delete=models.PROTECT, related_name="conversations"
    )
    channel = models.CharField(max_length=8, choices=Channel, default=Channel.WEB)
    planner = models.CharField(max_length=120, default="crm.briefs.plan")
    brief = models.JSONField(default=dict, blank=True)
    title = models.CharField(max_length=200, blank=True)
    # The caller's own id of it, kept and echoed (CRM `conversation_id`, webhook `conversationId`).
    external_id = models.CharField(max_length=200, blank=True)
    # Staff chose the agent (`persona`) of this talk: routing leaves it alone.
    agent_is_pinned = models.BooleanField(default=False)
    category = models.CharField(max_length=40, blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    status = models.CharField(max_length=10, choices=Status, default=Status.ACTIVE)
    close_reason = models.CharField(max_length=40, blank=True)
    last_seq = models.PositiveIntegerField(default=0)
    # Of a chat with an influencer: contact and persona as they were when it began. It stays when contacts
    # are merged, and keeps two chats of one pair from being made at once.
    pair_key = models.CharField(max_length=73, null=True, unique=True, editable=False)
    # How far the person has read, as their program says.
    read_seq = models.PositiveIntegerField(default=0)
    read_at = models.DateTimeField(null=True, blank=True)
    # What an influencer remembers of this talk, how far it has read for that, and when it may read on
    # (crm/remembering.py).
    summary = models.TextField(blank=True)
    remembered_seq = models.PositiveIntegerField(default=0)
    remember_after = models.DateTimeField(null=True, blank=True, editable=False)
    # Staff took over: the persona is silent until it is handed back.
    taken_over_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Which member of staff looks after it. Indexed below, only where there is one.
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    # A member of staff tries a persona's draft out (crm/trying_out.py): in no list and no figure.
    tried_out_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.CASCADE, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    last_activity_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["-last_activity_at"]
        indexes = [
            models.Index(fields=["account", "-last_activity_at"], name="conversation_latest"),
            models.Index(fields=["contact", "-last_activity_at"], name="conversation_of_contact"),
            # the sweep: open talks that went quiet
            models.Index(fields=["last_activity_at"], condition=Q(state="open"), name="conversation_quiet"),
            # the figures of a day
            models.Index(fields=["created_at"], name="conversation_by_time"),
            # a persona-chat user's list, newest first
            models.Index(
                fields=["contact", "-last_activity_at", "-id"],
                condition=Q(pair_key__isnull=False),
                name="persona_chats_latest",
            ),
            # the sweep: chats with influencers that have something to be remembered
            models.Index(
                fields=["last_activity_at"], condition=Q(pair_key__isnull=False), name="persona_chats_recent"
            ),
            # what is assigned to one member of staff
            models.Index(
                fields=["assigned_to", "-last_activity_at", "-id"],
                condition=Q(assigned_to__isnull=False),
                name="conversation_of_staff",
            ),
            # the admin's list of all accounts
            models.Index(fields=["-last_activity_at", "-id"], name="conversation_latest_of_all"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "external_id"],
                condition=~Q(external_id=""),
                name="external_conversation_once",
            )
        ]

    def __str__(self) -> str:
        return self.title or f"Conversation {str(self.id)[-6:]}"

    @property
    def is_open(self) -> bool:
        return self.state == self.State.OPEN

    def assign(self, staff: Any) -> None:
        """To a member of staff, or to nobody. Only this is written: the talk may go on meanwhile."""
        Conversation.objects.filter(pk=self.pk).update(assigned_to=staff)
        self.assigned_to = staff

    @property
    def label(self) -> str:
        """What other systems call this talk."""
        return self.external_id or str(self.id)


class Message(models.Model):
    """One thing said. A person's message is complete at once; a reply goes streaming → complete | failed.

    A failed reply is tried again in the same row (failed → streaming), so a message has one reply ever.
    `act` and `question_key` say what a person's message was recognised as (answer, skip, stop, …) and
    which question it belongs to; on a reply they are those of its plan.
    """

    class Author(models.TextChoices):
        PERSON = "person", "Person"
        PERSONA = "persona", "Persona"
        STAFF = "staff", "Staff"
        SYSTEM = "system", "System"

    class State(models.TextChoices):
        STREAMING = "streaming", "Being written"
        COMPLETE = "complete", "Complete"
        FAILED = "failed", "Failed"

    class Type(models.TextChoices):
        TEXT = "text", "Text"
        MULTIMODAL = "multimodal", "Text with pictures"
        IMAGE = "image", "Pictures"
        AUDIO = "audio", "Voice message"

    account_path = "conversation__account"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="messages")
    seq = models.PositiveIntegerField()
    author = models.CharField(max_length=8, choices=Author)
    state = models.CharField(max_length=10, choices=State, default=State.COMPLETE)
    type = models.CharField(max_length=10, choices=Type, default=Type.TEXT)
    text = models.TextField(blank=True)
    client_message_id = models.CharField(max_length=64, null=True, blank=True)
    reply_to = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.CASCADE, related_name="reply", editable=False
    )
    act = models.CharField(max_length=16, blank=True)
    question_key = models.CharField(max_length=60, blank=True)
    # Of a reply: {"choices": […], "sources": […], "ends": bool, "end_reason": …}
    plan = models.JSONField(default=dict, blank=True)
    media: "models.ManyToManyField[MediaFile, Any]" = models.ManyToManyField(
        "MediaFile", blank=True, related_name="messages"
    )
    staff = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    # Of a reply: who wrote it, and why this agent: {"agent": slug, "reason": …, "by": rules | model | staff}
    persona = models.ForeignKey(Persona, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    routing = models.JSONField(default=dict, blank=True)
    # Of a reply: which version of its persona wrote it; empty where it had none, and of a draft.
    persona_version = models.PositiveIntegerField(null=True, blank=True)
    provider = models.CharField(max_length=40, blank=True)
    model = models.CharField(max_length=100, blank=True)
    prompt_tokens = models.PositiveIntegerField(null=True, blank=True)
    completion_tokens = models.PositiveIntegerField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error_code = models.CharField(max_length=30, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    completed_at = models.DateTimeField(null=True, blank=True)
    # Of a streaming reply: still being written. Silent for 30 s, the sweep closes it.
    heartbeat_at = models.DateTimeField(null=True, blank=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        ordering = ["conversation_id", "seq"]
        constraints = [
            # also the history page, by keyset on seq
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            # The same send twice is one message.
            models.UniqueConstraint(
                fields=["conversation", "client_message_id"],
                condition=Q(client_message_id__isnull=False),
                name="client_message_once",
            ),
            # One turn at a time: two replies can never be written into one talk at once.
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state="streaming"), name="one_reply_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state="complete") | Q(author="persona"), name="only_replies_stream_or_fail"
            ),
        ]
        indexes = [
            # the sweep: replies that stopped being written
            models.Index(fields=["heartbeat_at"], condition=Q(state="streaming"), name="message_streaming"),
            # the figures of a day, and what came after they were counted
            models.Index(fields=["created_at"], name="message_by_time"),
            # the start page: replies that failed in the last day
            models.Index(fields=["created_at"], condition=Q(state="failed"), name="message_failed"),
            # what a talk's number of messages leaves out
            models.Index(
                fields=["conversation"], condition=~Q(state="complete"), name="message_not_whole_of_talk"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.author} #{self.seq}: {self.text[:60]}"


class MediaFile(models.Model):
    """An upload or a produced file of a conversation. Private: only views that check who asks serve it."""

    class Kind(models.TextChoices):
        IMAGE = "image", "Image"
        AUDIO = "audio", "Audio"
        DOCUMENT = "document", "Document"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="media_files")
    contact = models.ForeignKey(
        Contact, null=True, blank=True, on_delete=models.CASCADE, related_name="media_files"
    )
    kind = models.CharField(max_length=8, choices=Kind)
    file = models.FileField(max_length=400)
    filename = models.CharField(max_length=300, blank=True)
    mime = models.CharField(max_length=120)
    size_bytes = models.PositiveBigIntegerField()
    checksum = models.CharField(max_length=64)
    width_pixels = models.PositiveIntegerField(null=True, blank=True)
    height_pixels = models.PositiveIntegerField(null=True, blank=True)
    duration_seconds = models.FloatField(null=True, blank=True)
    # Of an upload: no message has taken it yet, and after this time none can (crm/media_unused.py).
    unused_after = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="media_newest"),
            # the removal of uploads that nobody used
            models.Index(
                fields=["unused_after"], condition=Q(unused_after__isnull=False), name="media_unused"
            ),
        ]

    def __str__(self) -> str:
        return self.filename or str(self.id)
