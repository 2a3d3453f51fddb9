"""What mail providers call: the caller proved, the call stored as it came, and a 200."""

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from campaigns import provider_calls
from campaigns.mail_providers import PROVIDERS, Call, FormTooLargeError
from campaigns.models import WebhookCall
from config.api import throttling
from config.api.addresses import client_address, ident_of_address
from config.api.failures import Failure
from config.api.handler import error_response, json_error

# What a proof may rest on. Nothing else of a request is looked at or kept.
PROOFS = (
    "Authorization",
    "X-Rapport-Signature",
    "X-Twilio-Email-Event-Webhook-Signature",
    "X-Twilio-Email-Event-Webhook-Timestamp",
    "X-Amz-Sns-Message-Type",
    "X-Amz-Sns-Message-Id",
)
NOT_PROVED = Failure(
    403, "SIGNATURE_ERROR", "This call does not prove that it comes from your mail provider."
)
NO_PASSWORD = Failure(401, "UNAUTHORIZED", "Send the user and password of this webhook.")
TOO_LARGE = Failure(413, "PAYLOAD_TOO_LARGE", "This call is larger than RAPPORT_INBOUND_MAX_MB allows.")
FORM_TOO_LARGE = Failure(
    413,
    "PAYLOAD_TOO_LARGE",
    "The fields of this form hold more than 2.5 MB, or are more than 1,000. Files beside them may be larger.",
)
REFUSED_PER_MINUTE = 60

PROVIDER = OpenApiParameter(
    "provider", OpenApiTypes.STR, OpenApiParameter.PATH, enum=sorted(PROVIDERS), description="Who calls."
)
BODY = {
    "application/json": OpenApiTypes.OBJECT,
    "multipart/form-data": OpenApiTypes.OBJECT,
    "message/rfc822": OpenApiTypes.BINARY,
}


class ReceivedSerializer(serializers.Serializer):
    success = serializers.BooleanField()
    message = serializers.CharField()


class _Webhook(APIView):
    # The signature or password of the call is its credential, and decides alone.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    kind: str

    def take(self, request: Request, provider: str) -> HttpResponseBase:
        plain = request._request
        if provider not in PROVIDERS:
            return _refused(plain, provider)
        most = 2 * settings.INBOUND_MAX_BYTES  # what base64 and the provider's fields add to an email
        body = plain.read(most + 1)
        if len(body) > most:
            return json_error(plain, TOO_LARGE)
        headers = {name: plain.headers[name] for name in PROOFS if name in plain.headers}
        call = Call(body, plain.headers.get("Content-Type", ""), headers)
        try:
            webhook = provider_calls.proved(provider, call, kind=self.kind)
        except FormTooLargeError:
            return json_error(plain, FORM_TOO_LARGE)
        if webhook is None:
            return _refused(plain, provider)
        provider_calls.keep(webhook, call, kind=self.kind)
        return Response({"success": True, "message": "Received."})


def _refused(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Nothing is stored. Only refused calls are counted against a limit, never a provider's own."""
    ident = ident_of_address(client_address(request))
    allowance = throttling.take(ident, bucket="webhook-refused", per_minute=REFUSED_PER_MINUTE, per_second=0)
    if not allowance.allowed:
        return error_response(request, allowance.refusal())
    knows = PROVIDERS.get(provider)
    if knows is not None and knows.asks_password and "Authorization" not in request.headers:
        # Amazon SNS sends the password of its address only after it was asked for it.
        response = json_error(request, NO_PASSWORD)
        response["WWW-Authenticate"] = 'Basic realm="webhook"'
        return response
    return json_error(request, NOT_PROVED)


@extend_schema(tags=["Webhooks"], parameters=[PROVIDER], auth=[])
class BounceWebhook(_Webhook):
    kind = WebhookCall.Kind.EVENTS

    @extend_schema(
        operation_id="webhooks_bounce",
        summary="A mail provider tells what became of emails",
        description="The call proves itself as its provider documents (docs/inbound-and-tracking.md).",
        request=BODY,
        responses=ReceivedSerializer,
    )
    def post(self, request: Request, provider: str) -> HttpResponseBase:
        return self.take(request, provider)


@extend_schema(tags=["Webhooks"], parameters=[PROVIDER], auth=[])
class InboundWebhook(_Webhook):
    kind = WebhookCall.Kind.EMAILS

    @extend_schema(
        operation_id="webhooks_inbound",
        summary="A mail provider hands over an email that arrived",
        description="The call proves itself as its provider documents (docs/inbound-and-tracking.md).",
        request=BODY,
        responses=ReceivedSerializer,
    )
    def post(self, request: Request, provider: str) -> HttpResponseBase:
        return self.take(request, provider)
