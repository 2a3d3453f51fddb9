"""What arrives is stored, understood, matched and acted on, once; and whoever forges one gains nothing."""

import pytest
from django.utils import timezone

from campaigns import inbound, matching, tasks
from campaigns.models import Delivery, EmailEvent, InboundEmail, Mailbox, SentText
from campaigns.tests.letters import bounce, complaint, letter, qmail_bounce
from config.api import arrivals
from crm.models import Suppression, TimelineEntry
from tests.factories import make_account, make_contact, make_smtp_server

pytestmark = pytest.mark.django_db


def arrive(raw, account=None):
    email = inbound.keep(account or make_account(), raw, source="imap")
    inbound.read(email.pk)
    email.refresh_from_db()
    return email


def kinds(delivery):
    heard = delivery.events.exclude(source="")
    return list(heard.values_list("kind", flat=True))


def suppressed():
    return list(Suppression.objects.filter(lifted_at=None).values_list("reason", "purpose"))


def stop_of(delivery):
    delivery.recipient.refresh_from_db()
    return delivery.recipient.stop_reason


# --- replies ---------------------------------------------------------------------------------------------


def test_a_reply_is_matched_by_the_message_id_it_answers(sent):
    email = arrive(letter(in_reply_to=sent.message_id, sender="Ada <ada@home.example>"))
    assert (email.kind, email.matched_by, email.delivery, email.contact) == (
        "reply",
        "message_id",
        sent,
        sent.contact,
    )
    sent.refresh_from_db()
    assert sent.replied_at is not None
    assert sent.state == "sent"
    assert kinds(sent) == ["replied"]
    assert stop_of(sent) == "replied"
    assert not suppressed()


def test_references_count_when_in_reply_to_is_another(sent):
    raw = letter(
        in_reply_to="<other@example.com>", References=f"<a@b.c> {sent.message_id}", sender="x@y.example"
    )
    assert arrive(raw).delivery == sent


def test_a_reply_is_matched_by_its_tagged_address(sent):
    mailbox = Mailbox(account=sent.account, address="replies@rapport.example")
    to = matching.reply_address(mailbox, sent.pk).upper()
    email = arrive(letter(to=to, sender="Ada <ada@home.example>"))
    assert (email.matched_by, email.delivery) == ("tag", sent)


def test_a_tag_that_was_changed_matches_nothing(sent):
    mailbox = Mailbox(account=sent.account, address="replies@rapport.example")
    to = matching.reply_address(mailbox, sent.pk).replace("+", "+a", 1)
    assert arrive(letter(to=to[:10] + "b" + to[11:], sender="x@y.example")).kind == "other"


def test_a_reply_is_matched_by_its_sender_at_last(sent):
    email = arrive(letter(sender="Ada <ADA@Example.com>"))
    assert (email.kind, email.matched_by, email.delivery) == ("reply", "sender", sent)
    assert stop_of(sent) == "replied"


def test_a_stranger_to_the_account_is_stored_and_nothing_more(sent):
    other = make_account("other")
    email = arrive(letter(in_reply_to=sent.message_id), other)
    assert (email.kind, email.contact, email.delivery) == ("other", None, None)
    assert kinds(sent) == []


def test_the_timeline_shows_it_once(sent):
    email = arrive(letter(in_reply_to=sent.message_id))
    arrivals.replay(InboundEmail.objects.all())
    inbound.read(email.pk)
    entry = TimelineEntry.objects.get(kind="email_received")
    assert (entry.contact, entry.direction, entry.ref["id"]) == (sent.contact, "in", str(email.pk))
    assert entry.ref["conversation"] == str(sent.recipient.interview.conversation_id)
    assert kinds(sent) == ["replied"]


def test_the_quote_is_kept_apart_and_its_links_open_nothing(sent):
    link = "http://testserver/i/abcdefghijklmnopqrstuvwxyz0123456789"
    attribution = "On Monday, 23 November 2026 at 10:00, Rapport\n<invitations@rapport.example> wrote:"
    text = f"Yes!\n\n{attribution}\n> {link}\n> Hi"
    email = arrive(letter(text, in_reply_to=sent.message_id))
    assert email.text == "Yes!"
    assert "Hi" in email.quoted
    assert "abcdefghijklmnop" not in email.quoted
    assert email.raw != ""


def test_our_own_email_is_no_reply(sent):
    make_smtp_server(sent.account, from_email="invitations@rapport.example")
    assert (
        arrive(letter(sender="invitations@rapport.example", in_reply_to=sent.message_id)).kind == "own_copy"
    )
    assert arrive(letter(message_id=sent.message_id)).kind == "own_copy"
    assert kinds(sent) == []


def test_an_email_nobody_knew_was_taken_was_taken_when_it_is_answered(sent):
    Delivery.objects.update(state="unknown", sent_at=None)
    arrive(letter(in_reply_to=sent.message_id))
    sent.refresh_from_db()
    assert sent.state == "sent"


