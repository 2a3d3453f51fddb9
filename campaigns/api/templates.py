"""Email templates over the API; their placeholders are checked whenever they are written."""

from typing import Any, cast
from uuid import UUID

from django.db.models import ProtectedError
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from campaigns import wording
from campaigns.api import SCOPE
from campaigns.models import EmailTemplate
from config.api.authentication import account_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.models import Account
from config.api.openapi import enveloped
from config.api.owned import OwnedList, given, one_of

LONGEST_TEXT = 20_000
LONGEST_HTML = 100_000


class TemplateSerializer(serializers.ModelSerializer):
    text = serializers.CharField(max_length=LONGEST_TEXT)
    html = serializers.CharField(max_length=LONGEST_HTML, required=False, allow_blank=True)
    warnings = serializers.SerializerMethodField(
        help_text="What could be better; nothing here stops an email."
    )

    class Meta:
        model = EmailTemplate
        fields = (
            "id",
            "name",
            "subject",
            "preheader",
            "text",
            "html",
            "warnings",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("id", "created_at", "updated_at")

    def get_warnings(self, template: EmailTemplate) -> list[str]:
        try:
            return wording.check_words(wording.words_of(template), columns=self._columns(template.account))
        except wording.TemplateError as error:  # written before an import changed its columns
            return [str(error)]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        def text_of(name: str) -> str:
            return str(attrs.get(name, getattr(self.instance, name, "")))

        words = wording.Words(*map(text_of, ("subject", "preheader", "text", "html")))
        try:
            wording.check_words(words, columns=self._columns(self.context["account"]))
        except wording.TemplateError as error:
            raise serializers.ValidationError({error.field: str(error)}) from None
        return attrs

    def _columns(self, account: Account) -> set[str]:
        """Read once for a whole list: every template of it belongs to the caller's account."""
        context = cast(dict[str, Any], self.context)
        if "columns" not in context:
            context["columns"] = wording.columns_of(account)
        known: set[str] = context["columns"]
        return known

    def create(self, validated: dict[str, Any]) -> EmailTemplate:
        template: EmailTemplate = EmailTemplate.objects.create(account=self.context["account"], **validated)
        return template


def template_of(account: Account, template_id: UUID) -> EmailTemplate:
    rows = EmailTemplate.objects.for_account(account).select_related("account")
    found: EmailTemplate = one_of(rows, template_id, "template")
    return found


TemplateResponse = enveloped("EmailTemplateResponse", TemplateSerializer())


@extend_schema(tags=["Campaigns"])
class TemplateList(OwnedList):
    required_scope = SCOPE
    serializer_class = TemplateSerializer
    queryset = EmailTemplate.objects.none()

    def rows_of(self, account: Account) -> Any:
        return EmailTemplate.objects.for_account(account).select_related("account")

    @extend_schema(operation_id="email_templates_list", summary="Email templates, newest first")
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="email_templates_create",
        summary="Make a template; unknown placeholders are refused with the name that was meant",
        request=TemplateSerializer,
        responses={201: TemplateResponse},
    )
    def post(self, request: Request) -> Response:
        serializer = given(TemplateSerializer, request)
        serializer.save()
        return success(request, serializer.data, 201)


@extend_schema(tags=["Campaigns"])
class TemplateDetail(generics.GenericAPIView):
    required_scope = SCOPE
    serializer_class = TemplateSerializer
    queryset = EmailTemplate.objects.none()

    @extend_schema(
        operation_id="email_templates_read",
        summary="One email template",
        responses=TemplateResponse,
    )
    def get(self, request: Request, template_id: UUID) -> Response:
        return success(request, TemplateSerializer(template_of(account_of(request), template_id)).data)

    @extend_schema(
        operation_id="email_templates_change",
        summary="Change a template; emails that are already queued stay as they are",
        request=TemplateSerializer(partial=True),
        responses=TemplateResponse,
    )
    def patch(self, request: Request, template_id: UUID) -> Response:
        serializer = given(TemplateSerializer, request, template_of(account_of(request), template_id))
        serializer.save()
        return success(request, serializer.data)

    @extend_schema(
        operation_id="email_templates_delete",
        summary="Delete a template no campaign uses",
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def delete(self, request: Request, template_id: UUID) -> Response:
        template = template_of(account_of(request), template_id)
        try:
            template.delete()
        except ProtectedError:
            raise ConflictError("A campaign uses this template.") from None
        return Response(status=204)
