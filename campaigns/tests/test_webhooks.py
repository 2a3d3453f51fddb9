"""Mail providers prove themselves; what they tell is stored as it came, and happens once."""

import base64
import hashlib
import hmac
import json
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone

from campaigns import hearing, mail_providers, provider_calls, tasks
from campaigns.mail_providers import GenericProvider
from campaigns.models import InboundEmail, MailWebhook, WebhookCall
from campaigns.tests.letters import letter
from config.api import arrivals
from crm.models import Suppression
from tests.factories import make_account

pytestmark = pytest.mark.django_db
SECRET = "s" * 40
PASSWORD = "hook:correct-horse"
BASIC = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(PASSWORD.encode()).decode()}


@pytest.fixture
def client():
    return Client(enforce_csrf_checks=True)


def hook(provider="generic", secret=SECRET, account=None):
    return MailWebhook.objects.create(
        account=account or make_account(), name=provider, provider=provider, secret=secret
    )


def signed(body, *, secret=SECRET, at=None):
    at = int(time.time()) if at is None else at
    return {"HTTP_X_RAPPORT_SIGNATURE": f"t={at},v1={GenericProvider.sign(secret, body, at=at)}"}


def tell(client, events, **given):
    body = json.dumps(events).encode()
    headers = given.pop("headers", None) or signed(body, **given)
    return client.post("/api/v1/webhooks/bounce/generic", body, content_type="application/json", **headers)


def event(delivery, name="hard", **more):
    return {
        "id": "e1",
        "event": name,
        "message_id": delivery.message_id,
        "recipient": delivery.to_email,
        **more,
    }


def run():
    for call_id in arrivals.due_ids(WebhookCall):
        provider_calls.read(call_id)


def heard(delivery):
    return list(delivery.events.exclude(source="").values_list("kind", "source"))


# --- the proof -------------------------------------------------------------------------------------------


def test_a_proved_call_is_stored_answered_and_then_read(client, sent):
    hook()
    assert tell(client, [event(sent)]).status_code == 200
    call = WebhookCall.objects.get()
    assert (call.state, heard(sent)) == ("waiting", [])
    run()
    assert heard(sent) == [("bounced", "generic")]
    assert Suppression.objects.get().reason == "hard_bounce"
    assert WebhookCall.objects.get().state == "done"


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_X_RAPPORT_SIGNATURE": ""},
        {"HTTP_X_RAPPORT_SIGNATURE": "t=1,v1=0"},
        {"HTTP_X_RAPPORT_SIGNATURE": "v1=" + "0" * 64},
        {"HTTP_X_RAPPORT_SIGNATURE": f"t={int(time.time())},v1=" + "é" * 64},
        {"HTTP_X_RAPPORT_SIGNATURE": "t=²,v1=x"},
        {"HTTP_X_OTHER": "x"},
    ],
)
def test_an_unproved_call_is_refused_and_nothing_is_stored(client, sent, headers):
    hook()
    response = tell(client, [event(sent)], headers=headers)
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "SIGNATURE_ERROR"
    assert not WebhookCall.objects.exists()


@pytest.mark.parametrize("seconds", [-900, 900])
def test_an_old_or_future_signature_is_refused(client, sent, seconds):
    hook()
    assert tell(client, [event(sent)], at=int(time.time()) + seconds).status_code == 403


def test_the_secret_of_a_webhook_switched_off_proves_nothing(client, sent):
    MailWebhook.objects.filter(pk=hook().pk).update(is_active=False)
    assert tell(client, [event(sent)]).status_code == 403


def test_another_accounts_webhook_cannot_touch_an_email(client, sent):
    hook(account=make_account("other"))
    assert tell(client, [event(sent)]).status_code == 200
    run()
    assert heard(sent) == []
    assert not Suppression.objects.exists()


@pytest.mark.parametrize("provider", ["nobody", "admin", "../generic"])
def test_an_unknown_provider_is_refused_like_a_wrong_signature(client, provider):
    response = client.post(f"/api/v1/webhooks/bounce/{provider}", b"{}", content_type="application/json")
    assert response.status_code in (403, 404)


