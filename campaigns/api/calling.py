"""`POST /api/v1/campaigns/{id}/call-batches`: the people of a campaign as a draft of a call batch."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import calling
from campaigns.api.campaigns import audit, campaign_of
from config.api.authentication import caller_of
from config.api.errors import ConflictError
from config.api.owned import given
from voice import batches
from voice.api import batches as batch_api
from voice.api.calls import SCOPE


class CampaignCallsSerializer(serializers.Serializer):
    only_awaited = serializers.BooleanField(
        required=False,
        default=True,
        help_text="Without those who replied, finished, declined, unsubscribed or were stopped otherwise.",
    )


@extend_schema(tags=["Campaigns"])
class CampaignCallBatches(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_call",
        summary="Make a draft of a call batch of the campaign's people; it is started like any other",
        request=CampaignCallsSerializer,
        responses={201: batch_api.BatchResponse},
    )
    def post(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        only_awaited = given(CampaignCallsSerializer, request).validated_data["only_awaited"]
        try:
            batch = calling.batch_of(campaign, by=caller_of(request).name, only_awaited=only_awaited)
        except batches.MoveRefused as error:
            raise ConflictError(str(error)) from None
        audit(request, "made call batch of campaign", campaign)
        return batch_api.shown(request, batch.pk, 201)
