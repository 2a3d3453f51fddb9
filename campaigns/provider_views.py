"""anymail's views of two providers, where its own stop short: a signature, and what we do not fetch."""

from typing import Any

from anymail.inbound import AnymailInboundMessage
from anymail.webhooks.brevo import BrevoInboundWebhookView
from anymail.webhooks.sendgrid import SendGridBaseWebhookView, SendGridInboundWebhookView

UNREAD = "application/octet-stream"


class SignedSendGridInboundWebhookView(SendGridBaseWebhookView, SendGridInboundWebhookView):
    """An email by SendGrid's Inbound Parse, signed under a security policy of the parse setting.

    The signature is that of its event webhook: ECDSA over the timestamp and the body as it came
    (www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks).
    """

    key_setting_name = "inbound_webhook_verification_key"


class NamedBrevoInboundWebhookView(BrevoInboundWebhookView):
    """An email by Brevo, whose attachments stay there: we keep of any email their names and sizes alone."""

    def __init__(self, **given: Any) -> None:
        super().__init__(api_key="none: nothing is fetched", **given)

    def _fetch_attachment(self, told: dict[str, Any]) -> AnymailInboundMessage:
        kind = str(told.get("ContentType") or UNREAD)
        if kind.lower().startswith(("multipart/", "message/")):
            kind = UNREAD  # it would have to hold parts
        part = AnymailInboundMessage.construct_attachment(
            content_type=kind, content=b"", filename=str(told.get("Name") or "")
        )
        part.set_param("size", str(told.get("ContentLength") or 0), header="Content-Disposition")  # RFC 2183
        return part
