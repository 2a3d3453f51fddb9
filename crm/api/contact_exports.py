"""All contacts of an account, or those of a filter, as one file."""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from crm import exporting
from crm.api.contacts import FILTERS, SCOPE, people_asked_for
from crm.api.user_records import flag


class FormIsOurs(DefaultContentNegotiation):
    """`?format=` chooses the file here, and REST framework would look for a renderer of that name."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class ExportedContactSerializer(serializers.Serializer):
    """Addresses with the primary one first. `consent`: channel → purpose → what they said last."""

    id = serializers.UUIDField()
    account = serializers.CharField()
    name = serializers.CharField()
    emails = serializers.ListField(child=serializers.CharField())
    phones = serializers.ListField(child=serializers.CharField())
    external_ids = serializers.ListField(child=serializers.CharField())
    company = serializers.CharField()
    role = serializers.CharField()
    language = serializers.CharField()
    time_zone = serializers.CharField()
    status = serializers.CharField(help_text="active, inactive")
    created_at = serializers.DateTimeField()
    consent = serializers.DictField(child=serializers.DictField(child=serializers.BooleanField()))
    fields = serializers.DictField()  # type: ignore[assignment]


def form_of(request: Request) -> str:
    form = request.query_params.get("format") or "csv"
    if form not in exporting.FORMS:
        raise serializers.ValidationError({"format": [f"Must be one of: {', '.join(exporting.FORMS)}."]})
    return form


@extend_schema(tags=["Contacts"])
class ContactsExport(APIView):
    required_scope = SCOPE
    content_negotiation_class = FormIsOurs

    @extend_schema(
        operation_id="contacts_export_all",
        summary="Contacts as one file, the newest first: CSV, a JSON array, or NDJSON",
        description="Streamed. Not who became part of another contact, or was erased. Each export is noted "
        "in the audit trail. In CSV, what a spreadsheet would take for a formula begins with an apostrophe.",
        parameters=[
            OpenApiParameter("format", OpenApiTypes.STR, enum=list(exporting.FORMS), default="csv"),
            OpenApiParameter(
                "bom", OpenApiTypes.BOOL, default=True, description="CSV: a mark that says UTF-8 in front."
            ),
            *FILTERS,
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/json"): ExportedContactSerializer(many=True),
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        form, has_mark = form_of(request), flag(request, "bom", default=True)
        rows = people_asked_for(request)
        given = {one.name: request.query_params.get(one.name, "") for one in FILTERS}
        detail = {"format": form, "count": rows.count(), "filter": exporting.without_people(given)}
        account, name = account_of(request), caller_of(request).name
        record(account, "key", name, "exported contacts", detail=detail, request=request)
        return exporting.download(rows, form, has_mark=has_mark)
