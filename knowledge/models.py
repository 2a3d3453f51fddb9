"""What is remembered: collections of documents, their chunks, and the questions asked of them."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from config.api.ids import uuid7
from config.api.models import Account, AccountQuerySet
from personas.models import Persona


class Remote(models.TextChoices):
    """Vendors that a collection's documents may also go to."""

    LYZR = "lyzr", "Lyzr"


class Collection(models.Model):
    """Documents that are searched together. Its slug is what the marketing API calls `rag_id`.

    `version` grows with every change of its chunks; a process that holds the vectors in memory reads
    them again when the number differs. The counts are kept by ingestion, for BM25's average length and
    so that lists and figures never count rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="collections")
    slug = models.CharField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    personas = models.ManyToManyField(
        Persona, blank=True, related_name="collections", help_text="Who may read it."
    )
    staff_may_read = models.BooleanField(default=True)
    assistants_may_read = models.BooleanField(
        default=False, help_text="Every assistant of the account answers from it."
    )
    version = models.PositiveBigIntegerField(default=0, editable=False)
    chunk_count = models.PositiveIntegerField(default=0, editable=False)
    token_count = models.PositiveBigIntegerField(default=0, editable=False)
    character_count = models.PositiveBigIntegerField(default=0, editable=False, help_text="Of its chunks.")
    document_count = models.PositiveIntegerField(default=0, editable=False)
    size_bytes = models.PositiveBigIntegerField(default=0, editable=False, help_text="Of its files.")
    changed_at = models.DateTimeField(null=True, editable=False, help_text="When its chunks last changed.")
    embedding_provider = models.CharField(max_length=40, blank=True)
    embedding_model = models.CharField(
        max_length=100, blank=True, help_text="Empty: the provider's own default."
    )
    # Its documents also go to a knowledge base of a vendor (remote.py); searching here needs none.
    remote = models.CharField(max_length=20, choices=Remote, blank=True, help_text="Empty: they stay here.")
    remote_id = models.CharField(
        max_length=100, blank=True, help_text="The knowledge base there: Lyzr's rag_id."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["account", "slug"], name="collection_slug_once_per_account"),
            # Half a place is none: nothing could be sent there, and nobody would be told.
            models.CheckConstraint(
                condition=Q(remote="", remote_id="") | (~Q(remote="") & ~Q(remote_id="")),
                name="collection_remote_whole",
                violation_error_message="Give both the vendor and the knowledge base there, or neither.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Document(models.Model):
    """A text that was given to a collection.

    queued → reading → ready | failed (may be retried) | refused (the file itself is at fault);
    reading → queued (an attempt failed; again at `not_before`); failed, refused → queued (retry).
    A row whose file is not stored yet (`stored_at` is null) is never read. A ready document whose
    vectors are still to be made (`vectors_due`) is already found by its words.

    One with `replaces_same_name` takes the place of older ones of its name at the moment it is ready:
    they lose their chunks in the same transaction, are marked `superseded_at`, and are then removed. One that
    has other names too (`OtherName`) loses only that name.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "Queued"
        READING = "reading", "Reading"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"
        REFUSED = "refused", "Refused"

    account_path = "collection__account"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="documents")
    title = models.CharField(max_length=300)
    filename = models.CharField(max_length=300, blank=True)
    mime = models.CharField(max_length=120, blank=True)
    file = models.FileField(max_length=400, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    reason = models.TextField(blank=True, help_text="Why it failed or was refused, in words for staff.")
    progress_percent = models.PositiveSmallIntegerField(default=0)
    # How far the reader is: 120 of 3,000 pages. Null where a file has no such parts.
    units_done = models.PositiveIntegerField(null=True, editable=False)
    units_total = models.PositiveIntegerField(null=True, editable=False)
    unit = models.CharField(max_length=10, blank=True, editable=False, help_text="pages, rows or records.")
    page_count = models.PositiveIntegerField(null=True, blank=True)
    chunk_count = models.PositiveIntegerField(default=0)
    # Where it came from, given by the app that ingests: kind "upload", "interview", …; the id there;
    # the name of an admin URL that opens it with ?message=<seq>.
    origin_kind = models.CharField(max_length=40, default="upload")
    origin_id = models.CharField(max_length=64, blank=True)
    origin_link = models.CharField(max_length=100, blank=True)
    # Text the ingesting app gave with the file: a list of [text, locator]. Null: the file is read.
    given_sections = models.JSONField(null=True, blank=True, editable=False)
    stored_at = models.DateTimeField(null=True, blank=True, editable=False)
    vectors_due = models.BooleanField(default=False, editable=False)
    # When somebody last gave this content under this name: of two with one name the later one stays.
    uploaded_at = models.DateTimeField(default=timezone.now, editable=False)
    replaces_same_name = models.BooleanField(default=False, editable=False)
    superseded_at = models.DateTimeField(null=True, blank=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            # The same content twice is one document.
            models.UniqueConstraint(fields=["collection", "checksum"], name="document_content_once"),
        ]
        indexes = [
            # the sweep: what is due
            models.Index(
                fields=["state", "not_before"],
                condition=Q(state__in=["queued", "reading"]),
                name="document_due",
            ),
            # the sweep: what still needs vectors
            models.Index(
                fields=["not_before"],
                condition=Q(state="ready", vectors_due=True),
                name="document_vectors_due",
            ),
            # the sweep: what another has replaced and is still to be removed
            models.Index(
                fields=["superseded_at"], condition=Q(superseded_at__isnull=False), name="document_superseded"
            ),
            # the start page and a collection's health: what needs a person. Not partial: SQLite does not
            # use a partial index for a condition that comes as parameters.
            models.Index(fields=["state", "collection"], name="document_by_state"),
            # how many of which type a collection has, from the index alone
            models.Index(fields=["collection", "mime"], name="document_by_type"),
            # lists, newest first; delete and look up by file name; the document of an interview
            models.Index(fields=["collection", "-created_at"], name="document_newest"),
            models.Index(fields=["collection", "filename"], name="document_by_filename"),
            models.Index(fields=["origin_kind", "origin_id"], name="document_by_origin"),
        ]

    def __str__(self) -> str:
        return self.title


class OtherName(models.Model):
    """A further name under which a document's content was uploaded. Deleted by it, only the name goes."""

    account_path = "document__collection__account"

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="other_names")
    # The document's collection again, so that an index leads from a name in it to the document.
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=300)
    given_at = models.DateTimeField(default=timezone.now, help_text="When it was last uploaded under it.")

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["given_at", "id"]
        constraints = [
            # Given again, a name is not a second one.
            models.UniqueConstraint(fields=["document", "name"], name="other_name_once")
        ]
        # delete, replace and look up by file name
        indexes = [models.Index(fields=["collection", "name"], name="document_by_other_name")]

    def __str__(self) -> str:
        return self.name


