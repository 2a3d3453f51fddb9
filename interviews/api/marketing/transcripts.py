"""`/knowledge-base/…` and `/s3/presigned-url`: the transcripts, and addresses that open them for a while."""

from datetime import timedelta
from typing import Any

from django.db.models import Count, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_GET
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import caller_of
from config.api.documented_values import PAGES, UtcTime, WholeLists, in_utc, private
from config.api.errors import ApiError, NotFoundError
from config.api.handler import error_response
from config.api.marketing_words import TRANSCRIPT_TYPES
from config.api.models import Account
from config.api.named_accounts import account_in, accounts_of
from config.api.security import capability_page
from crm import contacts
from crm.models import Message
from interviews import pdf_links, sessions
from interviews.api.marketing.naming import SCOPE, USER_ID, noted
from interviews.api.marketing.shapes import is_known
from interviews.downloads import pdf_response
from interviews.models import Interview
from interviews.summarising import GENERAL

TAG = "Marketing: transcripts"
MOST_HOURS = 24


class TranscriptSerializer(serializers.Serializer):
    id = serializers.CharField()
    email = serializers.CharField(allow_blank=True)
    session_id = serializers.CharField()
    pdf_url = serializers.CharField()
    title = serializers.CharField(allow_blank=True)
    subheading = serializers.CharField(allow_blank=True)
    category = serializers.CharField()
    completed_at = UtcTime(allow_null=True)
    message_count = serializers.IntegerField(help_text="Messages of the person.")
    type = serializers.ChoiceField(TRANSCRIPT_TYPES)
    kb_trained = serializers.BooleanField()
    signed_url = serializers.CharField(help_text="Opens the PDF for anybody who has it.")
    signed_url_expires_at = UtcTime()


class TranscriptsSerializer(serializers.Serializer):
    user_id = serializers.CharField()
    pdf_count = serializers.IntegerField()
    pdfs = TranscriptSerializer(many=True)


class OfCategorySerializer(TranscriptsSerializer):
    category = serializers.CharField()


class CategorisedSerializer(serializers.Serializer):
    user_id = serializers.CharField()
    total_pdfs = serializers.IntegerField()
    categories = serializers.DictField(child=TranscriptSerializer(many=True))


class CategorySerializer(serializers.Serializer):
    category = serializers.CharField()
    count = serializers.IntegerField()
    latest_pdf = UtcTime(allow_null=True)


class CategoriesSerializer(serializers.Serializer):
    user_id = serializers.CharField()
    categories = CategorySerializer(many=True)


class SignedSerializer(serializers.Serializer):
    signed_url = serializers.CharField()
    expires_at = UtcTime()


class PresignedSerializer(serializers.Serializer):
    presigned_url = serializers.CharField()
    original_s3_url = serializers.CharField()
    expires_in_hours = serializers.IntegerField()
    expires_at = UtcTime()


def transcripts_of(account: Account) -> "QuerySet[Interview]":
    said = Message.objects.filter(conversation=OuterRef("conversation"), author=Message.Author.PERSON)
    counted = said.order_by().values("conversation").annotate(count=Count("pk")).values("count")
    rows = Interview.objects.for_account(account).filter(completed_at__isnull=False).exclude(pdf="")
    found: QuerySet[Interview] = rows.select_related("account", "contact", "document").prefetch_related(
        "contact__addresses"
    )
    return found.annotate(message_count=Coalesce(Subquery(counted), 0))


def transcript(interview: Interview) -> dict[str, Any]:
    signed, expires_at = pdf_links.signed_url(interview, lasts=pdf_links.LISTED_FOR)
    return {
        "id": str(interview.pk),
        "email": contacts.email_of(interview.contact),
        "session_id": sessions.label_of(interview),
        "pdf_url": pdf_links.recorded_url(interview),
        "title": interview.title,
        "subheading": interview.subheading,
        "category": interview.category or GENERAL,
        "completed_at": in_utc(interview.completed_at),
        "message_count": interview.message_count,  # type: ignore[attr-defined]
        "type": "interview",
        "kb_trained": is_known(interview),
        "signed_url": signed,
        "signed_url_expires_at": in_utc(expires_at),
    }


class _Listed(APIView):
    """Newest first."""

    required_scope = SCOPE
    ordering = "-completed_at"

    def page(
        self, request: Request, rows: "QuerySet[Interview]"
    ) -> tuple[list[dict[str, Any]], dict[str, str]]:
        pages = WholeLists()
        found = pages.paginate_queryset(rows, request, self)
        return [transcript(interview) for interview in found], pages.link()


