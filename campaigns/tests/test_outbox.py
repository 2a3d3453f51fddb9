"""Emails that stay here: the embedded outbox, and single emails from other apps."""

import pytest
from django.db import connection

from campaigns import inviting, outbox, queueing, sending, states, tasks
from campaigns.email_channel import CannotSendError
from campaigns.lanes import POOL
from campaigns.models import Campaign, Delivery
from campaigns.tests.running import states_of
from crm.channels import Attachment, Content, channel
from crm.consent import suppress
from crm.models import TimelineEntry
from tests.factories import make_account, make_campaign, make_contact, make_smtp_server
from tests.fakes.smtp_sink import SmtpSink

pytestmark = pytest.mark.django_db
CONTENT = Content(
    "Your fresh link", "Here it is, {{ name }}.", button_url="http://testserver/i/x", button_label="Open"
)


def send(contact, **changes):
    given = {"purpose": "transactional", "content": CONTENT, "key": "link-1", **changes}
    return channel("email").send(contact, **given)


def test_a_campaign_without_a_server_goes_into_the_outbox_whole(django_capture_on_commit_callbacks):
    campaign = make_campaign(people=5)
    with django_capture_on_commit_callbacks(execute=True):
        states.start(campaign)
    campaign.refresh_from_db()
    assert campaign.state == "finished"
    assert states_of(campaign) == {"sent": 5}
    email = outbox.read(Delivery.objects.filter(campaign=campaign).first())
    assert email.links[0].startswith("http://testserver/i/")
    assert campaign.guide.interviews.count() == 5


def test_what_was_queued_before_its_campaign_got_a_server_is_not_left_behind():
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    Campaign.objects.update(smtp_server=make_smtp_server())
    sending.send_due(None)
    assert states_of(campaign) == {"sent": 2}


def test_the_links_of_two_people_differ():
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    links = {outbox.read(one).links[0] for one in Delivery.objects.all()}
    assert len(links) == 2


def test_a_single_email_is_in_the_outbox_at_once_with_its_words():
    contact = make_contact()
    delivery = send(contact)
    assert (delivery.state, delivery.subject) == ("sent", "Your fresh link")
    email = outbox.read(delivery)
    assert "Here it is, {{ name }}." in email.text
    assert "Here it is, {{ name }}." in email.html
    assert email.links == ["http://testserver/i/x"]
    assert "unsubscribe" not in delivery.rendered.lower()
    assert TimelineEntry.objects.filter(contact=contact, kind="email_sent").count() == 1


def test_the_same_key_is_the_same_email():
    contact = make_contact()
    assert send(contact) == send(contact)
    assert Delivery.objects.count() == 1


def test_an_attachment_arrives():
    delivery = send(
        make_contact(), attachments=[Attachment('prób"a.pdf', "application/pdf", b"%PDF-1.7" * 100)]
    )
    assert outbox.read(delivery).attachments == ('prób"a.pdf',)
    assert outbox.read(delivery).html


def test_markup_in_words_is_text():
    delivery = send(make_contact(), content=Content("Hi", "a <script>x</script> & b"))
    assert "<script>" not in outbox.read(delivery).html


def test_an_opt_out_of_invitations_blocks_invitations_alone():
    contact = make_contact(email="ada@example.com")
    suppress(contact.account, "email", "ada@example.com", "unsubscribe", purpose="invitation")
    with pytest.raises(CannotSendError, match="unsubscribe"):
        send(contact, purpose="invitation")
    assert send(contact).state == "sent"


def test_nobody_without_an_address_is_written_to():
    contact = make_contact()
    contact.addresses.all().delete()
    with pytest.raises(CannotSendError):
        send(contact)


def test_a_line_break_in_a_name_cannot_reach_a_header():
    delivery = send(make_contact(name="Ada\r\nBcc: all@example.com"))
    assert "\r\nBcc:" not in delivery.rendered


def test_an_account_with_a_server_sends_through_it(django_capture_on_commit_callbacks):
    account = make_account()
    with SmtpSink() as sink:
        make_smtp_server(account, port=sink.port)
        with django_capture_on_commit_callbacks(execute=True):
            delivery = send(make_contact(account))
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    assert delivery.rendered == ""
    assert sink.received[0].message["Subject"] == "Your fresh link"
    assert sink.received[0].sender == "invitations@rapport.example"
    POOL.close()


def test_a_kept_email_is_encrypted_in_the_database():
    send(make_contact())
    with connection.cursor() as cursor:
        cursor.execute("SELECT rendered FROM campaigns_delivery")
        stored = cursor.fetchone()[0]
    assert "testserver" not in stored
    assert "Subject" not in stored


def test_inviting_stops_when_enough_is_rendered_ahead(monkeypatch):
    monkeypatch.setattr(queueing, "AHEAD", 3)
    monkeypatch.setattr(inviting, "CHUNK", 2)
    campaign = make_campaign(people=9)
    states.begin(campaign.pk)
    report = inviting.invite_people(campaign.pk)
    assert report.invited == 4
    assert not report.is_more
    tasks.send_due(None)
    assert states_of(campaign) == {"sent": 9}
    assert Campaign.objects.get().state == "finished"


def test_an_invitation_killed_in_mid_chunk_leaves_everybody_waiting_or_queued(monkeypatch):
    campaign = make_campaign(people=3)
    states.begin(campaign.pk)

    def dies(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(queueing._insert_delivery, "many", dies)
    with pytest.raises(KeyboardInterrupt):
        inviting.invite_people(campaign.pk)
    monkeypatch.undo()
    assert campaign.recipients.filter(state="waiting", interview=None).count() == 3
    assert not campaign.guide.interviews.exists()
    inviting.invite_people(campaign.pk)
    assert states_of(campaign) == {"queued": 3}
    assert campaign.guide.interviews.count() == 3


def test_people_who_must_not_be_invited_are_skipped_with_the_reason():
    campaign = make_campaign(people=3)
    first, second, _third = campaign.recipients.order_by("pk")
    suppress(campaign.account, "email", first.contact.addresses.get().value, "legal")
    second.contact.addresses.all().delete()
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    skipped = dict(campaign.recipients.filter(state="skipped").values_list("pk", "skip_reason"))
    assert skipped == {first.pk: "legal", second.pk: "no_address"}
    assert campaign.guide.interviews.count() == 1


def test_a_name_with_a_line_break_skips_only_its_owner():
    campaign = make_campaign(people=1)
    campaign.recipients.create(contact=make_contact(campaign.account, name="Eve\nBcc: x@y.z"))
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    assert campaign.recipients.filter(state="skipped", skip_reason="line break in the name").count() == 1
    assert states_of(campaign) == {"queued": 1}


def test_inviting_two_hundred_people_takes_few_queries(django_assert_max_num_queries):
    campaign = make_campaign(people=200)
    states.begin(campaign.pk)
    with django_assert_max_num_queries(60):
        inviting.invite_people(campaign.pk)
