"""A campaign while it is sent: how fast, how much is left, and when it will be done."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import figures
from campaigns.api import SCOPE
from campaigns.api.campaigns import campaign_of
from config.api.envelope import success
from config.api.openapi import enveloped


class MinuteSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    sent = serializers.IntegerField()
    deferred = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()


class LiveSerializer(serializers.Serializer):
    state = serializers.CharField()
    state_reason = serializers.CharField(help_text="Why it paused itself: the server's last reply.")
    people = serializers.IntegerField()
    left = serializers.IntegerField(help_text="Emails and people that are still to come.")
    sent = serializers.IntegerField()
    deferred = serializers.IntegerField()
    failed = serializers.IntegerField()
    unknown = serializers.IntegerField()
    sent_per_second = serializers.FloatField(help_text="Over the last minute.")
    seconds_left = serializers.IntegerField(allow_null=True, help_text="Null while nothing moves.")
    minutes = MinuteSerializer(many=True, help_text="The last day, minute by minute.")


@extend_schema(tags=["Campaigns"])
class ProgressView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="campaigns_progress",
        summary="How fast it is sent, what is left, and when it will be done",
        responses=enveloped("CampaignProgressResponse", LiveSerializer()),
    )
    def get(self, request: Request, campaign_id: UUID) -> Response:
        campaign = campaign_of(request, campaign_id)
        live = figures.live(campaign).as_json()
        return success(request, {**live, "minutes": figures.over_time(campaign.pk)})
