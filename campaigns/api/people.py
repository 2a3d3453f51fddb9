"""The people of a campaign over the API: imports, recipients, and what became of each email."""

from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import csv_reading, encodings, excel, importing
from campaigns.api import SCOPE
from campaigns.api.campaigns import campaign_of
from campaigns.error_rows import error_rows
from campaigns.models import Campaign, ContactImport, Delivery, Recipient
from config.api.audit import record
from config.api.authentication import caller_of
from config.api.envelope import success
from config.api.errors import ApiError, NotFoundError, UnavailableError
from config.api.openapi import enveloped
from crm.contacts import email_of


class PeopleFileSerializer(serializers.Serializer):
    """A CSV or Excel file. What is not given is found out, and told in the answer."""

    file = serializers.FileField()
    dry_run = serializers.BooleanField(required=False, default=False)
    mapping = serializers.JSONField(
        required=False,
        help_text='JSON: column → field, like {"Adresse": "email", "Notes": ""}; columns that it does not '
        "name are left out. Fields: email, name, first_name, last_name, company, language, time_zone, or a "
        "name of your own for placeholders.",
    )
    encoding = serializers.ChoiceField(choices=list(encodings.NAMES), required=False)
    delimiter = serializers.ChoiceField(
        choices=[",", ";", "tab", "|"], required=False, help_text="What divides the cells."
    )

    def validate_mapping(self, value: Any) -> dict[str, str]:
        is_one = isinstance(value, dict) and all(isinstance(field, str) for field in value.values())
        if not is_one:
            raise serializers.ValidationError("An object: column → field.")
        return dict(value)

    @property
    def choices(self) -> importing.Choices:
        given = self.validated_data
        delimiter = given.get("delimiter", "")
        return importing.Choices(
            mapping=given.get("mapping"),
            encoding=given.get("encoding", ""),
            delimiter="\t" if delimiter == "tab" else delimiter,
        )


class RowErrorSerializer(serializers.Serializer):
    line = serializers.IntegerField()
    reason = serializers.CharField()


class CountsSerializer(serializers.Serializer):
    rows = serializers.IntegerField()
    new = serializers.IntegerField()
    updated = serializers.IntegerField()
    invalid = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    duplicate = serializers.IntegerField()


class ImportSerializer(serializers.Serializer):
    """`id` is null and `state` "dry_run" when nothing was written. The first 100 errors are shown."""

    id = serializers.UUIDField(allow_null=True)
    state = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)
    encoding = serializers.CharField()
    encoding_is_sure = serializers.BooleanField(help_text="False: guessed from the letters; look at names.")
    sheet = serializers.CharField(help_text="Of an Excel file: the sheet that was read.", allow_blank=True)
    delimiter = serializers.CharField()
    mapping = serializers.DictField(
        child=serializers.CharField(allow_blank=True), help_text="Column → field; empty: left out."
    )
    counts = CountsSerializer()
    done_rows = serializers.IntegerField()
    errors = RowErrorSerializer(many=True)  # type: ignore[assignment]  # a field, not the property


ImportResponse = enveloped("CampaignImportResponse", ImportSerializer())


@extend_schema(tags=["Campaigns"])
class ImportView(APIView):
    required_scope = SCOPE
    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="campaigns_import",
        summary="Add people from a CSV or Excel file, or see what that would do",
        request={"multipart/form-data": PeopleFileSerializer},
        responses={200: ImportResponse, 202: ImportResponse},
        parameters=[OpenApiParameter("dry_run", bool, description="Also taken from the form.")],
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        serializer = PeopleFileSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        upload, choices = serializer.validated_data["file"], serializer.choices
        if upload.size > csv_reading.MAX_BYTES:
            raise ApiError("PAYLOAD_TOO_LARGE", "The file is larger than 20 MB.", status_code=413)
        asked = request.query_params.get("dry_run", "").lower() in ("1", "true", "yes")
        try:
            if asked or serializer.validated_data["dry_run"]:
                return success(request, _dry_run(importing.check(campaign, upload.read(), choices)))
            kept = importing.keep(campaign, upload.read(), filename=upload.name or "", choices=choices)
        except importing.ImportRefusedError as error:
            raise serializers.ValidationError({"file": [str(error)]}) from None
        except excel.ExcelBusyError as busy:
            raise UnavailableError(str(busy), retry_after_seconds=excel.COME_AGAIN_SECONDS) from None
        importing.start(kept)
        record(
            campaign.account,
            "key",
            caller_of(request).name,
            "imported people",
            target=campaign,
            detail=kept.counts,
            request=request,
        )
        kept.refresh_from_db()
        return success(request, _import(kept), 202)


@extend_schema(tags=["Campaigns"])
class ImportDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_import_read", summary="How far an import is", responses=ImportResponse
    )
    def get(self, request: Request, campaign_id: UUID, import_id: UUID) -> Response:
        return success(request, _import(import_of(campaign_of(request, campaign_id), import_id)))


