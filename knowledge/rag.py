"""`/rag/…`: the documented API of an account's documents. Uploads are in uploading.py."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import envelope
from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.errors import NotFoundError
from config.api.metadata import timestamp
from config.api.models import AuditEntry
from config.api.pagination import KeysetPagination, PagePagination, Schema, make_cursor, parameter
from knowledge import rag_described as described
from knowledge.account_documents import (
    SLUG,
    documents_in,
    existing_collection,
    file_types,
    health,
    remove_named,
)
from knowledge.embedding import is_wanted, model_of
from knowledge.models import Collection, Document


def answered(data: Any, message: str, **more: Any) -> Response:
    """The envelope with what other readers of the documented API look for beside it."""
    return Response(envelope.body(data, message=message, error=None, timestamp=timestamp(), **more))


class DocumentPages(PagePagination):
    """By page, as documented; or, from `pagination.next` of any page on, by cursor without an end."""

    def paginate_queryset(self, queryset: Any, request: Request, view: APIView | None = None) -> list[Any]:
        self.view = view
        self.keyset = KeysetPagination() if "cursor" in request.query_params else None
        if self.keyset is not None:
            return self.keyset.paginate_queryset(queryset, request, view)
        rows = super().paginate_queryset(queryset, request, view)
        self.next_cursor = self._cursor_after(rows)
        return rows

    def total_of(self, queryset: QuerySet[Any]) -> int:
        """The collection's own count, which the view has just read."""
        return int(getattr(self.view, "total", 0))

    def _cursor_after(self, rows: list[Document]) -> str | None:
        if not rows or self.page * self.limit >= self.total:
            return None
        return make_cursor((rows[-1].created_at.isoformat(), str(rows[-1].pk)))

    def pagination(self) -> dict[str, Any]:
        if self.keyset is not None:
            return self.keyset.pagination()
        return {**super().pagination(), "next": self.next_cursor}

    def get_paginated_response(self, data: Any) -> Response:
        pagination = self.pagination()
        flat = {
            name: pagination[name] for name in ("total", "page", "per_page", "pages") if name in pagination
        }
        return answered(data, "", pagination=pagination, **flat)

    def get_schema_operation_parameters(self, view: APIView) -> list[Schema]:
        per_page = f"Rows on a page, 1 to {self.most}; else {self.default_limit}."
        cursor = "`pagination.next` of the page before, instead of `page`; rows by `limit`."
        return [
            *super().get_schema_operation_parameters(view),
            parameter("per_page", "integer", per_page),
            parameter("cursor", "string", cursor),
        ]


@extend_schema(tags=["Documents"])
class RagDocumentsView(generics.ListAPIView):
    """The documents of the account, newest first."""

    required_scope = "knowledge"
    serializer_class = described.DocumentItemSerializer
    pagination_class = DocumentPages
    ordering = "-created_at"
    total = 0

    def get_queryset(self) -> QuerySet[Document]:
        if getattr(self, "swagger_fake_view", False):
            return Document.objects.none()
        collection = existing_collection(account_of(self.request))
        if collection is None:
            return Document.objects.none()
        self.total = collection.document_count
        return documents_in(collection).prefetch_related("other_names").order_by("-created_at", "-pk")


@extend_schema(tags=["Documents"])
class RagDocumentView(APIView):
    """One document, by its file name or its id."""

    required_scope = "knowledge"

    @extend_schema(
        operation_id="rag_documents_delete",
        parameters=[
            OpenApiParameter(
                "filename", OpenApiTypes.STR, OpenApiParameter.PATH, description="The file name, or the id."
            )
        ],
        responses={200: described.REMOVED},
    )
    def delete(self, request: Request, filename: str) -> Response:
        """Remove a document with its passages: all that have this file name, else the one with this id.

        Content that was uploaded under other names too stays under those (`kept_as`); by its id it goes.
        """
        account = account_of(request)
        removed = remove_named(account, filename.replace("\x00", ""))
        if removed is None:
            raise NotFoundError("document")
        detail = {"chunks": removed.chunks, "documents": removed.documents}
        key = AuditEntry.ActorKind.KEY
        record(account, key, caller_of(request).name, "delete document", detail=detail, request=request)
        data = {
            "filename": removed.filename,
            "documents_removed": removed.documents,
            "chunks_removed": removed.chunks,
            "size_freed": removed.size_bytes,
        }
        if not removed.kept_as:
            return answered(data, f"Removed {removed.filename}.")
        stays = f"Its content stays as {removed.kept_as}."
        return answered({**data, "kept_as": removed.kept_as}, f"Removed {removed.filename}. {stays}")


@extend_schema(tags=["Documents"])
class RagStatsView(APIView):
    """What the account's documents come to."""

    required_scope = "knowledge"

    @extend_schema(responses={200: described.STATS})
    def get(self, request: Request) -> Response:
        """How many documents and passages, of which types, and whether all is well."""
        collection = existing_collection(account_of(request))
        return answered(stats_of(collection or Collection(slug=SLUG)), "")


def stats_of(collection: Collection) -> dict[str, Any]:
    """From the collection's own counts: as quick for a million passages as for one."""
    is_there = not collection._state.adding
    changed = collection.changed_at
    return {
        "total_documents": collection.document_count,
        "total_chunks": collection.chunk_count,
        "total_size_bytes": collection.size_bytes,
        "file_types": file_types(collection) if is_there else dict.fromkeys(("pdf", "csv", "txt", "json"), 0),
        "last_updated": timestamp(changed) if changed else None,
        "avg_chunk_size": round(collection.character_count / max(1, collection.chunk_count)),
        "collection_health": health(collection) if is_there else "healthy",
        "collection_size": collection.character_count,
        "collection_name": collection.slug,
        "embedding_model": model_of(collection) if is_wanted(collection) else "",
    }
