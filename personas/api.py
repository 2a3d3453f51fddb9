"""Personas over the API, for an account's own use: their instructions are part of it."""

from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as ModelError
from django.db import IntegrityError, transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError, NotFoundError
from config.api.models import AuditEntry
from config.api.openapi import enveloped
from personas.chains import check_chain
from personas.character_books import check_book
from personas.models import Persona
from personas.shapes import (
    MOST_EXAMPLES,
    MOST_GREETINGS,
    MOST_SUGGESTIONS,
    check_examples,
    check_greetings,
    check_suggestions,
    check_traits,
)
from personas.speaking import has_model
from personas.variables import MOST, TYPES, WITH_VARIABLES, check_variables, refuse_unknown_variables
from personas.versions import VERSIONED, save_persona

SCOPE = "personas"


def checked(check: Any) -> Any:
    """A validator of the model as one of REST framework."""

    def validate(value: Any) -> None:
        try:
            check(value)
        except ModelError as error:
            raise serializers.ValidationError(error.messages) from None

    return validate


@extend_schema_field({"type": "object", "additionalProperties": True, "example": {"tone": "warm"}})
class TraitsField(serializers.JSONField):
    pass


@extend_schema_field(
    {
        "type": "object",
        "additionalProperties": True,
        "example": {"entries": [{"keys": ["lamp"], "content": "The lamp is old."}]},
    }
)
class BookField(serializers.JSONField):
    pass


class ExampleSerializer(serializers.Serializer):
    person = serializers.CharField()
    persona = serializers.CharField()


class VariableSerializer(serializers.Serializer):
    name = serializers.CharField(help_text="Written in texts as {{name}}.")
    type = serializers.ChoiceField(choices=[(one, one) for one in TYPES], required=False)
    default = serializers.CharField(allow_blank=True, help_text="Where nothing is known of the person.")
    description = serializers.CharField(required=False, allow_blank=True)


class PersonaSerializer(serializers.ModelSerializer):
    traits = TraitsField(required=False, validators=[checked(check_traits)])
    examples = serializers.ListField(
        child=ExampleSerializer(),
        required=False,
        max_length=MOST_EXAMPLES,
        validators=[checked(check_examples)],
    )
    alternate_greetings = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=MOST_GREETINGS,
        validators=[checked(check_greetings)],
        help_text="Other ways to begin.",
    )
    character_book = BookField(
        required=False,
        validators=[checked(check_book)],
        help_text="What it knows, told to the model when the talk comes to it.",
    )
    suggested_messages = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        max_length=MOST_SUGGESTIONS,
        validators=[checked(check_suggestions)],
    )
    variables = serializers.ListField(
        child=VariableSerializer(), required=False, max_length=MOST, validators=[checked(check_variables)]
    )
    provider_chain = serializers.ListField(
        child=serializers.CharField(max_length=40), required=False, validators=[checked(check_chain)]
    )
    has_model = serializers.SerializerMethodField(help_text="False: no AI model words its replies.")

    class Meta:
        model = Persona
        fields = ("id", "slug", *VERSIONED, "version", "has_model", "created_at", "updated_at")
        read_only_fields = ("id", "version", "created_at", "updated_at")

    def validate(self, given: dict[str, Any]) -> dict[str, Any]:
        now = {name: getattr(self.instance, name) for name in WITH_VARIABLES} if self.instance else {}
        declared = given.get("variables", self.instance.variables if self.instance else [])
        texts = {**now, **{name: given[name] for name in WITH_VARIABLES if name in given}}
        try:
            refuse_unknown_variables(texts, declared)
        except ModelError as error:
            raise serializers.ValidationError(error.message_dict) from None
        return given

    def get_has_model(self, persona: Persona) -> bool:
        return has_model(persona)


def persona_of(request: Request, persona_id: UUID) -> Persona:
    found: Persona | None = Persona.objects.for_account(account_of(request)).filter(pk=persona_id).first()
    if found is None:
        raise NotFoundError("persona")
    return found


def stored(request: Request, persona: Persona, action: str, changed: list[str]) -> Persona:
    """Saved with its version and its audit entry. Raises ConflictError when the slug is taken."""
    caller = caller_of(request)
    try:
        with transaction.atomic():
            save_persona(persona, author=f"API key {caller.name}")
            record(
                caller.account,
                AuditEntry.ActorKind.KEY,
                caller.name,
                action,
                target=persona,
                detail={"fields": changed},
                request=request,
            )
    except IntegrityError:
        raise ConflictError("Another persona of this account has this slug.") from None
    return persona


@extend_schema(tags=["Personas"])
class PersonaList(generics.ListAPIView):
    """The account's personas, newest first."""

    required_scope = SCOPE
    serializer_class = PersonaSerializer
    queryset = Persona.objects.none()  # for the schema
    filters = {"status": Persona.Status.values, "kind": Persona.Kind.values}

    def get_queryset(self) -> Any:
        chosen = {name: value for name in self.filters if (value := self.request.query_params.get(name))}
        for name, value in chosen.items():
            if value not in self.filters[name]:
                raise serializers.ValidationError({name: [f"One of: {', '.join(self.filters[name])}."]})
        return Persona.objects.for_account(account_of(self.request)).filter(**chosen)

    @extend_schema(
        operation_id="personas_list",
        parameters=[
            OpenApiParameter("status", OpenApiTypes.STR, enum=Persona.Status.values),
            OpenApiParameter("kind", OpenApiTypes.STR, enum=Persona.Kind.values),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)

    @extend_schema(
        operation_id="personas_create",
        request=PersonaSerializer,
        responses={201: enveloped("PersonaCreated", PersonaSerializer())},
    )
    def post(self, request: Request) -> Response:
        given = PersonaSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        persona = Persona(account=account_of(request), **given.validated_data)
        stored(request, persona, "create persona", sorted(given.validated_data))
        return success(request, PersonaSerializer(persona).data, 201)


@extend_schema(tags=["Personas"])
class PersonaDetail(APIView):
    required_scope = SCOPE

    @extend_schema(operation_id="personas_read", responses=enveloped("PersonaRead", PersonaSerializer()))
    def get(self, request: Request, persona_id: UUID) -> Response:
        return success(request, PersonaSerializer(persona_of(request, persona_id)).data)

    @extend_schema(
        operation_id="personas_change",
        request=PersonaSerializer(partial=True),
        responses=enveloped("PersonaChanged", PersonaSerializer()),
    )
    def patch(self, request: Request, persona_id: UUID) -> Response:
        """Changes the fields that are given; the persona before is kept as a version."""
        persona = persona_of(request, persona_id)
        given = PersonaSerializer(persona, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        for name, value in given.validated_data.items():
            setattr(persona, name, value)
        stored(request, persona, "change persona", sorted(given.validated_data))
        return success(request, PersonaSerializer(persona).data)
