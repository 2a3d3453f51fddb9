"""`/conversations…` and `/analytics`: calls as the documented API shows them, and what came of them."""

from typing import Any

from django.db import transaction
from django.db.models import Prefetch, Q, QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api import audit
from config.api.authentication import account_of, caller_of
from config.api.documented_values import UtcTime, WholeLists, in_utc, private
from config.api.errors import ApiError
from config.api.models import Account, AuditEntry
from config.api.owned import OwnedList
from config.api.pagination import Schema
from crm.contacts import uuid_of
from crm.models import Conversation, TimelineEntry
from voice.api.calls import SCOPE, TAG
from voice.figures import figures
from voice.models import CallTurn, PhoneCall

Status = PhoneCall.Status
CALL_SID = OpenApiParameter("call_sid", OpenApiTypes.STR, OpenApiParameter.PATH, description="Twilio's id.")


class TurnSerializer(serializers.Serializer):
    turn_number = serializers.IntegerField()
    candidate_input = serializers.CharField(allow_blank=True, help_text="What was heard, else the keys.")
    ai_response = serializers.CharField()
    timestamp = UtcTime()
    intent_detected = serializers.CharField(allow_null=True)
    confidence_score = serializers.FloatField(allow_null=True)


class CallSerializer(serializers.Serializer):
    call_sid = serializers.CharField()
    candidate_phone = serializers.CharField()
    start_time = UtcTime()
    end_time = UtcTime(allow_null=True)
    status = serializers.ChoiceField(Status.values)
    confirmed_slot = serializers.CharField(allow_null=True)
    turns = TurnSerializer(many=True)
    outcome = serializers.CharField(allow_null=True, help_text="`booked`, `declined`, `voicemail` …")


class CallDeletedSerializer(serializers.Serializer):
    message = serializers.CharField()


class SlotCountSerializer(serializers.Serializer):
    slot = serializers.CharField()
    count = serializers.IntegerField()


class CallFiguresSerializer(serializers.Serializer):
    total_calls = serializers.IntegerField()
    successful_calls = serializers.IntegerField()
    failed_calls = serializers.IntegerField()
    active_calls = serializers.IntegerField()
    success_rate = serializers.FloatField(help_text="Percent of all calls; 0 when there are none.")
    average_turns_per_call = serializers.FloatField()
    slot_preferences = SlotCountSerializer(many=True)


def shown(call: PhoneCall) -> dict[str, Any]:
    """A row of `calls_of`."""
    return {
        "call_sid": call.reference,
        "candidate_phone": call.to_number,
        "start_time": in_utc(call.started_at),
        "end_time": in_utc(call.ended_at),
        "status": call.status,
        "confirmed_slot": call.confirmed_slot or None,
        "turns": [_turn(turn) for turn in call.turns.all()],
        "outcome": call.outcome or None,
    }


def _turn(turn: CallTurn) -> dict[str, Any]:
    return {
        "turn_number": turn.number,
        "candidate_input": turn.words or turn.digits,
        "ai_response": turn.said,
        "timestamp": in_utc(turn.at),
        "intent_detected": turn.intent or None,
        "confidence_score": turn.confidence,
    }


def calls_of(account: Account) -> "QuerySet[PhoneCall]":
    """With their turns. The greeting is no turn in the documents: what was heard and answered is."""
    turns = CallTurn.objects.filter(number__gt=0).defer("twiml").order_by("number")
    own = PhoneCall.objects.for_account(account).filter(is_test=False)
    return own.prefetch_related(Prefetch("turns", queryset=turns))


def call_named(account: Account, reference: str) -> PhoneCall:
    key = uuid_of(reference)
    found = calls_of(account).filter(Q(pk=key) if key else Q(sid=reference)).first()
    if found is None:
        raise ApiError("NOT_FOUND", "Conversation not found", status_code=404)
    return found


class CallPages(WholeLists):
    """`{"conversations": […]}`, as documented; the header `Link` leads on."""

    default_limit = 50
    most = 200

    def get_paginated_response(self, data: Any) -> Response:
        return private({"conversations": data}, headers=self.link())

    def get_paginated_response_schema(self, schema: Schema) -> Schema:
        return {"type": "object", "required": ["conversations"], "properties": {"conversations": schema}}


@extend_schema(tags=[TAG])
class CallList(OwnedList):
    required_scope = SCOPE
    serializer_class = CallSerializer
    queryset = PhoneCall.objects.none()
    pagination_class = CallPages
    ordering = "-started_at"

    @extend_schema(operation_id="phone_calls_list", summary="Calls with their turns, the newest first")
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(calls_of(account_of(request))) or []
        return self.get_paginated_response([shown(call) for call in page])


@extend_schema(tags=[TAG], parameters=[CALL_SID])
class CallDetail(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="phone_calls_detail", summary="One call with its turns", responses=CallSerializer
    )
    def get(self, request: Request, call_sid: str) -> Response:
        return private(shown(call_named(account_of(request), call_sid)))

    @extend_schema(
        operation_id="phone_calls_delete",
        summary="Delete a call and all that was said in it; an appointment stays",
        responses={200: CallDeletedSerializer},
    )
    def delete(self, request: Request, call_sid: str) -> Response:
        account = account_of(request)
        call = call_named(account, call_sid)
        if call.status == Status.ACTIVE and not call.has_ended:
            # What is said in it counts: "stop calling", above all. And nobody may be rung a second time.
            raise ApiError("STILL_ON", "This call is still on. Delete it when it has ended.", status_code=409)
        with transaction.atomic():
            audit.record(
                account,
                AuditEntry.ActorKind.KEY,
                caller_of(request).name,
                "deleted a phone call",
                target=call,
                request=request,
            )
            TimelineEntry.objects.filter(contact=call.contact_id, ref__id=str(call.pk)).delete()
            call.delete()
            if call.transcript_id is not None:
                Conversation.objects.filter(pk=call.transcript_id).delete()
        return private({"message": "Conversation deleted successfully"})


@extend_schema(tags=[TAG])
class CallFigures(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="phone_calls_figures",
        summary="How many calls there were, and what came of them",
        responses=CallFiguresSerializer,
    )
    def get(self, request: Request) -> Response:
        return private(figures(PhoneCall.objects.for_account(account_of(request)).filter(is_test=False)))