# --- machines --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-replied (vacation)"},
        {"Precedence": "bulk"},
        {"X_Auto_Response_Suppress": "All"},
        {"X_Autoreply": "yes"},
        {"Return_Path": "<>"},
        {"subject": "Out of Office: Re: May we ask you something?"},
        {"subject": "Automatische Antwort: Ihre Frage"},
        {"subject": "=?utf-8?q?Odpowied=C5=BA_automatyczna?="},
    ],
)
def test_an_automatic_reply_is_none(sent, headers):
    email = arrive(letter("I am away.", in_reply_to=sent.message_id, **headers))
    assert email.kind == "auto_reply"
    sent.refresh_from_db()
    assert sent.replied_at is None
    assert kinds(sent) == ["auto_replied"]
    assert stop_of(sent) == ""


def test_auto_submitted_no_is_a_person(sent):
    assert arrive(letter(in_reply_to=sent.message_id, Auto_Submitted="no")).kind == "reply"


# --- stop ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "unsubscribe",
        "STOP.",
        "Please unsubscribe me",
        "Hi Rapport,\n\nremove me from your list, thanks!\n-- \nAda",
        "Abmelden",
        "wypisz mnie",
        "إلغاء الاشتراك",
    ],
)
def test_a_reply_that_asks_to_stop_suppresses_invitations(sent, text):
    email = arrive(letter(text, in_reply_to=sent.message_id))
    assert email.kind == "unsubscribe"
    assert suppressed() == [("unsubscribe", "invitation")]
    assert set(kinds(sent)) == {"replied", "unsubscribed"}


@pytest.mark.parametrize(
    "text",
    [
        "I will not stop until we talk.",
        "Where do I unsubscribe from the other newsletter? Otherwise gladly.",
        "",
    ],
)
def test_a_reply_that_only_says_the_word_does_not(sent, text):
    assert arrive(letter(text, in_reply_to=sent.message_id)).kind == "reply"
    assert not suppressed()


# --- bounces ---------------------------------------------------------------------------------------------


def test_a_hard_bounce_suppresses_at_once_and_leaves_the_state(sent):
    email = arrive(bounce(sent.message_id))
    assert (email.kind, email.facts["verdict"], email.facts["status"]) == ("bounce", "hard", "5.1.1")
    sent.refresh_from_db()
    assert (sent.state, sent.standing) == ("sent", "bounced")
    assert suppressed() == [("hard_bounce", "")]
    assert stop_of(sent) == "bounced"
    assert TimelineEntry.objects.filter(kind="email_bounced").count() == 1


def test_the_suppression_names_where_it_comes_from(sent):
    email = arrive(bounce(sent.message_id))
    source = Suppression.objects.get().source
    assert source["delivery"] == str(sent.pk)
    assert (source["heard_from"], source["heard_id"]) == ("imap", str(email.pk))


def test_a_soft_bounce_alone_suppresses_nothing(sent):
    arrive(bounce(sent.message_id, status="4.4.7", reply="smtp; 451 4.4.7 expired"))
    assert kinds(sent) == ["soft_bounced"]
    assert not suppressed()


def another(sent, number):
    return Delivery.objects.create(
        account=sent.account,
        contact=sent.contact,
        to_email=sent.to_email,
        purpose="invitation",
        key=f"k{number}",
        message_id=f"<{number:08d}-0000-7000-8000-000000000000@rapport.example>",
        state="sent",
        sent_at=timezone.now(),
    )


def test_soft_bounces_in_a_row_suppress(sent, settings):
    settings.SOFT_BOUNCES = 3
    for number, delivery in enumerate([sent, another(sent, 1), another(sent, 2)]):
        assert not suppressed()
        arrive(
            bounce(delivery.message_id, status="5.2.2", reply="smtp; 552 5.2.2 Mailbox full", number=number)
        )
    assert suppressed() == [("hard_bounce", "")]


def test_an_email_that_arrived_between_breaks_the_row(sent, settings):
    settings.SOFT_BOUNCES = 2
    another(sent, 1)
    last = another(sent, 2)
    arrive(bounce(sent.message_id, status="4.2.2", number=1))
    arrive(bounce(last.message_id, status="4.2.2", number=2))
    assert not suppressed()


def test_a_delay_is_no_bounce(sent):
    email = arrive(bounce(sent.message_id, action="delayed", status="4.4.1"))
    assert email.kind == "delay"
    assert kinds(sent) == ["delayed"]


def test_a_policy_refusal_says_nothing_of_the_address(sent):
    arrive(bounce(sent.message_id, status="5.7.1", reply="smtp; 550 5.7.1 blocked by policy"))
    assert kinds(sent) == ["soft_bounced"]


def test_a_bounce_in_words_alone_is_understood(sent):
    email = arrive(qmail_bounce(sent.message_id))
    assert (email.kind, email.facts["verdict"]) == ("bounce", "hard")
    assert suppressed() == [("hard_bounce", "")]


def test_a_bounce_of_somebody_elses_email_suppresses_nobody(sent):
    email = arrive(bounce("<stranger@example.com>"))
    assert (email.kind, email.contact, email.matched_by) == ("bounce", sent.contact, "sender")
    assert not suppressed()
    assert kinds(sent) == []


