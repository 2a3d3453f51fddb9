"""Staff choose the agent of a talk in the admin, and change nothing else of it."""

import pytest
from django.urls import reverse

from crm import talk
from crm.agents_chat import PLANNER
from crm.filing import agents_may_file
from crm.models import Conversation
from crm.tests.test_replies import open_talk
from personas.agents import agents_of
from tests.factories import make_contact

pytestmark = pytest.mark.django_db(transaction=True)


def agents_talk():
    contact = make_contact()
    agents = agents_of(contact.account)
    return talk.start(contact, persona=agents["general_agent"], planner=PLANNER), agents


def send(admin_client, conversation, **fields):
    url = reverse("admin:crm_conversation_change", args=[conversation.pk])
    given = {"title": "", "category": "", "status": "active", "persona": conversation.persona_id, **fields}
    return admin_client.post(url, given)


def test_the_page_of_a_talk_opens(admin_client):
    """Its address was once taken for a move of the transcript page, and answered 405."""
    conversation, _agents = agents_talk()
    page = admin_client.get(reverse("admin:crm_conversation_change", args=[conversation.pk]))
    assert page.status_code == 200
    assert "agent_is_pinned" in page.content.decode()


def test_another_agent_is_pinned(admin_client):
    conversation, agents = agents_talk()
    assert send(admin_client, conversation, persona=agents["sales_agent"].pk).status_code == 302
    conversation.refresh_from_db()
    assert (conversation.persona.slug, conversation.agent_is_pinned) == ("sales_agent", True)


def test_a_category_of_staff_stays_until_they_take_it_away(admin_client):
    conversation, _agents = agents_talk()
    for category, may in (("sales", False), ("", True)):
        send(admin_client, conversation, category=category)
        conversation.refresh_from_db()
        assert (conversation.category, agents_may_file(conversation)) == (category, may)


def test_a_message_that_comes_while_staff_edit_keeps_its_number(admin_client, monkeypatch):
    conversation, _agents = agents_talk()
    real = Conversation.full_clean

    def and_meanwhile(self, *args, **options):
        talk.say(Conversation.objects.get(pk=self.pk), "Meanwhile.")
        return real(self, *args, **options)

    monkeypatch.setattr(Conversation, "full_clean", and_meanwhile)
    assert send(admin_client, conversation, title="About prices").status_code == 302
    conversation.refresh_from_db()
    assert (conversation.title, conversation.last_seq) == ("About prices", 1)


def test_an_agent_of_another_account_is_refused(admin_client):
    from tests.factories import make_account

    conversation, _agents = agents_talk()
    foreign = agents_of(make_account("other"))["sales_agent"]
    assert send(admin_client, conversation, persona=foreign.pk).status_code == 200
    conversation.refresh_from_db()
    assert conversation.persona.slug == "general_agent"


def test_the_interviewer_of_an_interview_is_not_changed_here(admin_client):
    conversation = open_talk()
    _general, agents = agents_talk()
    send(admin_client, conversation, persona=agents["sales_agent"].pk)
    before = conversation.persona_id
    conversation.refresh_from_db()
    assert conversation.persona_id == before
