"""Contacts over the API: found, made, changed, exported, erased; and what happened with each."""

from typing import Any
from uuid import UUID

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError, NotFoundError
from config.api.openapi import enveloped
from config.api.zones import validate_time_zone
from crm import contacts, erasure
from crm.api.user_records import PreferencesField
from crm.models import Contact, ContactAddress, Erasure, TimelineEntry

SCOPE = "crm"
FILTERS = [
    OpenApiParameter("email", OpenApiTypes.STR, description="Only the one with this address."),
    OpenApiParameter("phone", OpenApiTypes.STR, description="Only the one with this number."),
]


class AddressSerializer(serializers.ModelSerializer):
    class Meta:
        model = ContactAddress
        fields = ("kind", "value", "is_primary", "is_verified", "source")


class ContactSerializer(serializers.ModelSerializer):
    addresses = AddressSerializer(many=True, read_only=True)
    preferences = PreferencesField(required=False)
    fields = PreferencesField(required=False)  # type: ignore[assignment]

    class Meta:
        model = Contact
        fields = (
            "id",
            "name",
            "company",
            "role",
            "language",
            "time_zone",
            "preferences",
            "fields",
            "is_active",
            "addresses",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_at", "updated_at")


class NewContactSerializer(serializers.Serializer):
    """At least one address. An address that is known gives its contact, with empty facts filled in."""

    email = serializers.CharField(max_length=320, required=False, default="", allow_blank=True)
    phone = serializers.CharField(max_length=60, required=False, default="", allow_blank=True)
    external_id = serializers.CharField(max_length=320, required=False, default="", allow_blank=True)
    name = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    company = serializers.CharField(max_length=200, required=False, default="", allow_blank=True)
    role = serializers.CharField(max_length=120, required=False, default="", allow_blank=True)
    language = serializers.CharField(max_length=12, required=False, default="", allow_blank=True)
    time_zone = serializers.CharField(
        max_length=64, required=False, default="", allow_blank=True, validators=[validate_time_zone]
    )


class TimelineEntrySerializer(serializers.ModelSerializer):
    class Meta:
        model = TimelineEntry
        fields = ("id", "at", "kind", "direction", "channel", "title", "ref")


class ErasureSerializer(serializers.ModelSerializer):
    class Meta:
        model = Erasure
        fields = ("id", "state", "receipt", "requested_at", "finished_at")


def contact_of(request: Request, contact_id: UUID) -> Contact:
    """Whom this id names now: who became part of another contact is that one. Raises NotFoundError."""
    rows = Contact.objects.for_account(account_of(request)).select_related("account")
    found: Contact | None = rows.prefetch_related("addresses").filter(pk=contact_id).first()
    if found is None:
        raise NotFoundError("contact")
    return contacts.now_part_of(found)


def noted(request: Request, action: str, contact: Contact) -> None:
    record(account_of(request), "key", caller_of(request).name, action, target=contact, request=request)


def _with_address(rows: Any, name: str, text: str) -> Any:
    normalise = contacts.normalise_email if name == "email" else contacts.normalise_phone
    try:
        value = normalise(text)
    except contacts.InvalidAddress as error:
        raise serializers.ValidationError({name: [str(error)]}) from None
    return rows.filter(addresses__kind=name, addresses__value=value)


def people_asked_for(request: Request) -> Any:
    """The account's contacts by FILTERS; not who became part of another, or was erased."""
    rows = contacts.people_among(Contact.objects.for_account(account_of(request)))
    for name in ("email", "phone"):
        if text := request.query_params.get(name):
            rows = _with_address(rows, name, text)
    return rows


@extend_schema(tags=["Contacts"])
class ContactList(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = ContactSerializer
    ordering = "-created_at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Contact.objects.none()
        return people_asked_for(self.request).prefetch_related("addresses")

    @extend_schema(
        operation_id="contacts_list",
        summary="Contacts, the newest first; not who became part of another, or was erased",
        parameters=FILTERS,
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="contacts_create",
        summary="Make a contact, or find the one an address leads to (200)",
        request=NewContactSerializer,
        responses={
            200: enveloped("ContactFoundResponse", ContactSerializer()),
            201: enveloped("ContactResponse", ContactSerializer()),
        },
    )
    def post(self, request: Request) -> Response:
        serializer = NewContactSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            contact, created = contacts.resolve(
                account_of(request), source="api", **serializer.validated_data
            )
        except contacts.InvalidAddress as error:
            raise serializers.ValidationError(
                {_field_at_fault(serializer.validated_data): [str(error)]}
            ) from None
        if created:
            noted(request, "created contact", contact)
        return success(request, ContactSerializer(contact).data, 201 if created else 200)


def _field_at_fault(given: dict[str, Any]) -> str:
    """The first address that does not read; the email when none was given."""
    checks = (
        ("email", contacts.normalise_email),
        ("phone", contacts.normalise_phone),
        ("external_id", contacts.normalise_external_id),
    )
    for name, normalise in checks:
        try:
            _read = normalise(given[name]) if given[name] else ""
        except contacts.InvalidAddress:
            return name
    return "email"


@extend_schema(tags=["Contacts"])
class ContactDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="contacts_read",
        summary="One contact",
        responses=enveloped("ContactDetailResponse", ContactSerializer()),
    )
    def get(self, request: Request, contact_id: UUID) -> Response:
        return success(request, ContactSerializer(contact_of(request, contact_id)).data)

    @extend_schema(
        operation_id="contacts_update",
        summary="Change facts of a contact",
        request=ContactSerializer,
        responses=enveloped("ContactChangedResponse", ContactSerializer()),
    )
    def patch(self, request: Request, contact_id: UUID) -> Response:
        contact = contact_of(request, contact_id)
        if contact.erased_at is not None:
            raise ConflictError("This person was erased. Nothing can be kept of them any more.")
        serializer = ContactSerializer(contact, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        with transaction.atomic():
            serializer.save()
            noted(request, "changed contact", contact)
        return success(request, serializer.data)


@extend_schema(tags=["Contacts"])
class ContactTimeline(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = TimelineEntrySerializer
    ordering = "-at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return TimelineEntry.objects.none()
        return TimelineEntry.objects.filter(contact=contact_of(self.request, self.kwargs["contact_id"]))

    @extend_schema(operation_id="contacts_timeline", summary="What happened with a contact, the latest first")
    def get(self, request: Request, contact_id: UUID) -> Response:
        return self.list(request)


@extend_schema(tags=["Contacts"])
class ContactExport(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="contacts_export",
        summary="Everything that is held of a person, by the part that holds it",
        responses=enveloped("ContactExportResponse", serializers.DictField()),
    )
    def get(self, request: Request, contact_id: UUID) -> Response:
        contact = contact_of(request, contact_id)
        noted(request, "exported contact", contact)
        return success(request, erasure.collect(contact))


@extend_schema(tags=["Contacts"])
class ContactErase(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="contacts_erase",
        summary="Forget a person: messages, files, documents, emails. It cannot be undone",
        request=None,
        responses={202: enveloped("ContactEraseResponse", ErasureSerializer())},
    )
    def post(self, request: Request, contact_id: UUID) -> Response:
        contact = contact_of(request, contact_id)
        row = erasure.request(contact, requested_by=caller_of(request).name)
        row.refresh_from_db()
        return success(request, ErasureSerializer(row).data, 202)
