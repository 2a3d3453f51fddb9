"""`/api/v1/call-batches…`: calls to many people, made, looked ahead at, started, paused and followed."""

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.audit import record
from config.api.authentication import account_of, caller_of
from config.api.envelope import success
from config.api.errors import ConflictError
from config.api.models import Account, AuditEntry
from config.api.openapi import enveloped
from config.api.owned import OwnedList, given, one_of
from voice import audience, batches
from voice.api.calls import SCOPE
from voice.models import CallBatch

TAG = "Call batches"
State = CallBatch.State


class BatchProgressSerializer(serializers.Serializer):
    people = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Due now or later: outside their hours, or another attempt.")
    in_progress = serializers.IntegerField()
    unknown = serializers.IntegerField(help_text="Nobody knows whether it rang: decide for each.")
    done = serializers.IntegerField()
    skipped = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    booked = serializers.IntegerField()
    percent = serializers.IntegerField()
    outcomes = serializers.DictField(child=serializers.IntegerField(), help_text="Outcome → people.")
    skipped_why = serializers.DictField(child=serializers.IntegerField(), help_text="Reason → people.")


class BatchSerializer(serializers.ModelSerializer):
    """`state`: draft, running, paused, finished, cancelled. `state_reason` says why it paused itself."""

    state = serializers.CharField(read_only=True)
    progress = serializers.SerializerMethodField()

    class Meta:
        model = CallBatch
        fields = (
            *("id", "name", "company", "position", "calls_at_once", "pause_after", "state", "state_reason"),
            *("progress", "created_at", "started_at", "finished_at"),
        )
        read_only_fields = ("id", "state_reason", "created_at", "started_at", "finished_at")

    def validate_calls_at_once(self, value: int) -> int:
        most = settings.BATCH_CALLS_AT_ONCE
        if value > most:
            raise serializers.ValidationError(f"At most {most} (RAPPORT_BATCH_CALLS_AT_ONCE).")
        return value

    @extend_schema_field(BatchProgressSerializer)
    def get_progress(self, batch: CallBatch) -> dict[str, Any]:
        known: dict[UUID, batches.Progress] = self.context.get("progress", {})
        figures = known.get(batch.pk) or batches.progress([batch.pk])[batch.pk]
        return dict(BatchProgressSerializer(figures).data)


BatchResponse = enveloped("CallBatchResponse", BatchSerializer())


def batch_of(request: Request, batch_id: UUID) -> CallBatch:
    rows = CallBatch.objects.for_account(account_of(request)).select_related("account")
    found: CallBatch = one_of(rows, batch_id, "call batch")
    return found


def shown(request: Request, batch_id: UUID, status: int = 200) -> Response:
    return success(request, BatchSerializer(batch_of(request, batch_id)).data, status)


def audit(request: Request, action: str, batch: CallBatch) -> None:
    name = caller_of(request).name
    record(batch.account, AuditEntry.ActorKind.KEY, name, action, target=batch, request=request)


@extend_schema(tags=[TAG])
class BatchList(OwnedList):
    required_scope = SCOPE
    serializer_class = BatchSerializer
    queryset = CallBatch.objects.none()

    def rows_of(self, account: Account) -> Any:
        rows, state = CallBatch.objects.for_account(account), self.request.query_params.get("state")
        if state and state not in State.values:
            raise serializers.ValidationError({"state": f"One of {', '.join(State.values)}."})
        return rows.filter(state=state) if state else rows

    @extend_schema(
        operation_id="call_batches_list",
        summary="Call batches with their figures, newest first",
        parameters=[OpenApiParameter("state", str, enum=State.values)],
    )
    def get(self, request: Request) -> Response:
        page = self.paginate_queryset(self.get_queryset()) or []
        figures = batches.progress([batch.pk for batch in page])
        data = BatchSerializer(page, many=True, context={"progress": figures}).data
        return self.get_paginated_response(data)

    @extend_schema(
        operation_id="call_batches_create",
        summary="Make a draft of a call batch; people are added to it next",
        request=BatchSerializer,
        responses={201: BatchResponse},
    )
    def post(self, request: Request) -> Response:
        serializer = given(BatchSerializer, request)
        batch = serializer.save(account=account_of(request), created_by=caller_of(request).name[:150])
        audit(request, "created call batch", batch)
        return shown(request, batch.pk, 201)


@extend_schema(tags=[TAG])
class BatchDetail(generics.GenericAPIView):
    required_scope = SCOPE
    serializer_class = BatchSerializer
    queryset = CallBatch.objects.none()

    @extend_schema(
        operation_id="call_batches_read", summary="One call batch with its figures", responses=BatchResponse
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        return shown(request, batch_id)

    @extend_schema(
        operation_id="call_batches_change",
        summary="Change a call batch; calls at once and failures also while it runs",
        request=BatchSerializer(partial=True),
        responses=BatchResponse,
    )
    def patch(self, request: Request, batch_id: UUID) -> Response:
        batch = batch_of(request, batch_id)
        changed = given(BatchSerializer, request, batch).validated_data
        if changed and not CallBatch.objects.filter(pk=batch.pk, state__in=batches.GROWING).update(**changed):
            raise ConflictError(f"This batch is {batch.state}; it can no longer be changed.")
        audit(request, "changed call batch", batch)
        return shown(request, batch_id)

    @extend_schema(
        operation_id="call_batches_delete",
        summary="Delete a draft",
        responses={204: OpenApiResponse(description="It is gone.")},
    )
    def delete(self, request: Request, batch_id: UUID) -> Response:
        batch = batch_of(request, batch_id)
        if batch.state != State.DRAFT:
            raise ConflictError("Only a draft can be deleted. Cancel the batch instead.")
        audit(request, "deleted call batch", batch)
        batch.delete()
        return Response(status=204)


class AudienceSerializer(serializers.Serializer):
    will_be_called = serializers.IntegerField(help_text="At once, when it starts now.")
    later = serializers.IntegerField(
        help_text="It is outside their own hours; they are called when it is not."
    )
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="Reason → people.")
    words = serializers.SerializerMethodField()

    def get_words(self, found: audience.Audience) -> str:
        return audience.sentence(found)


@extend_schema(tags=[TAG])
class BatchPreview(APIView):
    required_scope = SCOPE

    @extend_schema(
        operation_id="call_batches_preview",
        summary="Who will be called, who later, who not and why",
        responses=enveloped("CallBatchPreviewResponse", AudienceSerializer()),
    )
    def get(self, request: Request, batch_id: UUID) -> Response:
        found = audience.audience_of(batch_of(request, batch_id))
        return success(request, AudienceSerializer(found).data)
