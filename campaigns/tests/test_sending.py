"""The state machine of an email against a real SMTP conversation, good days and bad."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from campaigns import claiming, outcomes, sending, states
from campaigns.models import Delivery, EmailEvent, SmtpServer
from campaigns.smtp import Limits
from campaigns.tests.running import QUICK, fresh, queued_campaign, send, states_of
from config.api.models import AuditEntry
from crm.models import Suppression, TimelineEntry
from tests.fakes.smtp_sink import DROP, HANG, Script, SmtpSink

pytestmark = pytest.mark.django_db


def only(campaign):
    return Delivery.objects.get(campaign=campaign)


def test_it_sends_each_person_one_email_and_finishes():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=7)
        report = send(campaign)
    states.finish_done()
    assert report.sent == 7
    assert len({one.recipient for one in sink.received}) == len(sink.received) == 7
    assert states_of(campaign) == {"sent": 7}
    assert fresh(campaign).state == "finished"


def test_what_was_sent_is_cleared_and_stands_on_the_timeline():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
    delivery = only(campaign)
    assert delivery.rendered == ""
    assert delivery.last_reply == "250 2.0.0 taken"
    kinds = list(EmailEvent.objects.filter(delivery=delivery).values_list("kind", flat=True))
    assert kinds == ["queued", "claimed", "in_data", "sent"]
    entry = TimelineEntry.objects.get(contact=delivery.contact, kind="email_sent")
    talk = str(delivery.recipient.interview.conversation_id)
    assert entry.ref == {"kind": "delivery", "id": str(delivery.pk), "conversation": talk}


def test_it_uses_no_more_connections_than_the_server_allows():
    with SmtpSink(Script(delay=0.01)) as sink:
        campaign = queued_campaign(sink, people=12, connections=3)
        send(campaign)
    assert sink.most_at_once == 3
    assert states_of(campaign) == {"sent": 12}


def test_a_sender_at_a_domain_with_umlauts_needs_no_smtputf8():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1, from_email="hallo@bücher.example")
        send(campaign)
    assert states_of(campaign) == {"sent": 1}
    assert sink.received[0].sender == "hallo@xn--bcher-kva.example"


def test_a_reply_with_a_nul_is_written_down_without_it():
    with SmtpSink(Script(after_dot=["250 ok\0 taken"])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
    assert only(campaign).last_reply == "250 ok taken"


@pytest.mark.parametrize(
    ("script", "state"),
    [
        (Script(at_rcpt=["450 4.2.0 grey"]), "deferred"),
        (Script(at_mail=["452 4.3.1 full"]), "deferred"),
        (Script(at_rcpt=[DROP]), "deferred"),
        (Script(at_mail=[DROP]), "deferred"),
        (Script(at_data=[DROP]), "deferred"),
        (Script(at_data=["451 4.3.0 no"]), "deferred"),
        (Script(after_dot=["451 4.3.0 not now"]), "deferred"),
        (Script(greeting=["421 4.3.2 closed"]), "deferred"),
        (Script(greeting=[DROP]), "deferred"),
        (Script(at_rcpt=[HANG]), "deferred"),
        (Script(at_rcpt=["550 5.7.1 go away"]), "failed"),
        (Script(at_rcpt=["552 5.2.2 mailbox full"]), "failed"),
        (Script(after_dot=["550 5.7.1 spam"]), "failed"),
        (Script(after_dot=["552 5.3.4 too large"]), "failed"),
        (Script(after_dot=[DROP]), "unknown"),
        (Script(after_dot=[HANG]), "unknown"),
        (Script(after_dot=["what? no code"]), "unknown"),
    ],
    ids=lambda value: (
        str({k: v for k, v in vars(value).items() if v}) if isinstance(value, Script) else value
    ),
)
def test_a_fault_leaves_the_email_in_the_right_state(script, state):
    with SmtpSink(script) as sink:
        campaign = queued_campaign(sink, people=1, connections=1)
        send(campaign)
    assert states_of(campaign) == {state: 1}
    delivery = only(campaign)
    assert delivery.last_reply
    assert bool(delivery.rendered) == (state != "failed")


def test_a_deferred_email_waits_and_then_goes_out_as_the_same_email():
    with SmtpSink(Script(at_rcpt=["450 4.2.0 grey"])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
        waiting = only(campaign)
        wait = (waiting.not_before - timezone.now()).total_seconds()
        assert 25 <= wait <= 95
        send(campaign)
        assert states_of(campaign) == {"deferred": 1}
        Delivery.objects.update(not_before=timezone.now())
        send(campaign)
    assert only(campaign).state == "sent"
    assert sink.received[0].message["Message-ID"] == waiting.message_id


def test_it_gives_up_after_the_last_attempt():
    with SmtpSink(Script(at_rcpt=["450 4.2.0 grey"])) as sink:
        campaign = queued_campaign(sink, people=1)
        Delivery.objects.update(attempts=outcomes.MAX_ATTEMPTS - 1)
        send(campaign)
    assert states_of(campaign) == {"failed": 1}


def test_back_off_doubles_and_has_a_ceiling():
    assert outcomes.wait_after(1) <= timedelta(minutes=1.5)
    assert timedelta(minutes=2) <= outcomes.wait_after(3) <= timedelta(minutes=6)
    assert outcomes.wait_after(40) <= 1.5 * outcomes.LONGEST_WAIT


@pytest.mark.parametrize("reply", ["550 5.1.1 no such user", "550 User unknown", "553 5.1.2 bad host"])
def test_a_dead_address_is_suppressed(reply):
    with SmtpSink(Script(at_rcpt=[reply])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
    assert Suppression.objects.get().reason == "hard_bounce"


@pytest.mark.parametrize("reply", ["550 5.7.1 policy", "552 5.2.2 full", "550 go away"])
def test_other_refusals_suppress_nobody(reply):
    with SmtpSink(Script(at_rcpt=[reply])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
    assert not Suppression.objects.exists()


def test_a_refused_login_pauses_the_server_and_no_recipient():
    with SmtpSink(Script(offers_auth=True, at_auth=["535 5.7.8 bad password"] * 9)) as sink:
        campaign = queued_campaign(sink, people=4, username="me", password="secret")
        send(campaign)
        server = SmtpServer.objects.get()
        assert states_of(campaign) == {"queued": 4}
        assert set(Delivery.objects.values_list("attempts", flat=True)) == {0}
        assert server.paused_until > timezone.now()
        assert "535" in server.pause_reason
        connections = sink.connections
        send(campaign)
        assert sink.connections == connections
    assert fresh(campaign).state == "running"


def test_a_paused_server_and_a_paused_campaign_are_shown_to_staff(admin_client):
    with SmtpSink(Script(offers_auth=True, at_auth=["535 5.7.8 bad password"] * 9)) as sink:
        campaign = queued_campaign(sink, people=4, username="me", password="secret")
        send(campaign)
    with SmtpSink(Script(at_rcpt=["550 5.7.1 listed"] * 50)) as sink:
        send(queued_campaign(sink, people=40))
    page = admin_client.get("/admin/").content.decode()
    assert "SMTP server is paused" in page
    assert "campaign paused itself" in page
    actions = set(AuditEntry.objects.values_list("action", "detail__code"))
    assert actions >= {("pause server", 535), ("pause campaign", 550)}


def test_other_servers_go_on_while_one_is_paused():
    with SmtpSink(Script(offers_auth=True, at_auth=["535 no"] * 9)) as bad, SmtpSink() as good:
        paused = queued_campaign(bad, people=1, username="me", password="secret")
        fine = queued_campaign(good, people=2)
        send(paused)
        send(fine)
    assert states_of(fine) == {"sent": 2}


def test_a_421_recycles_the_connection():
    with SmtpSink(Script(close_after=3)) as sink:
        campaign = queued_campaign(sink, people=8, connections=1)
        send(campaign)
        Delivery.objects.filter(state="deferred").update(not_before=timezone.now())
        send(campaign)
    assert states_of(campaign) == {"sent": 8}
    assert sink.connections >= 3


def test_after_fifty_emails_the_server_closes_and_everybody_still_gets_theirs_at_once():
    with SmtpSink(Script(close_after=50)) as sink:
        campaign = queued_campaign(sink, people=110, connections=1)
        send(campaign, seconds=60)
    assert states_of(campaign) == {"sent": 110}
    assert set(Delivery.objects.values_list("attempts", flat=True)) == {1}
    assert sink.connections == 3


def test_connections_are_kept_for_the_next_task_of_this_process():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2, connections=1)
        sending.send_due(campaign.smtp_server_id, limits=QUICK)
        more = queued_campaign(sink, people=1, server=campaign.smtp_server)
        assert send(more).sent == 1
    assert sink.connections == 1


def test_a_kept_connection_that_has_died_costs_nobody_an_attempt():
    with SmtpSink(Script(close_after=2)) as sink:
        campaign = queued_campaign(sink, people=2, connections=1)
        sending.send_due(campaign.smtp_server_id, limits=QUICK)
        more = queued_campaign(sink, people=1, server=campaign.smtp_server)
        assert send(more).sent == 1
    assert states_of(more) == {"sent": 1}


def test_another_process_waits_while_one_keeps_connections_open():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        until = timezone.now() + timedelta(seconds=8)
        SmtpServer.objects.update(kept_by="another process", kept_until=until)
        report = send(campaign)
        assert report.sent == 0
        assert 5 < report.wait_seconds <= 8
        SmtpServer.objects.update(kept_until=timezone.now())
        assert send(campaign).sent == 1


def test_an_email_that_no_key_opens_fails_alone():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=3)
        broken = Delivery.objects.first()
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE campaigns_delivery SET rendered = 'gAAAA' WHERE message_id = %s", [broken.message_id]
            )
        send(campaign)
    assert states_of(campaign) == {"sent": 2, "failed": 1}
    assert "no key" in Delivery.objects.defer("rendered").get(pk=broken.pk).last_reply


def test_a_connection_is_recycled_after_a_hundred_emails(monkeypatch):
    monkeypatch.setattr("campaigns.lanes.MESSAGES_PER_CONNECTION", 4)
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=10, connections=1)
        send(campaign)
    assert states_of(campaign) == {"sent": 10}
    assert sink.connections == 3


def test_replies_that_drip_in_do_not_hold_a_sender_for_ever():
    with SmtpSink(Script(seconds_per_byte=0.2)) as sink:
        campaign = queued_campaign(sink, people=1, connections=1)
        send(campaign, limits=Limits(connect=0.5, envelope=0.5, final_reply=0.5))
    assert states_of(campaign) == {"deferred": 1}
    assert "in time" in only(campaign).last_reply


def test_a_silent_greeting_is_given_up():
    with SmtpSink(Script(greeting=[HANG])) as sink:
        campaign = queued_campaign(sink, people=1, connections=1)
        send(campaign, limits=Limits(connect=0.3))
    assert states_of(campaign) == {"deferred": 1}


def test_unknown_is_held_and_not_sent_again():
    with SmtpSink(Script(after_dot=[DROP])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
        claiming.resend_unknown()
        send(campaign)
    assert states_of(campaign) == {"unknown": 1}
    assert len(sink.received) == 1


def test_unknown_is_sent_again_when_the_campaign_says_so():
    with SmtpSink(Script(after_dot=[DROP])) as sink:
        campaign = queued_campaign(sink, people=1)
        type(campaign).objects.update(resend_unknown=True)
        send(campaign)
        states.finish_done()
        assert claiming.resend_unknown() == 1
        send(campaign)
    assert states_of(campaign) == {"sent": 1}
    assert len({one.message["Message-ID"] for one in sink.received}) == 1


def test_an_email_that_stays_unknown_is_sent_again_once_and_then_waits_for_a_person():
    with SmtpSink(Script(after_dot=[DROP] * 5)) as sink:
        campaign = queued_campaign(sink, people=1)
        type(campaign).objects.update(resend_unknown=True)
        for _sweep in range(4):
            send(campaign)
            claiming.resend_unknown()
    states.finish_done()
    assert len(sink.received) == 2
    assert states_of(campaign) == {"unknown": 1}
    assert fresh(campaign).state == "finished"


def test_staff_may_send_an_unknown_email_again_after_the_campaign_finished():
    with SmtpSink(Script(after_dot=[DROP])) as sink:
        campaign = queued_campaign(sink, people=1)
        send(campaign)
        states.finish_done()
        assert fresh(campaign).state == "finished"
        assert claiming.resend(Delivery.objects.filter(campaign=campaign)) == 1
        send(campaign)
    assert states_of(campaign) == {"sent": 1}


def test_too_many_errors_in_a_row_pause_the_campaign_with_the_last_reply():
    with SmtpSink(Script(at_rcpt=["550 5.7.1 listed"] * 50)) as sink:
        campaign = queued_campaign(sink, people=40)
        send(campaign)
    campaign = fresh(campaign)
    assert campaign.state == "paused"
    assert "550 5.7.1 listed" in campaign.state_reason
    assert states_of(campaign)["failed"] < 16
    assert states_of(campaign)["queued"] > 20


def test_dead_addresses_in_a_row_pause_nothing():
    with SmtpSink(Script(at_rcpt=["550 5.1.1 unknown"] * 15)) as sink:
        campaign = queued_campaign(sink, people=16)
        send(campaign)
    assert fresh(campaign).state == "running"
    assert states_of(campaign) == {"failed": 15, "sent": 1}


def test_a_success_ends_a_row_of_errors():
    with SmtpSink(Script(at_rcpt=["550 5.7.1 no"] * 8)) as sink:
        campaign = queued_campaign(sink, people=10, connections=1)
        send(campaign)
    assert fresh(campaign).error_streak == 0


def test_a_server_nobody_answers_at_is_left_after_three_tries():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=9, connections=1)
    send(campaign)
    # Each lane may have one more in hand when the third refusal is noticed.
    assert 3 <= states_of(campaign)["deferred"] <= 5


def test_it_asks_at_send_time_whether_a_person_may_be_written_to():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2)
        outcomes.consent.suppress(
            campaign.account, "email", Delivery.objects.first().to_email, "unsubscribe", purpose="invitation"
        )
        send(campaign)
    assert states_of(campaign) == {"sent": 1, "cancelled": 1}
    assert campaign.recipients.get(state="skipped").skip_reason == "unsubscribe"


def test_a_pause_takes_effect_between_two_emails_and_a_resume_sends_the_rest():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=6)
        states.pause(campaign.pk)
        send(campaign)
        assert states_of(campaign) == {"queued": 6}
        states.resume(campaign.pk)
        send(campaign)
    assert states_of(campaign) == {"sent": 6}


def test_what_is_claimed_when_the_campaign_pauses_is_given_back():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2)
        ids = [one.pk for one in claiming.claim_due(campaign.smtp_server_id, claim="a", limit=10)]
        states.pause(campaign.pk)
        assert claiming.begin_data(ids, claim="a") == set()
        claiming.release(ids, claim="a")
    assert states_of(campaign) == {"queued": 2}


def test_a_cancelled_campaign_sends_nothing_more():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=3)
        claimed = claiming.claim_due(campaign.smtp_server_id, claim="a", limit=1)
        assert states.cancel(campaign.pk)
        claiming.release([one.pk for one in claimed], claim="a")
        send(campaign)
    assert states_of(campaign) == {"cancelled": 3}
    assert not Delivery.objects.exclude(rendered="").exists()
    assert sink.received == []


def test_two_senders_never_claim_the_same_email():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=10)
    first = claiming.claim_due(campaign.smtp_server_id, claim="a", limit=6)
    second = claiming.claim_due(campaign.smtp_server_id, claim="b", limit=6)
    assert len(first) == 6
    assert len(second) == 4
    assert {one.pk for one in first}.isdisjoint(one.pk for one in second)
    assert claiming.begin_data([one.pk for one in first], claim="b") == set()


def test_only_one_sender_at_a_time_holds_a_server():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        assert claiming.hold_server(campaign.smtp_server_id, claim="a")
        assert not claiming.hold_server(campaign.smtp_server_id, claim="b")
        assert send(campaign).sent == 0
        claiming.free_server(campaign.smtp_server_id, claim="a")
        assert send(campaign).sent == 1


def test_the_sweep_queues_what_was_claimed_and_holds_what_was_being_handed_over():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2)
        first, second = claiming.claim_due(campaign.smtp_server_id, claim="a", limit=2)
        claiming.begin_data([second.pk], claim="a")
        claiming.recover()
        assert states_of(campaign) == {"claimed": 1, "in_data": 1}
        claiming.recover(at=timezone.now() + claiming.LEASE + timedelta(seconds=1))
    assert Delivery.objects.get(pk=first.pk).state == "queued"
    assert Delivery.objects.get(pk=second.pk).state == "unknown"


def test_the_next_sender_at_a_server_takes_back_what_a_dead_one_held_at_once():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=2)
        _first, second = claiming.claim_due(campaign.smtp_server_id, claim="dead", limit=2)
        claiming.begin_data([second.pk], claim="dead")
        send(campaign)
    assert states_of(campaign) == {"sent": 1, "unknown": 1}


def test_a_sender_that_lives_renews_its_claims():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        claiming.hold_server(campaign.smtp_server_id, claim="a")
        claiming.claim_due(campaign.smtp_server_id, claim="a", limit=1)
        Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert claiming.renew(campaign.smtp_server_id, claim="a")
        claiming.recover()
        assert states_of(campaign) == {"claimed": 1}
        assert not claiming.renew(campaign.smtp_server_id, claim="b")


def test_a_slow_sender_still_settles_what_the_sweep_called_unknown():
    with SmtpSink() as sink:
        campaign = queued_campaign(sink, people=1)
        (delivery,) = claiming.claim_due(campaign.smtp_server_id, claim="a", limit=1)
        claiming.begin_data([delivery.pk], claim="a")
        claiming.recover(at=timezone.now() + timedelta(hours=1))
        outcomes.settle([sending.Outcome(delivery, "250 ok")], claim="a")
    assert states_of(campaign) == {"sent": 1}


def test_a_sender_that_must_stop_gives_back_what_it_has_not_begun():
    with SmtpSink(Script(delay=0.05)) as sink:
        campaign = queued_campaign(sink, people=20, connections=2)
        report = send(campaign, seconds=0.4)
    left = states_of(campaign)
    assert set(left) == {"sent", "queued"}
    assert left["sent"] == report.sent == len(sink.received) < 20
    assert report.is_more
