"""The timeline's line of an email goes with the talk that the email led to, and with no other."""

import pytest
from django.utils import timezone

from campaigns import inviting, sending, settling, states
from campaigns.models import Delivery
from crm import erasure
from crm.channels import Content, channel
from crm.models import Conversation, TimelineEntry
from tests.factories import make_account, make_campaign, make_contact

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"


@pytest.fixture
def campaign():
    campaign = make_campaign(people=2)
    states.begin(campaign.pk)
    inviting.invite_people(campaign.pk)
    sending.send_due(None)
    return campaign


def sent_to(contact):
    return TimelineEntry.objects.filter(contact=contact, kind="email_sent")


def fresh_link(contact, interview_id):
    content = Content("Your fresh link", "Here it is.")
    key = f"fresh-link:{interview_id}:{timezone.now():%Y%m%d%H%M}"
    return channel("email").send(contact, purpose="transactional", content=content, key=key)


def test_an_invitation_names_the_talk_it_leads_to(campaign):
    for interview in campaign.guide.interviews.all():
        (entry,) = sent_to(interview.contact)
        assert entry.ref["conversation"] == str(interview.conversation_id)
        assert entry.ref["kind"] == "delivery"


def test_erasing_a_talk_takes_the_lines_of_its_emails_and_leaves_others(campaign):
    first, second = campaign.guide.interviews.all()
    fresh_link(first.contact, first.pk)
    assert sent_to(first.contact).count() == 2
    talk = Conversation.objects.get(pk=first.conversation_id)
    assert erasure.run(erasure.request(first.contact, conversation=talk).pk)
    assert not sent_to(first.contact).exists()
    assert sent_to(second.contact).count() == 1


@pytest.mark.parametrize("key", ["link-1", "fresh-link:nobody:1", "fresh-link:"])
def test_any_other_email_leads_to_no_talk(key):
    contact = make_contact()
    delivery = channel("email").send(contact, purpose="transactional", content=Content("A", "B"), key=key)
    assert settling.conversation_of(delivery) is None
    assert "conversation" not in sent_to(contact).get().ref


def test_a_key_with_another_accounts_interview_leads_nowhere(campaign):
    stranger = make_contact(make_account("other"))
    delivery = fresh_link(stranger, campaign.guide.interviews.first().pk)
    assert Delivery.objects.get(pk=delivery.pk).account != campaign.account
    assert settling.conversation_of(delivery) is None
