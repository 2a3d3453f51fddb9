"""One cap on the emails to one person over all campaigns of an account."""

from datetime import timedelta

import pytest
import time_machine

from campaigns import capping, followups, inviting, sending, states, tasks
from campaigns.email_channel import EmailChannel
from campaigns.models import Delivery, Recipient
from campaigns.tests.following import DAY, START, after, stepped_campaign, steps_sent
from config.api.models import Account
from crm.channels import Content
from tests.factories import make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


def capped(emails, *, days=7):
    contact = make_contact()
    Account.objects.filter(pk=contact.account_id).update(email_cap=emails, email_cap_days=days)
    contact.account.refresh_from_db()
    return contact


def campaign_with(contact, **fields):
    campaign = stepped_campaign(people=0, account=contact.account, **fields)
    Recipient.objects.create(campaign=campaign, contact=contact)
    states.begin(campaign.pk)
    return campaign


def test_two_campaigns_share_the_cap_and_the_second_waits_until_it_frees(clock):
    contact = capped(1)
    first = campaign_with(contact, delays=[])
    tasks.sweep()
    second = campaign_with(contact, delays=[])
    after(clock, minutes=1)
    assert (steps_sent(first), steps_sent(second)) == ({0: 1}, {})
    assert second.recipients.get().next_at == START + timedelta(days=7)
    after(clock, to=START + timedelta(days=7))
    assert steps_sent(second) == {0: 1}


def test_a_followup_counts_and_is_put_off(clock):
    campaign = campaign_with(capped(1), delays=[DAY])
    after(clock, minutes=1)
    after(clock, days=1)
    assert steps_sent(campaign) == {0: 1}
    after(clock, days=6)
    assert steps_sent(campaign) == {0: 1, 1: 1}


def test_the_cap_is_asked_again_when_the_email_leaves(clock):
    contact = capped(2)
    first, second = campaign_with(contact, delays=[]), campaign_with(contact, delays=[])
    for campaign in (first, second):
        inviting.invite_people(campaign.pk)
    Account.objects.update(email_cap=1)
    Delivery.objects.filter(campaign=first).update(state="sent", sent_at=START)
    sending.send_due(None)
    held = Delivery.objects.get(campaign=second)
    assert (held.state, held.not_before) == ("queued", START + timedelta(days=7))


def test_two_emails_in_the_queue_do_not_hold_each_other(clock):
    contact = capped(2)
    for _number in range(2):
        inviting.invite_people(campaign_with(contact, delays=[]).pk)
    sending.send_due(None)
    assert Delivery.objects.filter(state="sent").count() == 2


def test_what_a_person_asked_for_is_neither_counted_nor_held(clock):
    contact = capped(1)
    asked = Content(subject="Your link", text="Here it is.")
    EmailChannel().send(contact, purpose="transactional", content=asked, key="a")
    campaign = campaign_with(contact, delays=[])
    after(clock, minutes=1)
    EmailChannel().send(contact, purpose="transactional", content=asked, key="b")
    assert steps_sent(campaign) == {0: 1}
    assert Delivery.objects.filter(state="sent").count() == 3


@pytest.mark.parametrize(
    ("own", "installation", "emails"), [(None, 5, 5), (3, 5, 3), (0, 5, None), (None, 0, None)]
)
def test_the_accounts_own_cap_goes_before_the_installations(settings, own, installation, emails):
    settings.EMAIL_CAP = installation
    cap = capping.cap_of(Account(email_cap=own))
    assert (cap.emails if cap else None) == emails


def test_it_frees_when_the_oldest_email_leaves_the_days(clock):
    contact = capped(2)
    campaign = campaign_with(contact)
    for step, hours in enumerate((50, 30, 10)):
        Delivery.objects.create(
            account=contact.account,
            contact=contact,
            campaign=campaign,
            purpose="invitation",
            key=f"k{step}",
            to_email="a@example.com",
            state="sent",
            sent_at=START - timedelta(hours=hours),
        )
    cap = capping.Cap(2, timedelta(days=2))
    free = capping.free_at(cap, [contact.pk], at=START)
    assert free == {contact.pk: START + timedelta(hours=18)}
    assert capping.free_at(cap, [contact.pk], at=free[contact.pk]) == {}


def test_a_campaign_over_the_cap_follows_nobody_up_and_says_so(clock):
    campaign = campaign_with(capped(1), delays=[DAY])
    after(clock, minutes=1)
    clock.move_to(START + timedelta(days=1, minutes=2))
    assert followups.follow_up(campaign.pk) == 1
    assert not Delivery.objects.filter(step=1).exists()
    assert campaign.recipients.get().stopped_at is None
