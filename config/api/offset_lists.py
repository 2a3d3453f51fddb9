"""Lists by `limit` and `offset`, as the persona API documents them, with a cursor for those who read on."""

from collections.abc import Mapping
from dataclasses import dataclass

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.exceptions import ValidationError

from config.api.pagination import DEEPEST


@dataclass(frozen=True, slots=True)
class Window:
    limit: int
    offset: int

    @property
    def rows(self) -> slice:
        """One row more than asked for: whether there is a next page."""
        return slice(self.offset, self.offset + self.limit + 1)


def wrong(name: str, message: str) -> ValidationError:
    """What is wrong with a parameter of the query."""
    return ValidationError({"query": {name: [message]}})


def window(query: Mapping[str, str], *, default: int, most: int) -> Window:
    """`limit` and `offset` of a query. Raises ValidationError."""
    limit = _whole(query, "limit", default, least=1, most=most)
    offset = _whole(query, "offset", 0, least=0, most=None)
    if offset > DEEPEST:
        raise wrong("offset", f"Pages end at row {DEEPEST:,}. Go on with `cursor`.")
    return Window(limit, offset)


def _whole(query: Mapping[str, str], name: str, default: int, *, least: int, most: int | None) -> int:
    text = query.get(name, "")
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else -1
    if number < least or (most is not None and number > most):
        limits = f"from {least} to {most}" if most else f"of at least {least}"
        raise wrong(name, f"Must be a whole number {limits}.")
    return number


def described(*, default: int, most: int, what: str = "Rows") -> list[OpenApiParameter]:
    """The parameters, for `extend_schema`."""
    limit = OpenApiParameter(
        "limit", OpenApiTypes.INT, description=f"{what} on a page, 1 to {most}; else {default}."
    )
    offset = OpenApiParameter(
        "offset", OpenApiTypes.INT, description=f"How many to leave out, at most {DEEPEST:,}."
    )
    return [limit, offset]
