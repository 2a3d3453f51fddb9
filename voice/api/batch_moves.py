"""Starting, pausing, resuming and cancelling a call batch: POST without a body, else a 409 with why."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.authentication import caller_of
from config.api.errors import ConflictError
from voice import batches
from voice.api.batches import TAG, BatchResponse, audit, batch_of, shown
from voice.api.calls import SCOPE
from voice.models import CallBatch


class _MoveView(APIView):
    required_scope = SCOPE
    action = ""

    def move(self, request: Request, batch: CallBatch) -> bool:
        raise NotImplementedError

    def moved(self, request: Request, batch_id: UUID) -> Response:
        batch = batch_of(request, batch_id)
        try:
            done = self.move(request, batch)
        except batches.MoveRefused as error:
            raise ConflictError(str(error)) from None
        if not done:
            raise ConflictError(f"This batch is {batch.state}; it cannot be {self.action}.")
        audit(request, f"{self.action} call batch", batch)
        return shown(request, batch_id)


@extend_schema(tags=[TAG])
class StartBatch(_MoveView):
    action = "started"

    def move(self, request: Request, batch: CallBatch) -> bool:
        return batches.start(batch)

    @extend_schema(
        operation_id="call_batches_start", summary="Start to call", request=None, responses=BatchResponse
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        return self.moved(request, batch_id)


@extend_schema(tags=[TAG])
class PauseBatch(_MoveView):
    action = "paused"

    def move(self, request: Request, batch: CallBatch) -> bool:
        return batches.pause(batch.pk, reason=f"Paused by {caller_of(request).name}.")

    @extend_schema(
        operation_id="call_batches_pause",
        summary="Call nobody else; calls that are in progress go on",
        request=None,
        responses=BatchResponse,
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        return self.moved(request, batch_id)


@extend_schema(tags=[TAG])
class ResumeBatch(_MoveView):
    action = "resumed"

    def move(self, request: Request, batch: CallBatch) -> bool:
        return batches.resume(batch.pk)

    @extend_schema(operation_id="call_batches_resume", summary="Go on", request=None, responses=BatchResponse)
    def post(self, request: Request, batch_id: UUID) -> Response:
        return self.moved(request, batch_id)


@extend_schema(tags=[TAG])
class CancelBatch(_MoveView):
    action = "cancelled"

    def move(self, request: Request, batch: CallBatch) -> bool:
        return batches.cancel(batch.pk)

    @extend_schema(
        operation_id="call_batches_cancel",
        summary="Call nobody any more; calls that are in progress go on",
        request=None,
        responses=BatchResponse,
    )
    def post(self, request: Request, batch_id: UUID) -> Response:
        return self.moved(request, batch_id)
