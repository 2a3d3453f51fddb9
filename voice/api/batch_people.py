"""The people of a call batch over the API: added, listed, and decided about where nobody knows if it rang."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.openapi import enveloped
from config.api.owned import given, one_of
from crm.models import Contact
from voice import batches
from voice.api.batches import TAG, audit, batch_of
from voice.api.calls import SCOPE
from voice.models import Callee

AT_ONCE = 1000  # ids in one request


class CalleeSerializer(serializers.ModelSerializer):
    contact = serializers.UUIDField(source="contact_id")
    name = serializers.CharField(source="contact.name")
    state = serializers.CharField(help_text="waiting, claimed, calling, unknown, done, skipped or cancelled.")
    calls = serializers.SerializerMethodField(help_text="Each attempt, as `/conversations` calls it.")

    class Meta:
        model = Callee
        fields = ("id", "contact", "name", "state", "next_at", "called_at", "outcome", "reason", "calls")

    def get_calls(self, callee: Callee) -> list[str]:
        return [call.reference for call in sorted(callee.calls.all(), key=lambda one: one.attempt)]


class AddPeopleSerializer(serializers.Serializer):
    """Either of the two."""

    contacts = serializers.ListField(
        child=serializers.UUIDField(), required=False, max_length=AT_ONCE, help_text="Ids of contacts."
    )
    everybody_who_agreed = serializers.BooleanField(
        required=False, default=False, help_text="Everybody who said that they may be called."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if bool(attrs.get("contacts")) == bool(attrs.get("everybody_who_agreed")):
            raise serializers.ValidationError({"contacts": "Give contacts, or everybody_who_agreed."})
        return attrs


class AddedSerializer(serializers.Serializer):
    added = serializers.IntegerField(help_text="Who was in it before, or is none of your contacts, is not.")


class DecisionSerializer(serializers.Serializer):
    call_again = serializers.BooleanField(help_text="False: leave it at that.")


@extend_schema(tags=[TAG])
class BatchPeople(generics.ListAPIView):
    required_scope = SCOPE
    serializer_class = CalleeSerializer
    ordering = "-id"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return Callee.objects.none()
        rows = batch_of(self.request, self.kwargs["batch_id"]).people.select_related("contact")
        state = self.request.query_params.get("state", "")
        if state and state not in Callee.State.values:
            raise serializers.ValidationError({"state": f"One of {', '.join(Callee.State.values)}."})
        rows = rows.prefetch_related("calls")
        return rows.filter(state=state) if state else rows

    @extend_schema(
        operation_id="call_batches_people",
        summary="The people of a batch, the latest added first",
        parameters=[OpenApiParameter("state", str, enum=Callee.State.values)],
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="call_batches_add_people",
        summary="Add people, at most 1,000 by their ids in one request; also while it runs",
        request=AddPeopleSerializer,
        responses=enveloped("CallBatchPeopleResponse", AddedSerializer()),
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        batch = batch_of(request, batch_id)
        data = given(AddPeopleSerializer, request).validated_data
        own = Contact.objects.for_account(batch.account)
        ids = data.get("contacts")
        try:
            added = batches.add(batch, own.filter(pk__in=ids) if ids else batches.agreed(batch.account))
        except batches.MoveRefused as error:
            raise ConflictError(str(error)) from None
        audit(request, "added people to call batch", batch)
        return success(request, {"added": added})


@extend_schema(tags=[TAG])
class DecideView(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="call_batches_decide",
        summary="Decide about somebody of whom nobody knows whether their phone rang",
        request=DecisionSerializer,
        responses=enveloped("CalleeResponse", CalleeSerializer()),
    )
    def post(self, request: Request, batch_id: UUID, callee_id: int) -> Response:
        batch = batch_of(request, batch_id)
        again = given(DecisionSerializer, request).validated_data["call_again"]
        rows = batch.people.select_related("contact").prefetch_related("calls")
        if not batches.decide(one_of(rows, callee_id, "person"), again=again):
            raise ConflictError("It is known by now what came of this call.")
        audit(request, "decided about unknown call", batch)
        return success(request, CalleeSerializer(one_of(rows.all(), callee_id, "person")).data)