@extend_schema(tags=[TAG], parameters=[USER_ID])
class Transcripts(_Listed):
    @extend_schema(
        operation_id="knowledge_base_pdfs",
        summary="The transcripts of the account, the latest first",
        parameters=PAGES,
        responses=TranscriptsSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        found, link = self.page(request, transcripts_of(account))
        return private({"user_id": account.slug, "pdf_count": len(found), "pdfs": found}, headers=link)


@extend_schema(tags=[TAG], parameters=[USER_ID])
class TranscriptsByCategory(_Listed):
    @extend_schema(
        operation_id="knowledge_base_pdfs_categorized",
        summary="The transcripts under their headings",
        parameters=PAGES,
        responses=CategorisedSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        found, link = self.page(request, transcripts_of(account))
        categories: dict[str, list[dict[str, Any]]] = {}
        for item in found:
            categories.setdefault(item["category"], []).append(item)
        body = {"user_id": account.slug, "total_pdfs": len(found), "categories": categories}
        return private(body, headers=link)


@extend_schema(tags=[TAG], parameters=[USER_ID])
class TranscriptsOfCategory(_Listed):
    @extend_schema(
        operation_id="knowledge_base_pdfs_of_category",
        summary="The transcripts under one heading, the latest first",
        parameters=[OpenApiParameter("category", OpenApiTypes.STR, OpenApiParameter.PATH), *PAGES],
        responses=OfCategorySerializer,
    )
    def get(self, request: Request, user_id: str, category: str) -> Response:
        account = account_in(request, user_id)
        names = [category, ""] if category == GENERAL else [category]
        found, link = self.page(request, transcripts_of(account).filter(category__in=names))
        body = {"user_id": account.slug, "category": category, "pdf_count": len(found), "pdfs": found}
        return private(body, headers=link)


@extend_schema(tags=[TAG], parameters=[USER_ID])
class Categories(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="knowledge_base_categories",
        summary="The headings, the fullest first",
        responses=CategoriesSerializer,
    )
    def get(self, request: Request, user_id: str) -> Response:
        account = account_in(request, user_id)
        rows = Interview.objects.for_account(account).filter(completed_at__isnull=False).exclude(pdf="")
        named = rows.order_by().values("category").annotate(count=Count("pk"), latest=Max("completed_at"))
        merged: dict[str, dict[str, Any]] = {}
        for row in named:
            entry = merged.setdefault(row["category"] or GENERAL, {"count": 0, "latest": row["latest"]})
            entry["count"] += row["count"]
            entry["latest"] = max(entry["latest"], row["latest"])
        fullest = sorted(merged.items(), key=lambda pair: (-pair[1]["count"], pair[0]))
        listed = [
            {"category": name, "count": entry["count"], "latest_pdf": in_utc(entry["latest"])}
            for name, entry in fullest
        ]
        return private({"user_id": account.slug, "categories": listed})


@extend_schema(tags=[TAG])
class TranscriptSigned(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="knowledge_base_pdf_signed_url",
        summary="A fresh address that opens one transcript for two hours",
        responses=SignedSerializer,
    )
    def get(self, request: Request, pdf_id: str) -> Response:
        key = contacts.uuid_of(pdf_id)
        rows = Interview.objects.filter(account__in=accounts_of(caller_of(request))).exclude(pdf="")
        interview = rows.select_related("account").filter(pk=key).first() if key else None
        if interview is None:
            raise NotFoundError("transcript")
        signed, expires_at = pdf_links.signed_url(interview, lasts=pdf_links.LISTED_FOR)
        noted(request, "signed a transcript's address", interview)
        return private({"signed_url": signed, "expires_at": in_utc(expires_at)})


class PresignedQuerySerializer(serializers.Serializer):
    s3_url = serializers.CharField(max_length=pdf_links.LONGEST_URL)
    expiration_hours = serializers.IntegerField(required=False, default=1)


@extend_schema(tags=[TAG])
class Presigned(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="s3_presigned_url",
        summary="An address that opens a transcript of the account for some hours",
        parameters=[
            OpenApiParameter("s3_url", OpenApiTypes.STR, required=True, description="As lists give it."),
            OpenApiParameter("expiration_hours", OpenApiTypes.INT, description="1 to 24; else 1."),
        ],
        responses=PresignedSerializer,
    )
    def get(self, request: Request) -> Response:
        query = PresignedQuerySerializer(data=request.query_params)
        query.is_valid(raise_exception=True)
        hours, url = query.validated_data["expiration_hours"], query.validated_data["s3_url"]
        if not 1 <= hours <= MOST_HOURS:
            words = f"expiration_hours: Must be a whole number from 1 to {MOST_HOURS}."
            raise ApiError("BAD_EXPIRATION", words, status_code=400)
        interview = pdf_links.interview_at(url, accounts_of(caller_of(request)))
        if interview is None:
            raise NotFoundError("file")
        signed, expires_at = pdf_links.signed_url(interview, lasts=timedelta(hours=hours))
        noted(request, "signed a transcript's address", interview)
        body = {"presigned_url": signed, "original_s3_url": url, "expires_in_hours": hours}
        return private({**body, "expires_at": in_utc(expires_at)})


@require_GET
@capability_page
def signed_pdf(request: HttpRequest, token: str) -> HttpResponseBase:
    """The file itself, where transcripts lie in the data folder: the signature is the right to it."""
    interview = pdf_links.interview_signed_in(token)
    response = pdf_response(interview) if interview is not None else None
    if interview is None or response is None:
        return error_response(request, NotFoundError("file"))
    record(interview.account, "system", "signed address", "downloaded transcript", target=interview)
    return response