def test_refused_calls_are_limited_and_a_proved_one_still_passes(client, sent, monkeypatch):
    from campaigns.api import webhooks

    monkeypatch.setattr(webhooks, "REFUSED_PER_MINUTE", 2)
    hook()
    bad = {"HTTP_X_RAPPORT_SIGNATURE": "t=1,v1=0"}
    assert [tell(client, [event(sent)], headers=bad).status_code for _time in range(3)] == [403, 403, 429]
    assert tell(client, [event(sent)]).status_code == 200


def test_a_body_that_is_too_large_is_refused(client, settings):
    settings.INBOUND_MAX_BYTES = 100
    hook()
    assert tell(client, ["x" * 500]).status_code == 413


# --- once ------------------------------------------------------------------------------------------------


def test_the_same_call_ten_times_is_one_row_and_one_event(client, sent):
    hook()
    body = json.dumps([event(sent)]).encode()
    headers = signed(body)
    for _time in range(10):
        assert tell(client, [event(sent)], headers=headers).status_code == 200
    run()
    assert WebhookCall.objects.count() == 1
    assert heard(sent) == [("bounced", "generic")]


def test_the_same_event_in_another_call_is_one_event(client, sent):
    hook()
    tell(client, [event(sent)])
    tell(client, [event(sent), event(sent, "complaint", id="e2")])
    run()
    assert heard(sent) == [("bounced", "generic"), ("complained", "generic")]


def test_disorder_ends_the_same(client, sent):
    hook()
    tell(client, [event(sent)])
    tell(client, [event(sent, "delivered", id="e0", at="2026-11-26T10:00:00Z")])
    run()
    sent.refresh_from_db()
    assert (sent.standing, sent.delivered_at is not None) == ("bounced", True)


def test_a_call_that_makes_no_sense_is_given_up_and_kept_to_replay(client, sent):
    hook()
    tell(client, [{"id": "x", "event": "exploded"}])
    for _attempt in range(arrivals.MAX_ATTEMPTS):
        WebhookCall.objects.update(not_before=timezone.now())
        run()
    call = WebhookCall.objects.get()
    assert call.state == "dead"
    assert "event of" in call.error


def test_an_event_that_cannot_be_written_keeps_no_other_from_being_heard(client, sent, monkeypatch):
    def fail(_delivery, _heard):
        raise ValueError("not to be written")

    hook()
    monkeypatch.setitem(hearing.BY_NAME, "delay", fail)
    tell(client, [event(sent, "delay"), event(sent, "hard", id="e2")])
    run()
    assert heard(sent) == [("bounced", "generic")]
    assert "not to be written" in WebhookCall.objects.get().error


def test_the_sweep_reads_what_no_worker_was_woken_for(client, sent):
    hook()
    tell(client, [event(sent)])
    tasks.sweep()
    assert heard(sent) == [("bounced", "generic")]


def test_an_address_nobody_has_is_nobodys_event(client, sent):
    hook()
    tell(client, [{"id": "e9", "event": "hard", "recipient": "nobody@example.com"}])
    run()
    assert not Suppression.objects.exists()
    assert WebhookCall.objects.get().state == "done"


# --- emails ----------------------------------------------------------------------------------------------


def test_an_email_by_webhook_is_read_like_one_of_a_mailbox(client, sent):
    hook()
    body = letter(in_reply_to=sent.message_id)
    response = client.post(
        "/api/v1/webhooks/inbound/generic", body, content_type="message/rfc822", **signed(body)
    )
    assert response.status_code == 200
    run()
    tasks.sweep()
    email = InboundEmail.objects.get()
    assert (email.kind, email.source, email.delivery) == ("reply", "generic", sent)


# --- vendors, in their own formats -------------------------------------------------------------------------


