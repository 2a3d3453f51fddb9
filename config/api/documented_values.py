"""Fields and lists as the documented marketing API has them: times with their zone, bare arrays, bodies."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.pagination import KeysetPagination, Schema, parameter

if TYPE_CHECKING:
    # REST framework imports this module while it makes APIView.
    from rest_framework.views import APIView


PAGES = [
    OpenApiParameter("limit", OpenApiTypes.INT, description="At most so many; else 10,000."),
    OpenApiParameter("cursor", OpenApiTypes.STR, description="From the `Link` header of the answer before."),
]


class UtcTime(serializers.DateTimeField):
    """Always with its `Z`: a browser reads a time without a zone as its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)


def in_utc(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def body_or_query(request: Request, names: tuple[str, ...]) -> dict[str, Any]:
    """Values of the JSON body, else of the query: documents and clients of this API disagree on where."""
    body: Mapping[str, Any] = request.data if isinstance(request.data, Mapping) else {}
    return {
        name: body[name] if name in body else request.query_params[name]
        for name in names
        if name in body or name in request.query_params
    }


class WholeLists(KeysetPagination):
    """All rows at once, as documented, up to 10,000; a `Link` header leads on. `limit` asks for fewer."""

    default_limit = 10_000
    most = 10_000

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        self.request = request
        return super().paginate_queryset(queryset, request, view)

    def link(self) -> dict[str, str]:
        """The header; empty at the end of the list."""
        if self.next_cursor is None:
            return {}
        return next_link(self.request, self.next_cursor)

    def get_paginated_response(self, data: Any) -> Response:
        return private(data, headers=self.link())

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        return schema

    def get_schema_operation_parameters(self, view: "APIView") -> list[Schema]:
        return [
            parameter("limit", "integer", f"At most so many rows, 1 to {self.most:,}; else {self.most:,}."),
            parameter("cursor", "string", "From the `Link` header of the answer before."),
        ]


def next_link(request: Request, cursor: str) -> dict[str, str]:
    """The header that leads to the rows after these (RFC 8288)."""
    query = {**request.query_params.dict(), "cursor": cursor}
    address = f"{request.build_absolute_uri(request.path)}?{urlencode(query)}"
    return {"Link": f'<{address}>; rel="next"'}


def private(data: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer about people, which nobody keeps."""
    return Response(data, status=status, headers={"Cache-Control": "no-store", **(headers or {})})
