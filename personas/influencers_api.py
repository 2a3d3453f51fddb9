"""`/api/v1/influencers`: the personas to talk with, for anybody."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import offset_lists
from config.api.documented_lists import bounded_total
from config.api.errors import NotFoundError
from config.api.metadata import timestamp
from config.api.web_tokens import presented_token, user_of
from personas.influencers import PUBLIC, influencer_body, named, public_influencers
from personas.models import Persona
from personas.rate_limits import PersonaThrottle

DEFAULT, MOST = 50, 100
KEPT_SECONDS = 300
LONGEST_CATEGORY = 60  # characters


class InfluencerSerializer(serializers.Serializer):
    id = serializers.CharField(help_text="Text of any form.")
    name = serializers.CharField(help_text="Unique, for addresses.")
    display_name = serializers.CharField()
    avatar_url = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True)
    category = serializers.CharField(allow_null=True)
    is_active = serializers.ChoiceField(choices=[(one.value, one.label) for one in PUBLIC])
    created_at = serializers.DateTimeField()


class InfluencersSerializer(serializers.Serializer):
    influencers = InfluencerSerializer(many=True)
    total = serializers.IntegerField()
    limit = serializers.IntegerField()
    offset = serializers.IntegerField()


def account_slug(request: Request) -> str:
    """The account of a good token; without one, and with a bad one, the public account."""
    try:
        return user_of(presented_token(request.headers)).account_slug
    except APIException:
        return str(settings.PERSONA_ACCOUNT)


def kept(request: Request, body: dict[str, Any]) -> Response:
    """Anybody may keep it for some minutes; what a token chose only its owner."""
    who = "private" if "Authorization" in request.headers else "public"
    headers = {"Cache-Control": f"{who}, max-age={KEPT_SECONDS}", "Vary": "Authorization"}
    return Response(body, headers=headers)


def shown(persona: Persona) -> dict[str, Any]:
    return {**influencer_body(persona), "created_at": timestamp(persona.created_at)}


class PublicView(APIView):
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = (PersonaThrottle,)


@extend_schema(tags=["Persona chat"])
class InfluencerList(PublicView):
    @extend_schema(
        operation_id="listInfluencers",
        summary="The influencers: active ones, then those coming soon",
        parameters=[
            *offset_lists.described(default=DEFAULT, most=MOST),
            OpenApiParameter("category", description="Only those of this category."),
        ],
        responses=InfluencersSerializer,
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        window = offset_lists.window(query, default=DEFAULT, most=MOST)
        rows = public_influencers(account_slug(request))
        if category := query.get("category", ""):
            rows = rows.filter(category=category[:LONGEST_CATEGORY])
        page = [shown(persona) for persona in rows[window.rows][: window.limit]]
        body = {"influencers": page, "total": bounded_total(rows)}
        return kept(request, {**body, "limit": window.limit, "offset": window.offset})


@extend_schema(tags=["Persona chat"])
class InfluencerDetail(PublicView):
    @extend_schema(operation_id="getInfluencer", summary="One influencer", responses=InfluencerSerializer)
    def get(self, request: Request, influencer_id: str) -> Response:
        found = public_influencers(account_slug(request)).filter(named(influencer_id)).first()
        if found is None:
            raise NotFoundError("influencer")
        return kept(request, shown(found))
