"""Pages of lists: by keyset for ours, by page and total where a documented API has them.

Both put a `pagination` object beside `data` in the envelope:

    KeysetPagination  {"limit": 50, "next": "<cursor>" | null}                ?limit=&cursor=
    PagePagination    {"page": 1, "per_page": 10, "limit": 10, "total": 150, "pages": 15}   ?page=&limit=
"""

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError as FieldProblem
from django.db.models import Field, Model, Q, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from config.api import envelope

if TYPE_CHECKING:
    # REST framework imports this module while it makes APIView.
    from rest_framework.views import APIView

DEEPEST = 10_000  # rows; an OFFSET beyond reads and throws away more than anyone looks at
LONGEST_CURSOR = 500  # characters

Schema = dict[str, Any]


def whole(query: Mapping[str, str], name: str, default: int, *, most: int | None = None) -> int:
    """A whole number ≥ 1 of the query. Raises ValidationError for anything else."""
    text = query.get(name, "")
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else 0
    if number < 1 or (most is not None and number > most):
        limits = f"from 1 to {most}" if most else "of at least 1"
        raise ValidationError({name: [f"Must be a whole number {limits}."]})
    return number


def parameter(name: str, kind: str, description: str) -> Schema:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": kind},
    }


def envelope_schema(rows: Schema, pagination: Schema) -> Schema:
    return {
        "type": "object",
        "required": ["success", "data", "pagination", "metadata"],
        "properties": {
            "success": {"type": "boolean"},
            "data": rows,
            "pagination": {"type": "object", "properties": pagination},
            "metadata": {"$ref": "#/components/schemas/Metadata"},
        },
    }


class KeysetPagination(BasePagination):
    """Pages that start after the last row of the one before: steady while rows come and go, and equally fast.

    Ordered by one field, named by the view's `ordering` or this class's, and by the primary key
    where the field is equal. The field has no NULLs.
    """

    ordering = "-id"
    default_limit = 50
    most = 200

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        ordering: str = getattr(view, "ordering", None) or self.ordering
        self.limit = whole(request.query_params, "limit", self.default_limit, most=self.most)
        self.name, self.is_descending = ordering.removeprefix("-"), ordering.startswith("-")
        sign = "-" if self.is_descending else ""
        if cursor := request.query_params.get("cursor", ""):
            queryset = queryset.filter(self._after(queryset.model, cursor))
        rows = list(queryset.order_by(f"{sign}{self.name}", f"{sign}pk")[: self.limit + 1])
        self.next_cursor = self._cursor_of(rows[self.limit - 1]) if len(rows) > self.limit else None
        return rows[: self.limit]

    def _after(self, model: type[Model], cursor: str) -> Q:
        fields = concrete_field(model, self.name), model._meta.pk
        try:
            given = read_cursor(cursor)
            value, key = (field.to_python(text) for field, text in zip(fields, given, strict=True))
        except (ValueError, FieldProblem):
            raise ValidationError({"cursor": ["This cursor was not made here. Start without one."]}) from None
        step = "lt" if self.is_descending else "gt"
        # The first condition is implied by the second; databases can use an index for it.
        within = Q(**{f"{self.name}__{step}e": value})
        return within & (Q(**{f"{self.name}__{step}": value}) | Q(**{f"pk__{step}": key}))

    def _cursor_of(self, row: Model) -> str:
        field = concrete_field(type(row), self.name)
        return make_cursor((field.value_to_string(row), str(row.pk)))

    def pagination(self) -> dict[str, Any]:
        return {"limit": self.limit, "next": self.next_cursor}

    def get_paginated_response(self, data: Any) -> Response:
        return Response(envelope.body(data, pagination=self.pagination()))

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        cursor = {"type": "string", "nullable": True, "description": "Send it as `cursor`; null at the end."}
        return envelope_schema(schema, {"limit": {"type": "integer"}, "next": cursor})

    def get_schema_operation_parameters(self, view: "APIView") -> list[Schema]:
        return [
            parameter("limit", "integer", f"Rows on a page, 1 to {self.most}; else {self.default_limit}."),
            parameter("cursor", "string", "`pagination.next` of the page before."),
        ]


def concrete_field(model: type[Model], name: str) -> "Field[Any, Any]":
    field = model._meta.pk if name in ("id", "pk") else model._meta.get_field(name)
    if not isinstance(field, Field):
        raise TypeError(f"{model.__name__} cannot be ordered by {name}.")
    return field


def make_cursor(values: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> list[str]:
    """The texts in a cursor. Raises ValueError for anything that `make_cursor` did not make."""
    if len(cursor) > LONGEST_CURSOR or not cursor.isascii():
        raise ValueError("not a cursor")
    try:
        values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, RecursionError) as error:
        raise ValueError("not a cursor") from error
    if not isinstance(values, list) or len(values) != 2 or not all(isinstance(text, str) for text in values):
        raise ValueError("not a cursor")
    if any("\0" in text for text in values):
        raise ValueError("not a cursor")
    return values


class PagePagination(BasePagination):
    """Page number and total, for the documented lists. `per_page` means the same as `limit`."""

    default_limit = 10
    most = 100

    def paginate_queryset(self, queryset: Any, request: Request, view: "APIView | None" = None) -> list[Any]:
        query = request.query_params
        name = "limit" if "limit" in query else "per_page"
        self.limit = whole(query, name, self.default_limit, most=self.most)
        self.page = whole(query, "page", 1)
        start = (self.page - 1) * self.limit
        if start > DEEPEST:
            raise ValidationError(
                {"page": [f"Pages end at row {DEEPEST:,}. Narrow the filters, or use a list with `cursor`."]}
            )
        self.total = self.total_of(queryset)
        return list(queryset[start : start + self.limit])

    def total_of(self, queryset: QuerySet[Any]) -> int:
        """A subclass may answer from a counter instead."""
        return queryset.count()

    def pagination(self) -> dict[str, int]:
        return {
            "page": self.page,
            "per_page": self.limit,
            "limit": self.limit,
            "total": self.total,
            "pages": math.ceil(self.total / self.limit),
        }

    def get_paginated_response(self, data: Any) -> Response:
        return Response(envelope.body(data, pagination=self.pagination()))

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        names = ("page", "per_page", "limit", "total", "pages")
        return envelope_schema(schema, {name: {"type": "integer"} for name in names})

    def get_schema_operation_parameters(self, view: "APIView") -> list[Schema]:
        return [
            parameter("page", "integer", "The page, from 1."),
            parameter("limit", "integer", f"Rows on a page, 1 to {self.most}; else {self.default_limit}."),
        ]