def test_a_bounce_of_an_address_it_was_forwarded_to_suppresses_nobody(sent):
    arrive(bounce(sent.message_id, recipient="ada@old-job.example"))
    assert not suppressed()


def test_a_complaint_suppresses_at_once(sent):
    email = arrive(complaint(sent.message_id, recipient=""))
    assert email.kind == "complaint"
    assert suppressed() == [("complaint", "")]
    sent.refresh_from_db()
    assert sent.standing == "complained"
    assert stop_of(sent) == "complained"


def test_not_spam_is_no_complaint(sent):
    assert arrive(complaint(sent.message_id, kind="not-spam")).kind != "complaint"
    assert not suppressed()


# --- once ------------------------------------------------------------------------------------------------


def test_the_same_bytes_are_stored_once(sent):
    raw = letter(in_reply_to=sent.message_id)
    arrive(raw)
    assert inbound.keep(sent.account, raw, source="mailgun") is None


def test_the_same_email_by_a_second_way_is_a_copy(sent):
    arrive(letter(in_reply_to=sent.message_id))
    email = arrive(letter(in_reply_to=sent.message_id, Received="from elsewhere"))
    assert (email.kind, email.state) == ("copy", "done")
    assert kinds(sent) == ["replied"]


def test_another_email_under_a_known_message_id_is_read(sent):
    arrive(letter("First.", in_reply_to=sent.message_id))
    assert arrive(letter("Second.", in_reply_to=sent.message_id)).kind == "reply"


def test_replaying_changes_nothing(sent):
    email = arrive(bounce(sent.message_id))
    before = EmailEvent.objects.count(), Suppression.objects.count(), TimelineEntry.objects.count()
    arrivals.replay(InboundEmail.objects.all())
    inbound.read(email.pk)
    assert (EmailEvent.objects.count(), Suppression.objects.count(), TimelineEntry.objects.count()) == before


def test_what_cannot_be_read_is_tried_again_and_given_up_in_the_end(sent, monkeypatch):
    def poison(raw):
        raise RuntimeError("no\0good")

    email = inbound.keep(sent.account, letter(), source="imap")
    with monkeypatch.context() as broken:
        broken.setattr(inbound.mail_reading, "read", poison)
        for _attempt in range(arrivals.MAX_ATTEMPTS):
            InboundEmail.objects.update(not_before=timezone.now())
            inbound.read(email.pk)
    email.refresh_from_db()
    assert (email.state, email.error) == ("dead", "RuntimeError: nogood")
    arrivals.replay(InboundEmail.objects.all())
    inbound.read(email.pk)
    email.refresh_from_db()
    assert (email.state, email.kind) == ("done", "reply")


def test_what_a_dead_worker_had_is_found_by_the_sweep(sent):
    email = inbound.keep(sent.account, letter(in_reply_to=sent.message_id), source="imap")
    assert arrivals.take(InboundEmail, email.pk) is not None
    tasks.sweep()
    assert InboundEmail.objects.get().state == "taken"
    InboundEmail.objects.update(not_before=timezone.now())
    tasks.sweep()
    assert InboundEmail.objects.get().state == "done"


def test_what_kills_its_worker_each_time_is_given_up(sent):
    email = inbound.keep(sent.account, letter(), source="imap")
    for _attempt in range(arrivals.MAX_ATTEMPTS):
        assert arrivals.take(InboundEmail, email.pk) is not None
        InboundEmail.objects.update(not_before=timezone.now())
    assert arrivals.take(InboundEmail, email.pk) is None
    assert InboundEmail.objects.get().state == "dead"


# --- what is kept ------------------------------------------------------------------------------------------


def test_raw_emails_are_cleared_after_a_while(sent, settings):
    from datetime import timedelta

    arrive(letter(in_reply_to=sent.message_id))
    InboundEmail.objects.update(received_at=timezone.now() - timedelta(days=settings.INBOUND_RAW_DAYS + 1))
    tasks.sweep()
    email = InboundEmail.objects.get()
    assert (email.raw, email.text) == ("", "Yes, gladly.")


def test_an_erasure_reaches_what_arrived(sent):
    from campaigns import personal_data

    arrive(letter(in_reply_to=sent.message_id))
    arrive(bounce(sent.message_id))
    inbound.keep(sent.account, letter("not read yet", message_id="<later@example.com>"), source="imap")
    collected = personal_data.collect(sent.contact)
    assert collected["emails_received"][0]["text"] == "Yes, gladly."
    counts = personal_data.erase(sent.contact)
    assert counts["emails_received"] == 3
    assert not InboundEmail.objects.exists()
    assert not SentText.objects.exists()


def test_an_erasure_of_one_person_leaves_the_others_emails(sent):
    from campaigns import personal_data

    arrive(letter(in_reply_to=sent.message_id))
    personal_data.erase(make_contact(sent.account, email="grace@example.com"))
    assert InboundEmail.objects.get().text == "Yes, gladly."
