"""Emails ask for replies at an address that names them, when the account has a mailbox for it."""

from email import message_from_string, policy

import pytest

from campaigns import inviting, matching, states
from campaigns.models import Delivery, Mailbox
from crm.channels import Content, channel
from tests.factories import make_account, make_campaign, make_contact, make_smtp_server

pytestmark = pytest.mark.django_db


def mailbox(**fields):
    given = {"name": "Replies", "address": "replies@rapport.example", "host": "h", "username": "u", **fields}
    return Mailbox.objects.create(**{"account": make_account(), **given})


def reply_to(**server):
    campaign = make_campaign(people=1, smtp_server=make_smtp_server(**server))
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    delivery = Delivery.objects.get(campaign=campaign)
    return delivery, message_from_string(delivery.rendered, policy=policy.default)["Reply-To"]


def test_the_address_carries_a_tag_that_leads_back_to_the_email():
    mailbox()
    delivery, address = reply_to()
    assert address.startswith("replies+")
    assert address.endswith("@rapport.example")
    assert len(address.partition("@")[0]) <= 64  # RFC 5321 4.5.3.1.1
    match = matching.match(delivery.account, to=[address])
    assert (match.delivery, match.by) == (delivery, "tag")


def test_another_account_cannot_use_the_tag():
    mailbox()
    _delivery, address = reply_to()
    assert matching.match(make_account("other"), to=[address]).delivery is None


def test_a_server_with_another_reply_address_keeps_it():
    mailbox()
    assert reply_to(reply_to="people@rapport.example")[1] == "people@rapport.example"


def test_a_server_that_names_the_mailbox_gets_the_tag():
    mailbox()
    assert reply_to(reply_to="Replies@rapport.example")[1].startswith("replies+")


@pytest.mark.parametrize("fields", [{"is_active": False}, {"tags_replies": False}])
def test_without_a_mailbox_for_it_there_is_no_tag(fields):
    mailbox(**fields)
    assert reply_to()[1] is None


def test_the_mailbox_of_another_account_is_not_used():
    mailbox(account=make_account("other"))
    assert reply_to()[1] is None


def test_single_emails_are_tagged_too():
    mailbox()
    contact = make_contact()
    make_smtp_server(contact.account)
    delivery = channel("email").send(contact, purpose="transactional", content=Content("Hi", "x"), key="k")
    assert "Reply-To: replies+" in delivery.rendered
