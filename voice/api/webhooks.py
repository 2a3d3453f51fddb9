"""The webhooks: the caller proved, the body stored as it came, and a 200."""

import hashlib
import hmac
import tempfile
import time
from typing import IO, Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.api.async_views import async_endpoint
from config.api.errors import ApiError, ConflictError, TooLargeError
from config.api.handler import error_response
from config.api.metadata import timestamp
from config.api.parsers import parse_json
from voice import webhook_body, webhook_calls, webhook_elevenlabs, webhook_receiving
from voice.api.webhooks_access import WebhookView, acount_refused, count_refused, webhook_caller
from voice.api.webhooks_described import (
    AcceptedSerializer,
    ConversationEndSerializer,
    VendorAcceptedSerializer,
)
from voice.webhook_account import webhook_account

MOST_BYTES = 10 * 1024 * 1024  # of the documented body, as its technical specification has it
PIECE = 256 * 1024
IN_MEMORY = 1024 * 1024

SIGNATURE = OpenApiParameter(
    "X-Webhook-Signature",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="HMAC-SHA256 of the raw body with WEBHOOK_SECRET, in hex. Checked when it is there.",
)
VENDOR_SIGNATURE = OpenApiParameter(
    "ElevenLabs-Signature", OpenApiTypes.STR, OpenApiParameter.HEADER, required=True
)


def signature_error(message: str) -> ApiError:
    return ApiError("SIGNATURE_ERROR", message, status_code=403)


@extend_schema(tags=["Webhooks"])
class ConversationWebhook(WebhookView):
    """For the schema. The view is `conversation_webhook`."""

    @extend_schema(
        operation_id="webhook_conversation",
        summary="A conversation has ended",
        description="Safe to repeat: the same content is stored once and has one `webhookId`.",
        parameters=[SIGNATURE],
        request=ConversationEndSerializer,
        responses=AcceptedSerializer,
    )
    def post(self, request: Request) -> Response:
        raise NotImplementedError


@async_endpoint(methods=("POST",))
async def conversation_webhook(request: HttpRequest) -> HttpResponseBase:
    """Async, because those who come at the same time share the look-up of keys, limits and the write."""
    caller = await webhook_caller(request)
    raw = raw_body(request)
    await check_signature(request, raw)
    body = parse_json(raw)
    try:
        talk = webhook_body.read(body)
    except webhook_body.InvalidBody as invalid:
        raise ValidationError(invalid.errors) from None
    try:
        stored = await webhook_receiving.keep(caller.account, raw, body, talk)
    except webhook_receiving.OtherAccount:
        raise ConflictError("This conversationId is known under another accountId.") from None
    except webhook_receiving.Erased:
        raise ConflictError("This conversation was erased and is not taken again.") from None
    return JsonResponse(accepted(stored), headers={"Cache-Control": "no-store"})


def raw_body(request: HttpRequest) -> bytes:
    """Before anybody parses it: signatures are over bytes. Raises TooLargeError."""
    body = request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise TooLargeError(f"The body may have {MOST_BYTES // 1024**2} MB.")
    return body


async def check_signature(request: HttpRequest, raw: bytes) -> None:
    """A wrong one is refused; a missing one only where signatures are required."""
    secret, given = settings.WEBHOOK_SECRET, request.headers.get("X-Webhook-Signature", "")
    if not secret or not (given or settings.WEBHOOK_SIGNATURE_REQUIRED):
        return
    made = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(given.strip().lower().removeprefix("sha256=").encode(), made.encode()):
        await acount_refused(request)
        raise signature_error(
            "X-Webhook-Signature is not the HMAC-SHA256 of this body with the shared secret."
        )


def accepted(stored: webhook_receiving.Stored) -> dict[str, Any]:
    event = stored.event
    return {
        "success": True,
        "message": "Conversation data received successfully",
        "data": {
            "conversationId": event.conversation_id,
            "processedAt": timestamp(event.received_at.replace(microsecond=0)),
            # The documented word for: received and stored. Its GET says how far it is since.
            "status": "processed",
            "webhookId": event.webhook_id,
        },
        "error": None,
    }


@extend_schema(tags=["Webhooks"], auth=[])
class ElevenLabsWebhook(APIView):
    # The signature of the call is its credential, and decides alone.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()

    @extend_schema(
        operation_id="webhook_elevenlabs",
        summary="ElevenLabs tells of a call: transcript, recording, or that it failed",
        description="The call proves itself by its signature (docs/webhook-api.md). Unknown kinds are kept.",
        parameters=[VENDOR_SIGNATURE],
        request={"application/json": OpenApiTypes.OBJECT},
        responses=VendorAcceptedSerializer,
    )
    def post(self, request: Request) -> HttpResponseBase:
        plain = request._request
        proof = webhook_elevenlabs.Proof(
            plain.headers.get("ElevenLabs-Signature", ""),
            settings.ELEVENLABS_WEBHOOK_SECRETS,
            now=time.time(),
        )
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as body:
            # What is late, or signed by nobody, is refused before its megabytes are read.
            size = copied(plain, body, proof) if proof.is_timely and proof.digests else 0
            if not proof.holds:
                return refused(plain)
            webhook_calls.keep(webhook_account(), body, size=size)
        return Response({"success": True, "message": "Received."})


def copied(request: HttpRequest, body: IO[bytes], proof: webhook_elevenlabs.Proof) -> int:
    """Bytes of the body, each shown to the proof. Recordings come without a length, so it is counted here."""
    size, most = 0, settings.VOICE_AUDIO_MAX_BYTES
    while piece := request.read(PIECE):
        size += len(piece)
        if size > most:
            raise TooLargeError("This call is larger than RAPPORT_VOICE_AUDIO_MB allows.")
        proof.add(piece)
        body.write(piece)
    body.seek(0)
    return size


def refused(request: HttpRequest) -> HttpResponseBase:
    """Nothing is stored; only refused calls are counted against a limit, never the vendor's own."""
    count_refused(request)
    return error_response(
        request, signature_error("This call does not prove that it comes from your ElevenLabs workspace.")
    )
