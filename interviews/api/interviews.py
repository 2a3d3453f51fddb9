"""Interviews over the API: invite one person, see how each stands, fetch its PDF, repeat what failed."""

from typing import Any
from uuid import UUID

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError, NotFoundError
from config.api.openapi import enveloped
from config.api.owned import uuid_in
from crm import contacts
from crm.models import Contact
from interviews import processing, starting
from interviews.api.guides import SCOPE
from interviews.downloads import pdf_response
from interviews.models import Answer, Guide, Interview, ProcessingStep

TIMES = ("invited_at", "opened_at", "started_at", "completed_at", "processed_at")
ENDS = ("declined_at", "abandoned_at", "expired_at", "failed_at")


class AnswerSerializer(serializers.ModelSerializer):
    message = serializers.IntegerField(
        source="message.seq", default=None, help_text="Its number in the talk."
    )

    class Meta:
        model = Answer
        fields = ("question_key", "kind", "value", "quote", "message", "is_corrected")


class StepSerializer(serializers.ModelSerializer):
    state = serializers.CharField(read_only=True, help_text=", ".join(ProcessingStep.State.values))

    class Meta:
        model = ProcessingStep
        fields = ("name", "state", "attempts", "not_before", "error", "started_at", "finished_at")


class InterviewSerializer(serializers.ModelSerializer):
    state = serializers.CharField(read_only=True, help_text=", ".join(Interview.State.values))
    guide_name = serializers.CharField(source="guide.name", read_only=True)
    contact_name = serializers.CharField(source="contact.name", read_only=True)

    class Meta:
        model = Interview
        fields = (
            "id",
            "guide",
            "guide_name",
            "contact",
            "contact_name",
            "conversation",
            "state",
            *TIMES,
            *ENDS,
        )
        read_only_fields = fields


class InterviewDetailSerializer(InterviewSerializer):
    answers = AnswerSerializer(many=True, read_only=True)
    steps = StepSerializer(many=True, read_only=True)
    pdf_url = serializers.SerializerMethodField()

    class Meta:
        model = Interview
        fields = (
            *InterviewSerializer.Meta.fields,
            "guide_version",
            "consent_version",
            "expires_at",
            "pdf_url",
            "pdf_pages",
            "document",
            "answers",
            "steps",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_pdf_url(self, interview: Interview) -> str | None:
        if not interview.pdf.name:
            return None
        return reverse("interview-pdf", args=[interview.pk], request=self.context.get("request"))


class InviteSerializer(serializers.Serializer):
    """`contact` names a known contact; else `email` finds or makes one."""

    guide = serializers.UUIDField()
    contact = serializers.UUIDField(required=False)
    email = serializers.CharField(max_length=320, required=False)
    name = serializers.CharField(max_length=200, required=False, allow_blank=True, default="")
    days = serializers.IntegerField(min_value=1, max_value=365, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("contact" in attrs) == ("email" in attrs):
            raise serializers.ValidationError("Give either a contact or an email address.")
        return attrs


class InvitationSerializer(serializers.Serializer):
    interview = InterviewSerializer()
    url = serializers.URLField(help_text="Whoever holds it may take part. It is shown this once.")


INTERVIEW_RESPONSE = enveloped("InterviewResponse", InterviewDetailSerializer())


def interview_of(request: Request, interview_id: UUID) -> Interview:
    found = (
        Interview.objects.for_account(account_of(request))
        .select_related("guide", "contact")
        .prefetch_related("answers__message", "steps")
        .filter(pk=interview_id)
        .first()
    )
    if found is None:
        raise NotFoundError("interview")
    return found


@extend_schema(tags=["Interviews"])
class InterviewList(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = InterviewSerializer
    ordering = "-invited_at"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Interview.objects.none()
        query = self.request.query_params
        rows = Interview.objects.for_account(account_of(self.request)).select_related("guide", "contact")
        if guide := query.get("guide"):
            rows = rows.filter(guide_id=uuid_in("guide", guide))
        if state := query.get("state"):
            if state not in Interview.State.values:
                raise serializers.ValidationError({"state": f"One of {', '.join(Interview.State.values)}."})
            rows = rows.filter(state=state)
        return rows

    @extend_schema(
        operation_id="interviews_list",
        summary="Interviews, the latest invited first",
        parameters=[
            OpenApiParameter("guide", OpenApiTypes.UUID, description="Only those by this guide."),
            OpenApiParameter("state", OpenApiTypes.STR, enum=Interview.State.values),
        ],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="interviews_invite",
        summary="Invite one person; the answer holds their link",
        description="No email is sent: pass the link on yourself. A campaign invites many by email.",
        request=InviteSerializer,
        responses={201: enveloped("InvitationResponse", InvitationSerializer())},
    )
    def post(self, request: Request) -> Response:
        serializer = InviteSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        given = serializer.validated_data
        guide = Guide.objects.for_account(account_of(request)).filter(pk=given["guide"]).first()
        if guide is None:
            raise NotFoundError("guide")
        if not guide.is_active:
            raise ConflictError("This guide is not active.")
        invitation = starting.invite(guide, _contact(request, given), days=given.get("days"))
        record(
            guide.account,
            "key",
            caller_of(request).name,
            "invited",
            target=invitation.interview,
            request=request,
        )
        data = {"interview": invitation.interview, "url": invitation.url}
        return success(request, InvitationSerializer(data).data, 201)


def _contact(request: Request, given: dict[str, Any]) -> Contact:
    account = account_of(request)
    if "contact" in given:
        found: Contact | None = Contact.objects.for_account(account).filter(pk=given["contact"]).first()
        if found is None:
            raise NotFoundError("contact")
        return found
    try:
        contact, _made = contacts.resolve(account, email=given["email"], name=given["name"], source="api")
    except contacts.InvalidAddress as error:
        raise serializers.ValidationError({"email": str(error)}) from None
    return contact


@extend_schema(tags=["Interviews"])
class InterviewDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interviews_read",
        summary="One interview: state, times, answers, processing",
        responses=INTERVIEW_RESPONSE,
    )
    def get(self, request: Request, interview_id: UUID) -> Response:
        interview = interview_of(request, interview_id)
        return success(request, InterviewDetailSerializer(interview, context={"request": request}).data)


@extend_schema(tags=["Interviews"])
class InterviewPdf(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interviews_pdf",
        summary="The transcript as a PDF: the file, or a redirect to a URL that lives five minutes",
        responses={
            (200, "application/pdf"): OpenApiTypes.BINARY,
            302: OpenApiResponse(description="To the storage."),
        },
    )
    def get(self, request: Request, interview_id: UUID) -> HttpResponseBase:
        interview = interview_of(request, interview_id)
        response = pdf_response(interview)
        if response is None:
            raise NotFoundError("PDF")
        record(
            interview.account,
            "key",
            caller_of(request).name,
            "downloaded transcript",
            target=interview,
            request=request,
        )
        return response


@extend_schema(tags=["Interviews"])
class InterviewProcess(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="interviews_process",
        summary="Repeat the processing steps that failed",
        request=None,
        responses={202: INTERVIEW_RESPONSE},
    )
    def post(self, request: Request, interview_id: UUID) -> Response:
        interview = interview_of(request, interview_id)
        if not processing.retry(interview):
            raise ConflictError("Nothing of this interview has failed.", details={"state": interview.state})
        interview = interview_of(request, interview_id)
        return success(request, InterviewDetailSerializer(interview, context={"request": request}).data, 202)