class Chunk(models.Model):
    """A passage that is retrieved and cited whole.

    `locator` says where it is: {"page": 3}, {"row": 12}, or {"messages": [4]} (a seq of the talk).
    `vector` is float32, little endian, unit length; null without an embedding provider.
    `terms` are the words of title and text as the index holds them (words.py): every word with a
    space on both sides, so that counting " word " in it is exact.
    """

    account_path = "collection__account"

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks")
    collection = models.ForeignKey(Collection, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    text = models.TextField()
    terms = models.TextField(editable=False)
    token_count = models.PositiveIntegerField(help_text="How many terms it has.")
    text_checksum = models.CharField(max_length=64, editable=False, help_text="SHA-256 of the text.")
    locator = models.JSONField(default=dict)
    vector = models.BinaryField(null=True)
    embedding_model = models.CharField(max_length=100, blank=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["document_id", "position"]
        constraints = [models.UniqueConstraint(fields=["document", "position"], name="chunk_position_once")]
        indexes = [
            # a text that was embedded before lends its vector; the vectors of a collection
            models.Index(
                fields=["text_checksum", "embedding_model"],
                condition=Q(vector__isnull=False),
                name="chunk_embedded_text",
            ),
            models.Index(
                fields=["collection", "embedding_model"],
                condition=Q(vector__isnull=False),
                name="chunk_with_vector",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.document_id}#{self.position}"


class Question(models.Model):
    """A question that was asked of the knowledge, and what came of it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="questions")
    collections = models.ManyToManyField(Collection, blank=True, related_name="questions")
    asked_by = models.CharField(max_length=150, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    text = models.TextField()
    answer = models.TextField(blank=True)
    citations = models.JSONField(default=list, blank=True)
    answered = models.BooleanField(default=False, help_text="False: not in the sources.")
    thumbs = models.SmallIntegerField(null=True, blank=True)
    comment = models.TextField(blank=True)
    provider = models.CharField(max_length=40, blank=True)
    error_code = models.CharField(max_length=40, blank=True, help_text="Why no answer could be written.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["account", "-created_at"], name="question_newest"),
            # staff look at what could not be answered
            models.Index(fields=["-created_at"], condition=Q(answered=False), name="question_unanswered"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(thumbs__isnull=True) | Q(thumbs__in=[-1, 1]), name="thumbs_up_or_down"
            )
        ]

    def __str__(self) -> str:
        return self.text[:80]


class RemoteCopy(models.Model):
    """A document's content in a knowledge base of a vendor, once for each content and base.

    waiting (its parts are still to be made) → parsed → trained; waiting, parsed → failed, and back by
    `remote.repeat`; any → leaving, when its document is gone, until the vendor has let go of it: then the
    row goes. A row with a live lease is being worked at.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        PARSED = "parsed", "Parsed"
        TRAINED = "trained", "Trained"
        FAILED = "failed", "Failed"
        LEAVING = "leaving", "Being taken away"

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="remote_copies")
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="remote_copies"
    )
    remote = models.CharField(max_length=20, choices=Remote)
    remote_id = models.CharField(max_length=100)
    checksum = models.CharField(max_length=64, help_text="SHA-256 of the content.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    # What the vendor's parser gave, kept until it is trained: a crash between the two asks it only once.
    parts = models.JSONField(null=True, blank=True, editable=False)
    # What the vendor calls it there, by which it can be taken away again.
    names = models.JSONField(default=list, blank=True, editable=False)
    answer = models.JSONField(
        default=dict, blank=True, editable=False, help_text="The vendor's to the training."
    )
    # Set before the vendor is told to train: from then on it may hold the content.
    train_begun_at = models.DateTimeField(null=True, blank=True, editable=False)
    trained_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.TextField(blank=True, help_text="Why it failed, in words for staff.")
    attempts = models.PositiveSmallIntegerField(default=0, help_text="Of the step it is at.")
    not_before = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = "copy at a vendor"
        verbose_name_plural = "copies at vendors"
        ordering = ["-created_at", "-id"]
        constraints = [
            # The same content in the same base twice would be found twice there.
            models.UniqueConstraint(
                fields=["account", "remote", "remote_id", "checksum"], name="remote_copy_once"
            ),
        ]
        indexes = [
            # the sweep: what is due
            models.Index(
                fields=["not_before"],
                condition=Q(state__in=["waiting", "parsed", "leaving"]),
                name="remote_copy_due",
            ),
            # the admin's list
            models.Index(fields=["-created_at", "-id"], name="remote_copy_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.document or self.checksum[:8]} at {self.get_remote_display()}"