@extend_schema(tags=["Campaigns"])
class ImportErrors(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_import_errors",
        summary="All rows that could not be imported, with line and reason, as CSV",
        responses={(200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request, campaign_id: UUID, import_id: UUID) -> StreamingHttpResponse:
        found = import_of(campaign_of(request, campaign_id), import_id)
        return errors_file(found)


def import_of(campaign: Campaign, import_id: UUID) -> ContactImport:
    found: ContactImport | None = (
        campaign.imports.select_related("campaign__account").filter(pk=import_id).first()
    )
    if found is None:
        raise NotFoundError("import")
    return found


def errors_file(kept: ContactImport) -> StreamingHttpResponse:
    response = StreamingHttpResponse(error_rows(kept), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="errors-{kept.pk}.csv"'
    return response


def _dry_run(checked: importing.Checked) -> dict[str, Any]:
    return {
        "id": None,
        "state": "dry_run",
        "reason": "",
        "encoding": checked.table.encoding,
        "encoding_is_sure": checked.table.is_sure,
        "sheet": checked.table.sheet,
        "delimiter": checked.table.delimiter,
        "mapping": checked.mapping,
        "counts": checked.found.counts,
        "done_rows": 0,
        "errors": checked.found.errors,
    }


SAME = (
    "id",
    "state",
    "reason",
    "encoding",
    "encoding_is_sure",
    "sheet",
    "delimiter",
    "mapping",
    "counts",
    "done_rows",
    "errors",
)


def _import(kept: ContactImport) -> dict[str, Any]:
    return {name: getattr(kept, name) for name in SAME}


class RecipientSerializer(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact_id")
    name = serializers.CharField(source="contact.name")
    email = serializers.SerializerMethodField()
    interview = serializers.UUIDField(source="interview_id", allow_null=True)
    state = serializers.CharField(read_only=True, help_text="waiting, invited or skipped.")
    variant = serializers.CharField(read_only=True, help_text="a or b in an A/B test, else empty.")
    stop_reason = serializers.CharField(read_only=True, help_text="Why nothing more is sent to them.")
    interview_state = serializers.CharField(source="interview.state", default=None, allow_null=True)

    class Meta:
        model = Recipient
        fields = (
            "id",
            "contact",
            "name",
            "email",
            "state",
            "skip_reason",
            "variant",
            "next_step",
            "next_at",
            "emails_sent",
            "last_sent_at",
            "stopped_at",
            "stop_reason",
            "fields",
            "interview",
            "interview_state",
            "created_at",
        )

    def get_email(self, recipient: Recipient) -> str:
        return email_of(recipient.contact)


class DeliverySerializer(serializers.ModelSerializer):
    state = serializers.CharField(read_only=True, help_text="The states of a delivery, see the glossary.")
    purpose = serializers.CharField(read_only=True)
    contact = serializers.UUIDField(source="contact_id")
    standing = serializers.CharField(
        read_only=True, help_text='The state, or "bounced" or "complained" if that was heard since.'
    )

    class Meta:
        model = Delivery
        fields = (
            "id",
            "contact",
            "to_email",
            "subject",
            "purpose",
            "step",
            "state",
            "attempts",
            "not_before",
            "last_reply",
            "message_id",
            "created_at",
            "sent_at",
            "standing",
            "delivered_at",
            "bounced_at",
            "complained_at",
            "replied_at",
            "opened_at",
            "clicked_at",
        )


class _OfCampaign(generics.ListAPIView):
    required_scope = SCOPE
    empty: Any = None
    states: tuple[str, ...] = ()

    def rows(self, campaign: Any) -> Any:
        raise NotImplementedError

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.empty
        campaign = campaign_of(self.request, self.kwargs["campaign_id"])
        state = self.request.query_params.get("state", "")
        if state and state not in self.states:
            raise serializers.ValidationError({"state": f"One of {', '.join(self.states)}."})
        rows = self.rows(campaign)
        return rows.filter(state=state) if state else rows


STATE = OpenApiParameter("state", OpenApiTypes.STR, description="Only those in this state.")


@extend_schema(tags=["Campaigns"])
class RecipientList(_OfCampaign):
    serializer_class = RecipientSerializer
    empty = Recipient.objects.none()
    ordering = "id"
    states = tuple(Recipient.State.values)

    def rows(self, campaign: Any) -> Any:
        return campaign.recipients.select_related("contact", "interview").prefetch_related(
            "contact__addresses"
        )

    @extend_schema(
        operation_id="campaigns_recipients", summary="The people of a campaign", parameters=[STATE]
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        return self.list(request)


@extend_schema(tags=["Campaigns"])
class DeliveryList(_OfCampaign):
    serializer_class = DeliverySerializer
    empty = Delivery.objects.none()
    ordering = "-created_at"
    states = tuple(Delivery.State.values)

    def rows(self, campaign: Any) -> Any:
        return campaign.deliveries.defer("rendered")

    @extend_schema(
        operation_id="campaigns_deliveries",
        summary="The emails of a campaign, newest first",
        parameters=[STATE],
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        return self.list(request)
