"""Lists of the CRM API: a page number and totals as documented, and a cursor for those who read on."""

import hashlib
import math
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import envelope
from config.api.openapi import MetadataSerializer
from config.api.pagination import DEEPEST, KeysetPagination, Schema, parameter, whole

if TYPE_CHECKING:
    from rest_framework.views import APIView

EXACT_UP_TO = 10_000  # rows that are counted anew for each request
TOTAL_SECONDS = 300  # how long the total of a longer list is remembered, by each process


def bounded_total(queryset: QuerySet[Any]) -> int:
    """How many rows there are: exact for a short list; of a long one, at most some minutes old.

    A long list is counted in full once in those minutes, and never by every request.
    """
    rows = queryset.order_by()
    counted: int = rows[: EXACT_UP_TO + 1].count()
    if counted <= EXACT_UP_TO:
        return counted
    key = "total:" + hashlib.sha256(str(rows.query).encode()).hexdigest()
    return int(cache.get_or_set(key, rows.count, TOTAL_SECONDS) or counted)


class DocumentedPages(KeysetPagination):
    """`?page=&per_page=` (or `limit`) with totals; `?cursor=` goes on after `pagination.next`, at any depth.

    Ordered like KeysetPagination.
    """

    default_limit = 10
    most = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        ordering: str = getattr(view, "ordering", None) or self.ordering
        self.name, self.is_descending = ordering.removeprefix("-"), ordering.startswith("-")
        sign = "-" if self.is_descending else ""
        self._read(request)
        self.total = self.total_of(queryset)
        start = (self.page - 1) * self.limit
        if cursor := request.query_params.get("cursor", ""):
            queryset, start = queryset.filter(self._after(queryset.model, cursor)), 0
        ordered = queryset.order_by(f"{sign}{self.name}", f"{sign}pk")
        rows = list(ordered[start : start + self.limit + 1])
        self.next_cursor = self._cursor_of(rows[self.limit - 1]) if len(rows) > self.limit else None
        return rows[: self.limit]

    def _read(self, request: Request) -> None:
        query = request.query_params
        name = "limit" if "limit" in query else "per_page"
        self.limit = whole(query, name, self.default_limit, most=self.most)
        self.page = whole(query, "page", 1)
        if (self.page - 1) * self.limit > DEEPEST:
            words = f"Pages end at row {DEEPEST:,}. Narrow the filters, or go on with `cursor`."
            raise ValidationError({"page": [words]})

    def total_of(self, queryset: QuerySet[Any]) -> int:
        return bounded_total(queryset)

    def pagination(self) -> dict[str, Any]:
        return {**self._flat(), "limit": self.limit, "next": self.next_cursor}

    def _flat(self) -> dict[str, Any]:
        pages = math.ceil(self.total / self.limit)
        return {"total": self.total, "page": self.page, "per_page": self.limit, "pages": pages}

    def get_paginated_response(self, data: Any) -> Response:
        return envelope.answered(data, pagination=self.pagination(), **self._flat())

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        whole_number = {"type": "integer"}
        flat = dict.fromkeys(("total", "page", "per_page", "pages"), whole_number)
        cursor = {"type": "string", "nullable": True, "description": "Send it as `cursor`; null at the end."}
        pages = {"type": "object", "properties": {**flat, "limit": whole_number, "next": cursor}}
        properties = {
            "success": {"type": "boolean"},
            "message": {"type": "string"},
            "data": schema,
            "pagination": pages,
            **flat,
            "error": {"nullable": True},
            "timestamp": {"type": "string", "format": "date-time"},
            "metadata": {"$ref": "#/components/schemas/Metadata"},
        }
        required = [name for name in properties if name != "error"]
        return {"type": "object", "required": required, "properties": properties}

    def get_schema_operation_parameters(self, view: "APIView") -> list[Schema]:
        return [
            parameter("page", "integer", "The page, from 1."),
            parameter("per_page", "integer", f"Rows on a page, 1 to {self.most}; else {self.default_limit}."),
            parameter("cursor", "string", "`pagination.next` of the page before: any depth, equally fast."),
        ]


def union(name: str, data: Any, **more: Any) -> Any:
    """The body of `envelope.union_body` for `extend_schema`; `name` names the component."""
    fields = {
        "success": serializers.BooleanField(),
        "message": serializers.CharField(allow_blank=True),
        "data": data,
        **more,
        "error": serializers.JSONField(allow_null=True),
        "timestamp": serializers.DateTimeField(),
        "metadata": MetadataSerializer(),
    }
    return inline_serializer(name, fields)