def mailgun(delivery, *, key=SECRET, event="failed", severity="permanent"):
    token, at = "t" * 50, str(int(time.time()))
    signature = hmac.new(key.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"token": token, "timestamp": at, "signature": signature},
        "event-data": {
            "event": event,
            "severity": severity,
            "reason": "bounce",
            "id": "Ase7i2zsRYeDXztHGENqRA",
            "timestamp": time.time(),
            "recipient": delivery.to_email,
            "message": {"headers": {"message-id": delivery.message_id.strip("<>")}},
            "delivery-status": {"code": 550, "message": "5.1.1 User unknown"},
            "user-variables": {},
            "tags": [],
        },
    }


def post(client, provider, told, kind="bounce", **headers):
    return client.post(
        f"/api/v1/webhooks/{kind}/{provider}", json.dumps(told), content_type="application/json", **headers
    )


@pytest.mark.parametrize(
    ("name", "severity", "kind"),
    [
        ("failed", "permanent", "bounced"),
        ("failed", "temporary", "delayed"),
        ("complained", None, "complained"),
        ("delivered", None, "delivered"),
        ("unsubscribed", None, "unsubscribed"),
    ],
)
def test_mailgun(client, sent, name, severity, kind):
    hook("mailgun")
    assert post(client, "mailgun", mailgun(sent, event=name, severity=severity)).status_code == 200
    run()
    assert heard(sent) == [(kind, "mailgun")]


def test_mailgun_with_another_key_is_refused(client, sent):
    hook("mailgun")
    assert post(client, "mailgun", mailgun(sent, key="x" * 40)).status_code == 403
    assert post(client, "mailgun", {"signature": "x"}).status_code == 403
    assert post(client, "mailgun", []).status_code == 403
    assert not WebhookCall.objects.exists()


def test_an_email_by_mailgun(client, sent):
    hook("mailgun")
    token, at = "t" * 50, str(int(time.time()))
    signature = hmac.new(SECRET.encode(), f"{at}{token}".encode(), hashlib.sha256).hexdigest()
    mime = letter(in_reply_to=sent.message_id).decode()
    fields = {
        "token": token,
        "timestamp": at,
        "signature": signature,
        "body-mime": mime,
        "recipient": "r@x.example",
    }
    assert client.post("/api/v1/webhooks/inbound/mailgun", fields).status_code == 200
    run()
    tasks.sweep()
    assert InboundEmail.objects.get().kind == "reply"


@pytest.mark.parametrize(
    ("told", "kind"),
    [("HardBounce", "bounced"), ("SoftBounce", "soft_bounced"), ("SpamComplaint", "complained")],
)
def test_postmark(client, sent, told, kind):
    hook("postmark", PASSWORD)
    record = "SpamComplaint" if told == "SpamComplaint" else "Bounce"
    body = {
        "RecordType": record,
        "Type": told,
        "ID": 42,
        "Email": sent.to_email,
        "BouncedAt": "2026-11-26T10:00:00Z",
    }
    assert post(client, "postmark", body, **BASIC).status_code == 200
    run()
    assert heard(sent) == [(kind, "postmark")]


def test_words_of_a_provider_with_a_nul_are_kept_without_it(client, sent):
    hook("postmark", PASSWORD)
    body = {"RecordType": "Bounce", "Type": "HardBounce", "ID": 42, "Email": sent.to_email}
    body |= {"Details": "550 no\0 such user", "BouncedAt": "2026-11-26T10:00:00Z"}
    post(client, "postmark", body, **BASIC)
    run()
    assert sent.events.get(kind="bounced").detail == "550 no such user"


def test_postmark_without_its_password_is_asked_and_with_a_wrong_one_refused(client):
    hook("postmark", PASSWORD)
    asked = post(client, "postmark", {})
    assert (asked.status_code, asked["WWW-Authenticate"]) == (401, 'Basic realm="webhook"')
    wrong = {"HTTP_AUTHORIZATION": "Basic " + base64.b64encode(b"hook:wrong").decode()}
    assert post(client, "postmark", {}, **wrong).status_code == 403
    assert not WebhookCall.objects.exists()


