"""What `/upload_docs` and `/rag/…` take and give, for the OpenAPI schema."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.openapi import MetadataSerializer
from knowledge.models import Document


def answered(name: str, data: Any) -> Any:
    """The envelope with `message`, `error` and `timestamp` beside `data`."""
    fields = {
        "success": serializers.BooleanField(),
        "data": data,
        "message": serializers.CharField(allow_blank=True),
        "error": serializers.CharField(allow_null=True),
        "timestamp": serializers.DateTimeField(),
        "metadata": MetadataSerializer(),
    }
    return inline_serializer(name, fields)


STATUSES = {
    Document.State.READY: "processed",
    Document.State.FAILED: "failed",
    Document.State.REFUSED: "failed",
}


class ReadingProgressSerializer(serializers.Serializer):
    percent = serializers.IntegerField(source="progress_percent")
    done = serializers.IntegerField(source="units_done", allow_null=True)
    total = serializers.IntegerField(source="units_total", allow_null=True)
    unit = serializers.CharField(allow_blank=True, help_text="pages, rows or records; empty: not told.")


class DocumentFactsSerializer(serializers.Serializer):
    total_pages = serializers.IntegerField(source="page_count", allow_null=True)
    checksum = serializers.CharField(help_text="SHA-256 of the file.")


class DocumentItemSerializer(serializers.Serializer):
    """A document as the documented list shows it, with the names that its other readers use."""

    id = serializers.UUIDField()
    filename = serializers.CharField()
    also_known_as = serializers.SerializerMethodField(
        help_text="Other names under which the same content was uploaded."
    )
    title = serializers.CharField()
    content_type = serializers.SerializerMethodField()
    size = serializers.IntegerField(source="size_bytes")
    chunks = serializers.IntegerField(source="chunk_count")
    uploaded_at = serializers.DateTimeField(default_timezone=UTC)
    status = serializers.SerializerMethodField()
    error = serializers.SerializerMethodField()
    progress = ReadingProgressSerializer(source="*")
    file_size = serializers.IntegerField(source="size_bytes")
    metadata = DocumentFactsSerializer(source="*")
    created_at = serializers.DateTimeField(default_timezone=UTC)
    indexed_at = serializers.SerializerMethodField()
    is_active = serializers.SerializerMethodField()

    def get_also_known_as(self, document: Document) -> list[str]:
        return [other.name for other in document.other_names.all()]

    def get_content_type(self, document: Document) -> str:
        return document.mime or "application/octet-stream"

    @extend_schema_field(serializers.CharField(help_text="processed, processing or failed."))
    def get_status(self, document: Document) -> str:
        return STATUSES.get(Document.State(document.state), "processing")

    def get_error(self, document: Document) -> str | None:
        return document.reason or None

    def get_indexed_at(self, document: Document) -> datetime | None:
        return document.updated_at.astimezone(UTC) if self.get_is_active(document) else None

    def get_is_active(self, document: Document) -> bool:
        return bool(document.state == Document.State.READY)


class UploadedFileSerializer(serializers.Serializer):
    filename = serializers.CharField()
    size = serializers.IntegerField()
    type = serializers.CharField(
        help_text="Told by the content; until it is read, as the sender declared it."
    )
    status = serializers.CharField(help_text="success, processing or failed.")
    chunks_created = serializers.IntegerField()
    error = serializers.CharField(required=False)
    document_id = serializers.UUIDField(required=False)
    progress_percent = serializers.IntegerField(required=False)
    same_content_as = serializers.CharField(
        required=False, help_text="The name under which this content is kept already."
    )


class DocumentNameSerializer(serializers.Serializer):
    filename = serializers.CharField()
    document_id = serializers.UUIDField()
    content_type = serializers.CharField()


class UploadedFilesSerializer(serializers.Serializer):
    uploaded_files = UploadedFileSerializer(many=True)
    total_uploaded = serializers.IntegerField()
    total_failed = serializers.IntegerField()
    total_processing = serializers.IntegerField(help_text="Still being read; see /rag/documents.")
    total_chunks = serializers.IntegerField()
    uploaded_documents = DocumentNameSerializer(many=True)
    replaced_documents = DocumentNameSerializer(many=True)
    total_processed = serializers.IntegerField()


class UploadFilesSerializer(serializers.Serializer):
    files = serializers.ListField(child=serializers.FileField(), help_text="One part for each file.")


class RemovedSerializer(serializers.Serializer):
    filename = serializers.CharField()
    documents_removed = serializers.IntegerField()
    chunks_removed = serializers.IntegerField()
    size_freed = serializers.IntegerField(help_text="Bytes.")
    kept_as = serializers.CharField(
        required=False, help_text="Another name under which the same content was uploaded, and stays."
    )


class DocumentStatsSerializer(serializers.Serializer):
    total_documents = serializers.IntegerField()
    total_chunks = serializers.IntegerField()
    total_size_bytes = serializers.IntegerField()
    file_types = serializers.DictField(child=serializers.IntegerField())
    last_updated = serializers.DateTimeField(allow_null=True)
    avg_chunk_size = serializers.IntegerField(help_text="Characters.")
    collection_health = serializers.ChoiceField(choices=["healthy", "degraded"])
    collection_size = serializers.IntegerField(help_text="Characters of text.")
    collection_name = serializers.CharField()
    embedding_model = serializers.CharField(allow_blank=True, help_text="Empty: found by words alone.")


REMOVED = answered("RagDocumentRemoved", RemovedSerializer())
STATS = answered("RagStats", DocumentStatsSerializer())
UPLOADED = answered("UploadOutcome", UploadedFilesSerializer())


@extend_schema(tags=["Documents"])
class UploadView(APIView):
    """Describes the operation; requests never reach it."""

    required_scope = "knowledge"
    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="upload_docs",
        request={"multipart/form-data": UploadFilesSerializer},
        responses={200: UPLOADED},
    )
    def post(self, request: Request) -> Response:
        """Upload documents; each file has its own outcome. A file of a known name replaces the older one."""
        raise MethodNotAllowed("POST")
