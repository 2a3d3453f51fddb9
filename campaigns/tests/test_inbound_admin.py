"""Staff read what arrived, as text; set up mailboxes whose secrets never come back; and read anew."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils import timezone

from campaigns import inbound
from campaigns.models import Delivery, InboundEmail, Mailbox, MailWebhook, WebhookCall
from campaigns.tests.letters import letter
from tests.factories import make_account, make_contact
from tests.fakes.imap_server import PASSWORD, USER, ImapServer

pytestmark = pytest.mark.django_db
EVIL = "<script>alert(1)</script><img src='http://evil.example/x.png'>"


@pytest.fixture
def staff(client):
    client.force_login(User.objects.create_superuser("boss", password="x"))
    return client


@pytest.fixture
def email():
    contact = make_contact(email="ada@example.com")
    kept = inbound.keep(contact.account, letter(EVIL, subject=EVIL), source="imap")
    inbound.read(kept.pk)
    return InboundEmail.objects.get()


def page(name, *args):
    return reverse(f"admin:campaigns_{name}", args=args)


def test_the_list_and_its_filters_open(staff, email):
    response = staff.get(page("inboundemail_changelist"), {"kind__exact": "reply"})
    assert response.status_code == 200
    assert b"ada@example.com" in response.content
    assert b"<script>alert(1)" not in response.content


def test_the_list_takes_few_queries(staff, email, django_assert_max_num_queries):
    for number in range(20):
        InboundEmail.objects.create(
            account=email.account, contact=email.contact, source="imap", digest=str(number), state="done"
        )
    with django_assert_max_num_queries(20):
        staff.get(page("inboundemail_changelist"))


def test_an_email_is_shown_as_text_with_no_picture_from_elsewhere(staff, email):
    content = staff.get(page("inboundemail_change", email.pk)).content.decode()
    assert "&lt;script&gt;" in content
    assert "<script>alert" not in content
    assert "<img src='http://evil" not in content


def test_it_is_read_anew_from_its_page(staff, email, django_capture_on_commit_callbacks):
    InboundEmail.objects.update(state="dead", kind="", attempts=5)
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(page("inboundemail_replay", email.pk))
    email.refresh_from_db()
    assert (email.state, email.kind) == ("done", "reply")


def test_reading_anew_needs_a_post_and_the_right(staff, email, client):
    assert staff.get(page("inboundemail_replay", email.pk)).status_code == 403
    client.force_login(User.objects.create_user("guest", is_staff=True))
    assert client.post(page("inboundemail_replay", email.pk)).status_code == 403
    assert client.get(page("inboundemail_change", email.pk)).status_code == 403


def test_many_are_read_anew_by_the_lists_action(staff, email, django_capture_on_commit_callbacks):
    InboundEmail.objects.update(state="dead")
    given = {"action": "replay", "_selected_action": [str(email.pk)]}
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(page("inboundemail_changelist"), given)
    assert InboundEmail.objects.get().state == "done"


def form(server, **changes):
    return {
        "account": make_account().pk,
        "name": "Replies",
        "address": USER,
        "host": "127.0.0.1",
        "port": server.port if server else 993,
        "security": "none",
        "username": USER,
        "folder": "INBOX",
        "new_password": PASSWORD,
        "is_active": "on",
        **changes,
    }


def test_a_mailbox_is_set_up_and_read_and_its_password_never_shown(staff):
    with ImapServer() as server:
        server.deliver(letter())
        staff.post(page("mailbox_add"), form(server))
        mailbox = Mailbox.objects.get()
        assert mailbox.password == PASSWORD
        response = staff.post(page("mailbox_read", mailbox.pk), follow=True)
    assert b"1 new email was stored" in response.content
    assert PASSWORD.encode() not in response.content
    assert InboundEmail.objects.count() == 1


def test_a_mailbox_that_cannot_be_read_says_why(staff):
    with ImapServer() as server:
        staff.post(page("mailbox_add"), form(server, new_password="wrong"))
        mailbox = Mailbox.objects.get()
        response = staff.post(page("mailbox_read", mailbox.pk), follow=True)
    assert b"It cannot be read." in response.content


def test_another_mailbox_is_read_from_its_beginning(staff):
    staff.post(page("mailbox_add"), form(None))
    mailbox = Mailbox.objects.get()
    Mailbox.objects.update(uid_validity=7, last_uid=99)
    staff.post(page("mailbox_change", mailbox.pk), form(None, host="other.example", new_password=""))
    mailbox.refresh_from_db()
    assert (mailbox.uid_validity, mailbox.last_uid, mailbox.password) == (None, 0, PASSWORD)


@pytest.mark.parametrize(
    "changes", [{"username": "a\r\nx LOGOUT"}, {"folder": "IN\r\nBOX"}, {"folder": "Früher"}]
)
def test_nothing_that_would_end_a_command_is_taken(staff, changes):
    staff.post(page("mailbox_add"), form(None, **changes))
    assert not Mailbox.objects.exists()


def test_a_webhook_needs_a_secret_and_never_shows_it(staff):
    given = {"account": make_account().pk, "name": "Ours", "provider": "generic", "is_active": "on"}
    staff.post(page("mailwebhook_add"), {**given, "new_secret": ""})
    staff.post(page("mailwebhook_add"), {**given, "new_secret": "short"})
    assert not MailWebhook.objects.exists()
    staff.post(page("mailwebhook_add"), {**given, "new_secret": "s" * 40})
    webhook = MailWebhook.objects.get()
    content = staff.get(page("mailwebhook_change", webhook.pk)).content
    assert b"s" * 40 not in content
    assert b"/api/v1/webhooks/bounce/generic" in content


def test_calls_are_listed_and_read_anew(staff, django_capture_on_commit_callbacks):
    webhook = MailWebhook.objects.create(
        account=make_account(), name="o", provider="generic", secret="s" * 40
    )
    call = WebhookCall.objects.create(webhook=webhook, kind="events", event_id="1", body="[]", state="dead")
    assert staff.get(page("webhookcall_changelist")).status_code == 200
    assert staff.get(page("webhookcall_change", call.pk)).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        staff.post(page("webhookcall_changelist"), {"action": "replay", "_selected_action": [str(call.pk)]})
    assert WebhookCall.objects.get().state == "done"


def test_the_page_of_our_email_shows_what_came_back(staff, email):
    delivery = Delivery.objects.create(
        account=email.account,
        contact=email.contact,
        purpose="invitation",
        key="k",
        to_email="ada@example.com",
        state="sent",
        bounced_at=timezone.now(),
    )
    InboundEmail.objects.update(delivery=delivery)
    content = staff.get(page("delivery_change", delivery.pk)).content.decode()
    assert page("inboundemail_change", email.pk) in content
    assert "bounced" in content
    assert b"Bounced" in staff.get(page("delivery_changelist")).content


def test_the_start_page_says_what_cannot_be_read(staff, email):
    InboundEmail.objects.update(state="dead")
    Mailbox.objects.create(
        account=email.account, name="R", address=USER, host="h", username="u", last_error="No."
    )
    content = staff.get(reverse("admin:index")).content.decode()
    assert "email that arrived could not be read" in content
    assert "mailbox cannot be read" in content
