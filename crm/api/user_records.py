"""Contacts as the CRM API knows them, its users: found by either id, read and written in its form."""

import json
from typing import Any

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.errors import ApiError
from config.api.models import AuditEntry
from crm import contacts
from crm.models import Contact, ContactAddress
from crm.sessions import SessionCaller

SCOPE = "crm"
MOST_PREFERENCES_BYTES = 16_384
DEEPEST_PREFERENCES = 6


def user_of(request: Request, user_id: str, *, own: Contact | None = None) -> Contact:
    """The user of an id, ours or the caller's own. For a chat user (`own`) anybody else is not there."""
    found = contacts.find(account_of(request), user_id)
    is_theirs = own is None or (found is not None and found.pk == own.pk)
    if found is None or found.erased_at is not None or not is_theirs:
        raise no_such_user(user_id)
    return found


def no_such_user(user_id: str) -> ApiError:
    """In the documented words."""
    details = f"User with ID '{user_id[:100]}' does not exist"
    return ApiError("NOT_FOUND", "User not found", status_code=404, details=details)


def noted(request: Request, action: str, target: Any, detail: dict[str, Any] | None = None) -> None:
    caller = caller_of(request)
    is_person = isinstance(caller, SessionCaller)
    kind = AuditEntry.ActorKind.PERSON if is_person else AuditEntry.ActorKind.KEY
    record(caller.account, kind, caller.name, action, target=target, detail=detail, request=request)


def flag(request: Request, name: str, *, default: bool) -> bool:
    text = request.query_params.get(name, "")
    try:
        return bool(serializers.BooleanField().run_validation(text)) if text else default
    except serializers.ValidationError as error:
        raise serializers.ValidationError({name: error.detail}) from None


class UserSerializer(serializers.Serializer):
    """`id` is the caller's own id of the user where there is one, else ours; paths take either."""

    id = serializers.SerializerMethodField()
    contact_id = serializers.UUIDField(source="pk")
    name = serializers.CharField()
    email = serializers.SerializerMethodField()
    phone = serializers.SerializerMethodField()
    company = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()
    preferences = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    is_active = serializers.BooleanField()

    def get_id(self, contact: Contact) -> str:
        return contacts.reference_of(contact)

    def get_email(self, contact: Contact) -> str | None:
        return contacts.email_of(contact) or None

    def get_phone(self, contact: Contact) -> str | None:
        return contacts.phone_of(contact) or None

    def get_company(self, contact: Contact) -> str | None:
        return contact.company or None

    def get_role(self, contact: Contact) -> str | None:
        return contact.role or None

    @extend_schema_field(OpenApiTypes.OBJECT)
    def get_preferences(self, contact: Contact) -> dict[str, Any]:
        return contact.preferences if isinstance(contact.preferences, dict) else {}


def changed_in(given: Any, contact: Contact) -> Any:
    """Without what a client has read of the user and sends back as it was, such as an email of null."""
    if not isinstance(given, dict) or isinstance(given, QueryDict):  # a form is all text
        return given
    shown = UserSerializer(contact).data
    return {name: value for name, value in given.items() if name not in shown or shown[name] != value}


@extend_schema_field(OpenApiTypes.OBJECT)
class PreferencesField(serializers.JSONField):
    """A JSON object of bounded size and depth."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Preferences must be a JSON object.")
        if _depth(data) > DEEPEST_PREFERENCES:
            raise serializers.ValidationError(
                f"Preferences may be nested {DEEPEST_PREFERENCES} levels deep at most."
            )
        if len(json.dumps(data).encode()) > MOST_PREFERENCES_BYTES:
            raise serializers.ValidationError(
                f"Preferences may have {MOST_PREFERENCES_BYTES:,} bytes at most."
            )
        return data


def _depth(value: Any) -> int:
    """How deep objects and lists are nested; stops counting where it is too deep anyway."""
    level, depth = [value], 0
    while level and depth <= DEEPEST_PREFERENCES:
        inner = [part for part in level if isinstance(part, dict | list)]
        level = [item for part in inner for item in (part.values() if isinstance(part, dict) else part)]
        depth += bool(inner)
        if not inner:
            break
    return depth


def _text(most: int, **options: Any) -> serializers.CharField:
    return serializers.CharField(max_length=most, **options)


OPTIONAL = {"required": False, "allow_null": True, "allow_blank": True}


class NewUserSerializer(serializers.Serializer):
    name = _text(200, error_messages={"required": "Name is required", "blank": "The name cannot be empty"})
    email = _text(
        320, error_messages={"required": "Email is required", "blank": "The email field cannot be empty"}
    )
    phone = _text(60, **OPTIONAL)
    company = _text(200, **OPTIONAL)
    role = _text(120, **OPTIONAL)
    preferences = PreferencesField(required=False, allow_null=True)

    def validate_email(self, text: str) -> str:
        return _readable(contacts.normalise_email, text)

    def validate_phone(self, text: str | None) -> str | None:
        return _readable(contacts.normalise_phone, text) if text else None

    def validate_company(self, text: str | None) -> str:
        return text or ""

    def validate_role(self, text: str | None) -> str:
        return text or ""

    def validate_preferences(self, value: dict[str, Any] | None) -> dict[str, Any]:
        return value or {}


class ChangedUserSerializer(NewUserSerializer):
    """All fields are optional; null takes an optional one away."""

    is_active = serializers.BooleanField(required=False, help_text="True brings a deactivated user back.")


def _readable(normalise: Any, text: str) -> str:
    try:
        return str(normalise(text))
    except contacts.InvalidAddress as error:
        raise serializers.ValidationError(str(error)) from None


def taken(error: contacts.AddressTaken) -> ApiError:
    """A 409 that says whose it is, so that the caller can go on with that user."""
    words = "This email address belongs to another user."
    if error.kind == ContactAddress.Kind.PHONE:
        words = "This phone number belongs to another user."
    details = {
        "field": str(error.kind),
        "id": contacts.reference_of(error.contact),
        "contact_id": str(error.contact.pk),
    }
    return ApiError("CONFLICT", words, status_code=409, details=details)