def test_sendgrid_with_its_signature(client, sent):
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    hook("sendgrid", base64.b64encode(public).decode())
    told = {"event": "bounce", "type": "bounce", "email": sent.to_email, "timestamp": 1795000000}
    told |= {"sg_event_id": "s1", "smtp-id": sent.message_id, "reason": "550 5.1.1 unknown"}
    body, at = json.dumps([told]), "1795000000"
    signature = base64.b64encode(key.sign(at.encode() + body.encode(), ec.ECDSA(hashes.SHA256()))).decode()
    headers = {
        "HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_SIGNATURE": signature,
        "HTTP_X_TWILIO_EMAIL_EVENT_WEBHOOK_TIMESTAMP": at,
    }
    send = {"content_type": "application/json", **headers}
    assert client.post("/api/v1/webhooks/bounce/sendgrid", body, **send).status_code == 200
    assert client.post("/api/v1/webhooks/bounce/sendgrid", body + " ", **send).status_code == 403
    run()
    assert heard(sent) == [("bounced", "sendgrid")]


def sns(message, *, kind="Notification", **more):
    told = {
        "Type": kind,
        "MessageId": "m-1",
        "TopicArn": "arn:aws:sns:eu-west-1:1:ses",
        "Message": json.dumps(message),
    }
    headers = {"HTTP_X_AMZ_SNS_MESSAGE_TYPE": kind, "HTTP_X_AMZ_SNS_MESSAGE_ID": "m-1"}
    return {**told, **more}, headers


@pytest.mark.parametrize(("bounce_type", "kind"), [("Permanent", "bounced"), ("Transient", "soft_bounced")])
def test_amazon_ses(client, sent, bounce_type, kind):
    hook("ses", PASSWORD)
    message = {
        "notificationType": "Bounce",
        "bounce": {
            "bounceType": bounce_type,
            "bounceSubType": "General",
            "timestamp": "2026-11-26T10:00:00Z",
            "bouncedRecipients": [{"emailAddress": sent.to_email, "diagnosticCode": "smtp; 550 5.1.1"}],
        },
        "mail": {
            "messageId": "0000",
            "timestamp": "2026-11-26T10:00:00Z",
            "headers": [{"name": "Message-ID", "value": sent.message_id}],
            "destination": [sent.to_email],
        },
    }
    told, headers = sns(message)
    assert post(client, "ses", told, **BASIC, **headers).status_code == 200
    run()
    assert heard(sent) == [(kind, "ses")]


@pytest.mark.parametrize(
    "url",
    [
        "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.eu-west-1.amazonaws.com.evil.example/",
        "https://evil.example/?x=sns.eu-west-1.amazonaws.com",
        "https://user@sns.eu-west-1.amazonaws.com/",
        "https://127.0.0.1/",
    ],
)
def test_only_amazon_is_visited_to_confirm_a_subscription(client, monkeypatch, url):
    visited = []
    monkeypatch.setattr(mail_providers.requests, "get", lambda *args, **kwargs: visited.append(args))
    hook("ses", PASSWORD)
    told, headers = sns({}, kind="SubscriptionConfirmation", SubscribeURL=url, Token="t")
    assert post(client, "ses", told, **BASIC, **headers).status_code == 200
    run()
    assert not visited
    assert "not Amazon's" in WebhookCall.objects.get().error


def test_a_subscription_of_amazon_is_confirmed(client, monkeypatch):
    visited = []

    class Answer:
        status_code = 200

        def close(self):
            pass

    def get(url, **options):
        visited.append((url, options["timeout"], options["allow_redirects"]))
        return Answer()

    monkeypatch.setattr(mail_providers.requests, "get", get)
    hook("ses", PASSWORD)
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    told, headers = sns({}, kind="SubscriptionConfirmation", SubscribeURL=url, Token="t")
    post(client, "ses", told, **BASIC, **headers)
    run()
    assert visited == [(url, (5, 10), False)]
    assert WebhookCall.objects.get().state == "done"


def test_an_erasure_clears_calls_that_name_the_person(client, sent):
    from campaigns import personal_data

    hook()
    tell(client, [event(sent)])
    run()
    tell(client, [{"id": "z", "event": "hard", "recipient": "other@example.com"}])
    assert personal_data.erase(sent.contact)["webhook_calls"] == 1
    assert WebhookCall.objects.exclude(body="").count() == 1
