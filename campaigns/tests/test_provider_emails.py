"""Emails that SendGrid and Brevo hand over, in their own formats; and forms that are too large."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from campaigns import inbound, provider_calls
from campaigns.models import InboundEmail, MailWebhook, WebhookCall
from campaigns.tests.letters import letter
from config.api import arrivals
from tests.factories import make_account

pytestmark = pytest.mark.django_db
PASSWORD = "hook:correct-horse"
BASIC = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True)


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


def hook(provider, secret):
    return MailWebhook.objects.create(account=make_account(), name=provider, provider=provider, secret=secret)


def sendgrid_hook(key):
    shape = serialization.PublicFormat.SubjectPublicKeyInfo
    public = key.public_key().public_bytes(serialization.Encoding.DER, shape)
    return hook("sendgrid", base64.b64encode(public).decode())


def by_sendgrid(client, key, fields, *, tampered=b""):
    body, at = encode_multipart(BOUNDARY, fields), "1795000000"
    signature = base64.b64encode(key.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    return client.generic(
        "POST",
        "/api/v1/webhooks/inbound/sendgrid",
        body + tampered,
        content_type=MULTIPART_CONTENT,
        HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_SIGNATURE=signature,
        HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_TIMESTAMP=at,
    )


def read_all():
    for call_id in arrivals.due_ids(WebhookCall):
        provider_calls.read(call_id)
    for email_id in arrivals.due_ids(InboundEmail):
        inbound.read(email_id)
    return InboundEmail.objects.get()


def parsed_fields(sent):
    """As SendGrid's Inbound Parse sends an email that it took apart."""
    head = "From: Ada <ada@example.com>\nTo: r@x.example\nSubject: Re: May we?\n"
    head += f"Message-ID: <one@example.com>\nIn-Reply-To: {sent.message_id}\n"
    return {
        "headers": head,
        "from": "Ada <ada@example.com>",
        "to": "r@x.example",
        "text": "Yes, gladly. Żółć.",
        "charsets": json.dumps({"text": "UTF-8"}),
        "envelope": json.dumps({"to": ["r@x.example"], "from": "ada@example.com"}),
        "attachments": "0",
    }


def test_an_email_by_sendgrid_as_it_took_it_apart(client, key, sent):
    sendgrid_hook(key)
    assert by_sendgrid(client, key, parsed_fields(sent)).status_code == 200
    email = read_all()
    assert (email.kind, email.delivery, email.source) == ("reply", sent, "sendgrid")
    assert email.text.strip() == "Yes, gladly. Żółć."


def test_an_email_by_sendgrid_as_it_came(client, key, sent):
    sendgrid_hook(key)
    fields = {"email": letter(in_reply_to=sent.message_id).decode(), "to": "r@x.example"}
    assert by_sendgrid(client, key, fields).status_code == 200
    assert read_all().kind == "reply"


def test_an_email_by_sendgrid_that_another_key_signed_or_nobody_is_refused(client, key, sent):
    sendgrid_hook(ec.generate_private_key(ec.SECP256R1()))
    assert by_sendgrid(client, key, parsed_fields(sent)).status_code == 403
    plain = client.post("/api/v1/webhooks/inbound/sendgrid", parsed_fields(sent))
    assert plain.status_code == 403
    assert not WebhookCall.objects.exists()


def test_an_email_by_sendgrid_that_was_changed_on_the_way_is_refused(client, key, sent):
    sendgrid_hook(key)
    assert by_sendgrid(client, key, parsed_fields(sent), tampered=b" ").status_code == 403
    assert not WebhookCall.objects.exists()


def brevo_item(sent):
    """As Brevo's inbound parsing documents one email."""
    return {
        "Uuid": ["11111111-2222-3333-4444-555555555555"],
        "MessageId": "<one@example.com>",
        "InReplyTo": sent.message_id,
        "RawTextBody": "Yes, gladly.",
        "Headers": {
            "From": "Ada <ada@example.com>",
            "To": "r@x.example",
            "Subject": "Re: May we?",
            "Message-ID": "<one@example.com>",
            "In-Reply-To": sent.message_id,
            "Received": ["from a by b", "from c by d"],
        },
        "Attachments": [
            {
                "Name": "cv.pdf",
                "ContentType": "application/pdf",
                "ContentLength": 5120,
                "ContentID": "x",
                "DownloadToken": "a-token",
            },
            {"Name": "notes.eml", "ContentType": "message/rfc822", "DownloadToken": "another"},
        ],
    }


def by_brevo(client, told, **headers):
    body = json.dumps(told)
    return client.post("/api/v1/webhooks/inbound/brevo", body, content_type="application/json", **headers)


def test_an_email_by_brevo_is_read_and_its_attachments_stay_there(client, sent):
    hook("brevo", PASSWORD)
    assert by_brevo(client, {"items": [brevo_item(sent)]}, **BASIC).status_code == 200
    email = read_all()
    assert (email.kind, email.delivery, email.text.strip()) == ("reply", sent, "Yes, gladly.")
    assert [(one["name"], one["size_bytes"]) for one in email.attachments] == [
        ("cv.pdf", 5120),
        ("notes.eml", 0),
    ]


def test_an_email_by_brevo_without_its_password_is_refused(client, sent):
    hook("brevo", PASSWORD)
    assert by_brevo(client, {"items": [brevo_item(sent)]}).status_code == 401
    wrong = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"hook:wrong").decode()}
    assert by_brevo(client, {"items": [brevo_item(sent)]}, **wrong).status_code == 403
    assert not WebhookCall.objects.exists()


@pytest.mark.parametrize("told", [{}, {"items": 3}, {"items": [3]}, {"items": [{"Attachments": [1]}]}, []])
def test_what_is_no_email_of_brevo_is_kept_with_its_reason(client, told):
    hook("brevo", PASSWORD)
    assert by_brevo(client, told, **BASIC).status_code == 200
    for call_id in arrivals.due_ids(WebhookCall):
        provider_calls.read(call_id)
    assert WebhookCall.objects.get().error


@pytest.mark.parametrize("event", ["hard_bounce", "spam"])
def test_brevo_tells_what_became_of_an_email(client, sent, event):
    hook("brevo", PASSWORD)
    told = {"event": event, "email": sent.to_email, "message-id": sent.message_id, "ts_epoch": 1795000000000}
    body = json.dumps(told)
    url = "/api/v1/webhooks/bounce/brevo"
    assert client.post(url, body, content_type="application/json", **BASIC).status_code == 200
    for call_id in arrivals.due_ids(WebhookCall):
        provider_calls.read(call_id)
    sent.refresh_from_db()
    assert sent.standing in ("bounced", "complained")


# --- forms too large -------------------------------------------------------------------------------------


def refused_as_too_large(response):
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"
    assert "2.5 MB" in response.json()["error"]["message"]
    assert not WebhookCall.objects.exists()
    return True


def test_a_signed_form_with_a_field_over_the_limit_is_refused_in_words(client, key, sent):
    sendgrid_hook(key)
    response = by_sendgrid(client, key, {"email": "x" * 2_700_000})
    assert refused_as_too_large(response)


def test_so_is_one_that_would_prove_itself_by_its_fields(client):
    hook("mailgun", "s" * 40)
    response = client.post("/api/v1/webhooks/inbound/mailgun", {"body-mime": "x" * 2_700_000})
    assert refused_as_too_large(response)


def test_a_form_with_too_many_fields_is_refused_in_words(client, key):
    sendgrid_hook(key)
    fields = {f"f{number}": "x" for number in range(1_001)}
    assert refused_as_too_large(by_sendgrid(client, key, fields))
