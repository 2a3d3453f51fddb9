"""What drf-spectacular cannot know by itself: our credentials, our envelope, and the form of errors."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

from config.api.failures import Failure, FieldError
from config.api.families import CALLER, CRM, MARKETING, PERSONA, WEBHOOK, Family, family_of

Schema = dict[str, Any]


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "config.api.authentication.ApiKeyAuthentication"
    name = ["BearerKey", "ApiKeyHeader"]

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        # A list: either of the two, not both.
        return [{name: []} for name in self.name]

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        bearer = {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <API key>"}
        return [bearer, {"type": "apiKey", "in": "header", "name": "X-API-Key"}]


class DemoScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """In demo mode no credential is needed; that is nothing to document on each operation."""

    target_class = "config.api.authentication.DemoAuthentication"
    name: list[str] = []

    def get_security_requirement(self, auto_schema: AutoSchema) -> list[dict[str, list[Any]]]:
        return []

    def get_security_definition(self, auto_schema: AutoSchema) -> list[Schema]:
        return []


class ProcessingDetailsSerializer(serializers.Serializer):
    database_queries = serializers.IntegerField()
    database_time = serializers.FloatField(help_text="Seconds.")
    openai_calls = serializers.IntegerField()
    openai_time = serializers.FloatField(help_text="Seconds.")
    rag_retrieval_time = serializers.FloatField(help_text="Seconds.")
    total_tokens = serializers.IntegerField()


class MetadataSerializer(serializers.Serializer):
    response_time = serializers.FloatField(help_text="Seconds.")
    timestamp = serializers.DateTimeField()
    request_id = serializers.CharField()
    api_version = serializers.CharField()
    processing_details = ProcessingDetailsSerializer()


def enveloped(name: str, data: Any) -> Any:
    """The response `{"success", "data", "metadata"}` for `extend_schema`; `name` names the component.

    `data` is a serializer (with `many=True` for a list) or a field.
    """
    fields = {"success": serializers.BooleanField(), "data": data, "metadata": MetadataSerializer()}
    return inline_serializer(name, fields)


EXAMPLE = Failure(
    400,
    "VALIDATION_ERROR",
    "email: Enter a valid email address.",
    fields=(FieldError(("email",), "Enter a valid email address.", "invalid"),),
    is_input=True,
)
WITHOUT_FIELDS = Failure(404, "NOT_FOUND", "There is nothing at this address.")
COMPONENTS: dict[str, Family] = {
    "Error": CRM,
    "MarketingError": MARKETING,
    "WebhookError": WEBHOOK,
    "PersonaError": PERSONA,
    "CallerError": CALLER,
}
NAMES = {family.name: name for name, family in COMPONENTS.items()}
METHODS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def described(value: Any) -> Schema:
    """A schema that fits the value: the error bodies are described by what really writes them."""
    if isinstance(value, dict):
        properties = {key: described(inner) for key, inner in value.items()}
        # Details differ by code; whatever a program may find there is not promised here.
        return {
            "type": "object",
            "properties": {**properties, **({"details": {}} if "details" in value else {})},
        }
    if isinstance(value, list):
        return {"type": "array", "items": described(value[0]) if value else {}}
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"))
    return next(({"type": name} for kind, name in kinds if isinstance(value, kind)), {})


def error_component(family: Family) -> Schema:
    body, bare = family.body(EXAMPLE), family.body(WITHOUT_FIELDS)
    return {
        **described(body),
        "required": sorted(body.keys() & bare.keys()),
        "description": f"An error in the {family.name} APIs.",
    }


def add_errors(result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """A drf-spectacular POSTPROCESSING_HOOK: every operation can answer with its family's error."""
    schemas = result.setdefault("components", {}).setdefault("schemas", {})
    for path, operations in result.get("paths", {}).items():
        name = NAMES[family_of(path).name]
        schemas.setdefault(name, error_component(COMPONENTS[name]))
        content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
        answer = {"description": "Any error.", "content": content}
        for method, operation in operations.items():
            if method in METHODS:
                operation["responses"].setdefault("default", answer)
    _add_metadata(schemas)
    result["components"]["schemas"] = dict(sorted(schemas.items()))
    return result


def _add_metadata(schemas: Schema) -> None:
    """Pages of lists refer to it (pagination.py) without a serializer that would bring it in."""
    numbers = {"type": "object", "additionalProperties": {"type": "number"}}
    text = {"type": "string"}
    properties = {
        "response_time": {"type": "number", "description": "Seconds."},
        "timestamp": {"type": "string", "format": "date-time"},
        "request_id": text,
        "api_version": text,
        "processing_details": numbers,
    }
    schemas.setdefault(
        "Metadata", {"type": "object", "properties": properties, "required": sorted(properties)}
    )
