"""What a campaign would do, over the API: who gets it, who does not and why, and how it reads."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import previewing, wording
from campaigns.api import SCOPE
from campaigns.api.campaigns import campaign_of
from campaigns.models import Campaign
from config.api.envelope import success
from config.api.errors import ConflictError, NotFoundError
from config.api.openapi import enveloped


class SampleSerializer(serializers.Serializer):
    to = serializers.CharField()
    subject = serializers.CharField()
    text = serializers.CharField()
    html = serializers.CharField()


class OpeningSerializer(serializers.Serializer):
    time_zone = serializers.CharField()
    at = serializers.DateTimeField()
    people = serializers.IntegerField()


class PreviewSerializer(serializers.Serializer):
    will_get = serializers.IntegerField(help_text="People who wait and may be invited.")
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="Reason → people.")
    opens = OpeningSerializer(many=True, help_text="When the first email leaves at the earliest.")
    warnings = serializers.ListField(child=serializers.CharField())
    sample = SampleSerializer()


@extend_schema(tags=["Campaigns"])
class PreviewView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_preview",
        summary="Who will get it, who will not and why, and how it reads",
        parameters=[OpenApiParameter("recipient", int, description="Preview as this recipient.")],
        responses=enveloped("CampaignPreviewResponse", PreviewSerializer()),
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        audience = previewing.audience_of(campaign)
        try:
            warnings = wording.check_campaign(campaign)
            email = previewing.sample(campaign, recipient=_recipient(request, campaign))
        except wording.TemplateError as error:
            raise ConflictError(f"The template cannot be used: {error}") from None
        sample = {"to": email.to, "subject": email.subject, "text": email.text, "html": email.html}
        opens = OpeningSerializer(audience.opens, many=True).data
        found = {"will_get": audience.will_get, "skipped": audience.skipped, "opens": opens}
        return success(request, {**found, "warnings": warnings, "sample": sample})


def _recipient(request: Request, campaign: Campaign) -> Any:
    wanted = request.query_params.get("recipient", "")
    if not wanted:
        return None
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 19 else -1
    found = campaign.recipients.select_related("contact").filter(pk=number).first()
    if found is None:
        raise NotFoundError("recipient")
    return found
