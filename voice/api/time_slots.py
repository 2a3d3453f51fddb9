"""`/api/v1/time-slots…`: the times that calls offer, added, listed and taken off by a program."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, RestrictedError
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from config.api.audit import record_by_key
from config.api.authentication import account_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.models import Account
from config.api.openapi import enveloped
from config.api.owned import OwnedList, given, one_of
from voice.api.calls import SCOPE
from voice.models import Appointment, TimeSlot
from voice.models.calls import FARTHEST, LONGEST

TAG = "Time slots"
STATES = ("free", "taken", "off", "past")


class TimeSlotSerializer(serializers.ModelSerializer):
    is_taken = serializers.BooleanField(read_only=True, help_text="Somebody has an appointment then.")

    class Meta:
        model = TimeSlot
        fields = ("id", "starts_at", "ends_at", "is_offered", "is_taken")
        read_only_fields = ("id",)

    def validate_starts_at(self, value: datetime) -> datetime:
        now = timezone.now()
        if not now < value < now + FARTHEST:
            raise serializers.ValidationError("Must be ahead, within two years.")
        return value

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["starts_at"] < attrs["ends_at"] <= attrs["starts_at"] + LONGEST:
            raise serializers.ValidationError({"ends_at": "Must be after starts_at, within a day."})
        return attrs


class TimeSlotChangeSerializer(serializers.ModelSerializer):
    """Another time is another slot: delete this one."""

    is_offered = serializers.BooleanField(help_text="False: nobody is offered this time any more.")

    class Meta:
        model = TimeSlot
        fields = ("is_offered",)


TimeSlotResponse = enveloped("TimeSlotResponse", TimeSlotSerializer())


def slots_of(account: Account) -> Any:
    booked = Appointment.objects.filter(slot=OuterRef("pk"), state=Appointment.State.BOOKED)
    return TimeSlot.objects.for_account(account).annotate(is_taken=Exists(booked))


def slot_of(request: Request, slot_id: UUID) -> TimeSlot:
    found: TimeSlot = one_of(slots_of(account_of(request)), slot_id, "time slot")
    return found


def shown(request: Request, slot_id: UUID, status: int = 200) -> Response:
    return success(request, TimeSlotSerializer(slot_of(request, slot_id)).data, status)


@extend_schema(tags=[TAG])
class TimeSlotList(OwnedList):
    required_scope = SCOPE
    serializer_class = TimeSlotSerializer
    queryset = TimeSlot.objects.none()
    ordering = "-starts_at"

    def rows_of(self, account: Account) -> Any:
        state, now = self.request.query_params.get("state"), timezone.now()
        if state and state not in STATES:
            raise serializers.ValidationError({"state": f"One of {', '.join(STATES)}."})
        rows, ahead = slots_of(account), {"starts_at__gt": now}
        wanted: dict[str | None, dict[str, Any]] = {
            "free": {**ahead, "is_offered": True, "is_taken": False},
            "taken": {**ahead, "is_taken": True},
            "off": {**ahead, "is_offered": False, "is_taken": False},
            "past": {"starts_at__lte": now},
        }
        return rows.filter(**wanted.get(state, {}))

    @extend_schema(
        operation_id="time_slots_list",
        summary="Times that calls offer, the latest first",
        parameters=[OpenApiParameter("state", str, enum=STATES, description="All but `past` are ahead.")],
    )
    def get(self, request: Request) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="time_slots_create",
        summary="Add a time at which one interview can take place",
        request=TimeSlotSerializer,
        responses={201: TimeSlotResponse},
    )
    def post(self, request: Request) -> Response:
        slot = given(TimeSlotSerializer, request).save(account=account_of(request))
        record_by_key(request, "added time slot", slot)
        return shown(request, slot.pk, 201)


@extend_schema(tags=[TAG])
class TimeSlotDetail(generics.GenericAPIView):
    required_scope = SCOPE
    serializer_class = TimeSlotSerializer
    queryset = TimeSlot.objects.none()

    @extend_schema(operation_id="time_slots_read", summary="One time slot", responses=TimeSlotResponse)
    def get(self, request: Request, slot_id: UUID) -> Response:
        return shown(request, slot_id)

    @extend_schema(
        operation_id="time_slots_change",
        summary="Take a time off, or offer it again; an appointment at it stays",
        request=TimeSlotChangeSerializer,
        responses=TimeSlotResponse,
    )
    def patch(self, request: Request, slot_id: UUID) -> Response:
        slot = given(TimeSlotChangeSerializer, request, slot_of(request, slot_id)).save()
        record_by_key(request, "changed time slot", slot)
        return shown(request, slot_id)

    @extend_schema(
        operation_id="time_slots_delete",
        summary="Delete a time that nobody ever agreed to",
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def delete(self, request: Request, slot_id: UUID) -> Response:
        slot = slot_of(request, slot_id)
        try:
            with transaction.atomic():
                record_by_key(request, "deleted time slot", slot)
                slot.delete()
        except (RestrictedError, IntegrityError):
            raise ConflictError("An appointment was made for this time. Set is_offered to false.") from None
        return Response(status=204)
