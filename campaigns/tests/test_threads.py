"""A thread shows what we wrote and what came back, and no link that opens anything."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns import inviting, sending, states, threads
from campaigns.models import Delivery, InboundEmail, SentText
from campaigns.shown import without_capabilities
from crm.channels import Content, channel
from tests.factories import make_account, make_campaign, make_contact, make_template

pytestmark = pytest.mark.django_db


def invited(**fields):
    campaign = make_campaign(people=1, **fields)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    return Delivery.objects.get(campaign=campaign)


def arrived(contact, text="Yes, gladly.", **fields):
    fields = {"kind": "reply", "state": "done", "source": "imap", "digest": text, **fields}
    address = contact.addresses.get().value
    return InboundEmail.objects.create(
        account=contact.account, contact=contact, from_email=address, text=text, **fields
    )


def test_it_shows_both_sides_in_order():
    delivery = invited()
    arrived(delivery.contact, received_at=timezone.now() + timedelta(minutes=1), subject="Re: hello")
    ours, theirs = threads.thread_of(delivery.account, delivery.to_email)
    assert (ours.direction, ours.number, ours.state, ours.subject) == ("out", 1, "sent", delivery.subject)
    assert "let us talk." in ours.text
    assert (theirs.direction, theirs.number, theirs.state, theirs.text) == ("in", 0, "reply", "Yes, gladly.")


def test_the_kept_text_opens_nothing():
    delivery = invited()
    token = re.search(r"/i/([\w-]+)", delivery.rendered)[1]
    unsubscribe = re.search(r"/u/([\w-]+)", delivery.rendered)[1]
    kept = SentText.objects.get().text
    assert token not in kept
    assert unsubscribe not in kept
    assert "http://testserver/…" in kept


def test_the_text_stays_when_the_email_goes():
    delivery = invited()
    Delivery.objects.update(rendered="")
    assert "let us talk." in threads.thread_of(delivery.account, delivery.to_email)[0].text


def test_single_emails_are_in_the_thread_without_their_link():
    contact = make_contact()
    content = Content(
        "Your link", "Here: http://testserver/i/abcdefghijklmnop", button_url="http://testserver/x/secret"
    )
    channel("email").send(contact, purpose="transactional", content=content, key="k")
    (letter,) = threads.thread_of(contact.account, contact.addresses.get().value)
    assert "abcdefghijklmnop" not in letter.text
    assert "secret" not in letter.text


def test_the_thread_of_another_account_is_empty():
    delivery = invited()
    assert threads.thread_of(make_account("other"), delivery.to_email) == []
    assert threads.threads_of(make_account("other")) == []


def test_a_plus_address_is_a_thread_of_its_own():
    contact = make_contact(email="ada+lovelace@example.com")
    arrived(contact)
    assert len(threads.thread_of(contact.account, "ada+lovelace@Example.COM")) == 1
    assert threads.thread_of(contact.account, "ada@example.com") == []


def test_threads_are_counted_and_the_newest_is_first(django_assert_num_queries):
    campaign = make_campaign(people=3)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    delivery = Delivery.objects.first()
    arrived(delivery.contact)
    Delivery.objects.filter(pk=delivery.pk).update(sent_at=timezone.now() + timedelta(hours=1))
    with django_assert_num_queries(2):
        first, *others = threads.threads_of(campaign.account)
    assert (first.email, first.sent, first.received) == (delivery.to_email, 1, 1)
    assert [one.received for one in others] == [0, 0]


def test_a_long_thread_takes_few_queries(django_assert_max_num_queries):
    delivery = invited()
    for number in range(10):
        arrived(delivery.contact, f"text {number}")
    account = delivery.account
    with django_assert_max_num_queries(4):
        assert len(threads.thread_of(account, delivery.to_email)) == 11


def test_links_without_a_token_stay_readable():
    text = "See https://example.org/about-us/team and https://example.org/?q=" + "a" * 40
    assert without_capabilities(text) == "See https://example.org/about-us/team and https://example.org/?q=…"


def test_a_link_of_the_template_is_kept():
    delivery = invited(template=make_template(text="Read https://example.org/why first.\n\n{{ link }}"))
    assert "https://example.org/why" in SentText.objects.get(delivery=delivery).text
