"""The OpenAPI schema, and two ways to read it: Swagger UI to try calls, a plain page to read.

The reference page is ours: Redoc asks other hosts for fonts and a logo, and writes its styles inline.
"""

import json
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from config.api.models import digest

METHODS = ("get", "post", "put", "patch", "delete")


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The whole API. Made once in a process: it takes a second, and the code does not change."""
    generator: Any = SchemaGenerator
    found: dict[str, Any] = generator().get_schema(request=None, public=True)
    return found


@lru_cache(maxsize=1)
def schema_text() -> tuple[str, str]:
    """The schema as JSON, and its ETag."""
    text = json.dumps(schema(), default=str, ensure_ascii=False)
    return text, quote_etag(digest(text)[:32])


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    text, etag = schema_text()
    response = HttpResponse(text, content_type="application/json")
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    return get_conditional_response(request, etag=etag, response=response) or response


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "system/docs.html")


@require_safe
def reference(request: HttpRequest) -> HttpResponse:
    return render(request, "system/reference.html", {"info": schema()["info"], "groups": groups()})


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    where: str
    kind: str
    required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    summary: str
    description: str
    fields: tuple[Field, ...]
    answers: tuple[tuple[str, str], ...]

    @property
    def anchor(self) -> str:
        return f"{self.method}{self.path}".replace("/", "-").replace("{", "").replace("}", "").lower()


@lru_cache(maxsize=1)
def groups() -> list[tuple[str, list[Operation]]]:
    """Every operation, by the first part of its path that says something."""
    found: defaultdict[str, list[Operation]] = defaultdict(list)
    for path, operations in schema()["paths"].items():
        for method in METHODS:
            if method in operations:
                found[group_of(path, operations[method])].append(operation(method, path, operations[method]))
    return sorted(found.items())


def group_of(path: str, description: dict[str, Any]) -> str:
    tags = description.get("tags") or [path.strip("/").split("/")[0] or "start"]
    return str(tags[0])


def operation(method: str, path: str, description: dict[str, Any]) -> Operation:
    words = description.get("description", "").strip()
    summary = description.get("summary") or words.split("\n")[0]
    rest = words.removeprefix(summary).strip()
    return Operation(
        method=method.upper(),
        path=path,
        summary=summary,
        description=rest,
        fields=(*parameters(description), *body_fields(description)),
        answers=tuple(
            (code, answer.get("description", "")) for code, answer in description["responses"].items()
        ),
    )


def parameters(description: dict[str, Any]) -> list[Field]:
    return [
        Field(
            name=item["name"],
            where=item["in"],
            kind=kind_of(item.get("schema", {})),
            required=bool(item.get("required")),
            description=item.get("description", ""),
        )
        for item in description.get("parameters", [])
    ]


def body_fields(description: dict[str, Any]) -> list[Field]:
    content = description.get("requestBody", {}).get("content", {})
    if not content:
        return []
    body = resolved(next(iter(content.values())).get("schema", {}))
    required = body.get("required", [])
    return [
        Field(name, "body", kind_of(field), name in required, field.get("description", ""))
        for name, field in body.get("properties", {}).items()
    ]


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` into the components stands for."""
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema()["components"]["schemas"].get(name, part) if name else part
    return found


def kind_of(part: dict[str, Any]) -> str:
    """The type in a word: string, integer, array of string, the name of a component."""
    if "$ref" in part:
        return str(part["$ref"]).rpartition("/")[2]
    if part.get("type") == "array":
        return f"array of {kind_of(part.get('items', {}))}"
    for word in ("allOf", "oneOf", "anyOf"):
        if part.get(word):
            return " or ".join(kind_of(option) for option in part[word])
    return str(part.get("format") or part.get("type") or "any")
