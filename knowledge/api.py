"""Knowledge for integrations: collections, documents, and what became of a question."""

import re
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import envelope
from config.api.authentication import account_of
from config.api.errors import ApiError, ConflictError, NotFoundError
from config.api.openapi import enveloped
from config.api.pagination import KeysetPagination
from knowledge.answering import rate
from knowledge.ingestion import Refused, add_document, remove_document
from knowledge.models import Collection, Document, Question


class CollectionSerializer(serializers.ModelSerializer):
    slug = serializers.RegexField(
        r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        error_messages={"invalid": "Use letters, digits, dots and dashes."},
    )

    class Meta:
        model = Collection
        fields = [
            "id",
            "slug",
            "name",
            "description",
            "staff_may_read",
            "assistants_may_read",
            "document_count",
            "chunk_count",
            "created_at",
        ]
        read_only_fields = ["id", "document_count", "chunk_count", "created_at"]


class DocumentSerializer(serializers.ModelSerializer):
    collection: Any = serializers.SlugRelatedField(slug_field="slug", read_only=True)

    class Meta:
        model = Document
        fields = [
            "id",
            "collection",
            "title",
            "filename",
            "mime",
            "size_bytes",
            "checksum",
            "state",
            "reason",
            "progress_percent",
            "units_done",
            "units_total",
            "unit",
            "page_count",
            "chunk_count",
            "origin_kind",
            "origin_id",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class UploadSerializer(serializers.Serializer):
    file = serializers.FileField(
        max_length=300, allow_empty_file=True
    )  # ingestion says what is wrong with it
    collection = serializers.CharField(max_length=100, help_text="The slug of a collection.")
    title = serializers.CharField(max_length=300, required=False, allow_blank=True, default="")


class AnswerThumbsSerializer(serializers.Serializer):
    thumbs = serializers.ChoiceField(choices=[1, -1], help_text="1: it helped; -1: it did not.")
    comment = serializers.CharField(max_length=2000, required=False, allow_blank=True, default="")


COLLECTION = enveloped("KnowledgeCollection", CollectionSerializer())
DOCUMENT = enveloped("KnowledgeDocument", DocumentSerializer())
RATING = enveloped("AnswerRating", AnswerThumbsSerializer())


def _collection(request: Request, slug: str) -> Collection:
    found = Collection.objects.for_account(account_of(request)).filter(slug=slug).first()
    if found is None:
        raise NotFoundError("collection")
    return found


def _document(request: Request, document_id: UUID) -> Document:
    rows = Document.objects.for_account(account_of(request)).select_related("collection")
    found = rows.defer("given_sections").filter(pk=document_id).first()
    if found is None:
        raise NotFoundError("document")
    return found


@extend_schema(tags=["Knowledge"])
class CollectionsView(generics.ListAPIView):
    """The collections of the account, newest first."""

    required_scope = "knowledge"
    serializer_class = CollectionSerializer
    pagination_class = KeysetPagination

    def get_queryset(self) -> QuerySet[Collection]:
        if getattr(self, "swagger_fake_view", False):
            return Collection.objects.none()
        return Collection.objects.for_account(account_of(self.request))

    @extend_schema(request=CollectionSerializer, responses={201: COLLECTION})
    def post(self, request: Request) -> Response:
        """Make a collection."""
        serializer = CollectionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            with transaction.atomic():
                serializer.save(account=account_of(request), embedding_provider=settings.EMBEDDING_PROVIDER)
        except IntegrityError:
            raise ConflictError("A collection with this slug exists already.") from None
        return envelope.success(request, serializer.data, status=status.HTTP_201_CREATED)


@extend_schema(tags=["Knowledge"])
class DocumentsView(generics.ListAPIView):
    """The documents of the account, newest first."""

    required_scope = "knowledge"
    serializer_class = DocumentSerializer
    pagination_class = KeysetPagination
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[Document]:
        if getattr(self, "swagger_fake_view", False):
            return Document.objects.none()
        rows = Document.objects.for_account(account_of(self.request)).select_related("collection")
        rows = rows.filter(superseded_at=None).defer("given_sections")
        query = self.request.query_params
        if slug := query.get("collection", ""):
            rows = rows.filter(collection=_collection(self.request, slug.replace("\x00", "")))
        if state := query.get("state", ""):
            rows = rows.filter(state=_state(state))
        return rows

    @extend_schema(
        parameters=[
            OpenApiParameter("collection", OpenApiTypes.STR, description="Only this collection (its slug)."),
            OpenApiParameter("state", OpenApiTypes.STR, enum=Document.State.values),
        ]
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        request={"multipart/form-data": UploadSerializer}, responses={200: DOCUMENT, 201: DOCUMENT}
    )
    def post(self, request: Request) -> Response:
        """Upload a document; it is read in the background. The same content is the same document (200)."""
        serializer = UploadSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        collection = _collection(request, given["collection"])
        asked_at = timezone.now()
        document = _added(collection, given["file"], title=given["title"])
        is_new = document.created_at >= asked_at
        answer = DocumentSerializer(document).data
        return envelope.success(request, answer, status=201 if is_new else 200)


def _state(name: str) -> str:
    if name not in Document.State.values:
        words = f"Must be one of: {', '.join(Document.State.values)}."
        raise ApiError("VALIDATION_ERROR", f"state: {words}", details={"state": [words]})
    return name


def _added(collection: Collection, file: Any, *, title: str) -> Document:
    if file.size > settings.MAX_DOCUMENT_BYTES:
        words = f"The file is larger than {settings.MAX_DOCUMENT_BYTES // 1024**2} MB."
        raise ApiError("PAYLOAD_TOO_LARGE", words, status_code=413)
    try:
        return add_document(collection, title=title, filename=file.name, content=file.read())
    except Refused as refusal:
        raise ApiError("VALIDATION_ERROR", str(refusal), details={"file": [str(refusal)]}) from None


@extend_schema(tags=["Knowledge"])
class DocumentView(APIView):
    """One document."""

    required_scope = "knowledge"

    @extend_schema(responses=DOCUMENT)
    def get(self, request: Request, document_id: UUID) -> Response:
        """How far a document is."""
        return envelope.success(request, DocumentSerializer(_document(request, document_id)).data)

    @extend_schema(responses={204: OpenApiResponse(description="Its file, passages and vectors are gone.")})
    def delete(self, request: Request, document_id: UUID) -> Response:
        """Remove a document with its file, passages and vectors."""
        remove_document(_document(request, document_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


@extend_schema(tags=["Knowledge"])
class DocumentFileView(APIView):
    """The file of a document, as it was given."""

    required_scope = "knowledge"

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, document_id: UUID) -> FileResponse:
        """Download the file."""
        return file_response(_document(request, document_id))


def file_response(document: Document) -> FileResponse:
    """The stored file, always as a download: a browser must never run what somebody uploaded."""
    if not document.file.name or document.stored_at is None:
        raise NotFoundError("file")
    try:
        stored = default_storage.open(document.file.name, "rb")
    except FileNotFoundError:
        raise NotFoundError("file") from None
    return FileResponse(
        stored,
        as_attachment=True,
        filename=re.split(r"[/\\]", document.filename)[-1].strip(" .") or "document",
        content_type="application/octet-stream",
        headers={"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"},
    )


@extend_schema(tags=["Knowledge"])
class RatingView(APIView):
    """Whether an answer helped."""

    required_scope = "knowledge"

    @extend_schema(request=AnswerThumbsSerializer, responses={200: RATING})
    def post(self, request: Request, question_id: UUID) -> Response:
        """Rate the answer to a question; rating again replaces the rating."""
        serializer = AnswerThumbsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        question = Question.objects.for_account(account_of(request)).filter(pk=question_id).first()
        if question is None:
            raise NotFoundError("question")
        rate(question, **serializer.validated_data)
        return envelope.success(request, serializer.data)
