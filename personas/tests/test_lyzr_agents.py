"""Agents and knowledge bases at Lyzr are made once, whatever breaks off in between."""

import logging
import threading
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from personas import lyzr_agents
from personas.lyzr_agents import LyzrError, create_chat_agent, create_interview_agent
from personas.models import LyzrLink, ProviderCredential
from tests.factories import make_account
from tests.fakes.lyzr_server import SECRET, Behaviour, Fault

pytestmark = [pytest.mark.usefixtures("lyzr_settings"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account():
    return make_account("acme")


def refusal_of(work, *args, **kwargs):
    with pytest.raises(LyzrError) as caught:
        work(*args, **kwargs)
    return caught.value


def test_an_interviewer_and_a_knowledge_base_are_made(account, lyzr):
    created = create_interview_agent(account, name="Nora", description="Asks.", prompt="Ask well.")
    assert set(lyzr.agents) == {created.agent_id}
    assert set(lyzr.bases) == {created.rag_id}
    assert created.agent_response == {"agent_id": created.agent_id}
    assert created.kb_response == {"id": created.rag_id}
    link = LyzrLink.objects.get(account=account)
    assert (link.agent_id, link.rag_id, link.agent_prompt) == (created.agent_id, created.rag_id, "Ask well.")
    assert link.busy_until is None


def test_the_agent_is_described_as_the_vendor_wants_it(account, lyzr):
    create_interview_agent(account, name="Nora", description="Asks.", prompt="Ask well.")
    agent = next(iter(lyzr.agents.values()))
    assert (agent["name"], agent["description"], agent["agent_instructions"]) == (
        "Nora",
        "Asks.",
        "Ask well.",
    )
    assert (agent["store_messages"], agent["response_format"]) == (True, {"type": "text"})


def test_the_key_is_never_sent_as_who_asks(account, lyzr):
    create_interview_agent(account, token="sk-given")
    assert {request.headers["x-api-key"] for request in lyzr.requests} == {"sk-given"}
    assert next(iter(lyzr.bases.values()))["user_id"] == "acme"
    assert not any(b"sk-given" in request.body for request in lyzr.requests)


def test_without_a_token_the_accounts_own_key_is_used(account, lyzr):
    ProviderCredential.objects.create(account=account, provider="lyzr", secret="sk-of-acme")
    create_interview_agent(account)
    assert {request.headers["x-api-key"] for request in lyzr.requests} == {"sk-of-acme"}


def test_a_key_with_an_address_of_its_own_goes_nowhere_else(account, lyzr, lyzr_settings):
    lyzr_settings.PROVIDERS["lyzr"].update(BASE_URL="http://127.0.0.1:9", RAG_URL="http://127.0.0.1:9")
    ProviderCredential.objects.create(
        account=account,
        provider="lyzr",
        secret="sk-of-acme",
        base_url=lyzr.address,
    )
    assert create_interview_agent(account).rag_id in lyzr.bases


def test_a_second_call_returns_what_exists(account, lyzr):
    first = create_interview_agent(account)
    asked = len(lyzr.requests)
    second = create_interview_agent(account)
    assert (second.agent_id, second.rag_id) == (first.agent_id, first.rag_id)
    assert (second.agent_response, second.kb_response) == ({}, {})
    assert len(lyzr.requests) == asked


def test_what_exists_is_told_without_a_key(account, lyzr, lyzr_settings):
    first = create_interview_agent(account)
    lyzr_settings.PROVIDERS["lyzr"]["API_KEY"] = ""
    assert create_interview_agent(account).agent_id == first.agent_id


def test_another_account_gets_its_own(account, lyzr):
    first, second = create_interview_agent(account), create_interview_agent(make_account("other"))
    assert first.agent_id != second.agent_id
    assert first.rag_id != second.rag_id


def test_when_the_knowledge_base_fails_the_agent_stays_and_the_next_call_goes_on(account, lyzr):
    lyzr.script_for("/v3/rag/", Behaviour(fault=Fault.STATUS, status=500))
    error = refusal_of(create_interview_agent, account)
    assert (error.code, error.retryable) == ("unavailable", True)
    agent_id = LyzrLink.objects.get(account=account).agent_id
    created = create_interview_agent(account)
    assert created.agent_id == agent_id
    assert set(lyzr.agents) == {agent_id}
    assert (created.agent_response, created.kb_response) == ({}, {"id": created.rag_id})


FAULTS = [
    (Behaviour(fault=Fault.STATUS, status=401), "authentication", False),
    (Behaviour(fault=Fault.STATUS, status=429), "rate_limited", True),
    (Behaviour(fault=Fault.SILENCE), "timeout", True),
    (Behaviour(fault=Fault.DISCONNECT), "unavailable", True),
    (Behaviour(fault=Fault.HTML), "bad_response", True),
    (Behaviour(fault=Fault.WRONG_SHAPE), "bad_response", True),
]


@pytest.mark.parametrize(("behaviour", "code", "retryable"), FAULTS)
def test_a_failure_is_told_in_our_words(account, lyzr, behaviour, code, retryable, caplog):
    caplog.set_level(logging.DEBUG)
    lyzr.script(behaviour)
    error = refusal_of(create_interview_agent, account)
    assert (error.code, error.retryable) == (code, retryable)
    shown = f"{error} {error!r} {error.__cause__} {caplog.text}"
    assert SECRET not in shown
    assert "sk-of" not in shown
    assert LyzrLink.objects.get(account=account).busy_until is None


def test_without_a_key_nothing_is_asked(account, lyzr, lyzr_settings):
    lyzr_settings.PROVIDERS["lyzr"]["API_KEY"] = ""
    assert refusal_of(create_interview_agent, account).code == "no_key"
    assert lyzr.requests == []


def test_two_at_once_make_one_agent(account, lyzr):
    lyzr.script(Behaviour(fault=Fault.SILENCE))
    other = threading.Thread(target=refusal_of, args=(create_interview_agent, account))
    other.start()
    assert lyzr.wait_until(lambda: bool(lyzr.requests))
    error = refusal_of(create_interview_agent, account)
    other.join()
    assert (error.code, error.retryable) == ("busy", True)
    assert len(lyzr.requests) == 1


def test_a_call_whose_process_died_is_taken_up_when_its_lease_is_over(account, lyzr):
    LyzrLink.objects.create(account=account, busy_until=timezone.now() - timedelta(seconds=1))
    assert create_interview_agent(account).agent_id in lyzr.agents


# --- The agent that answers ---------------------------------------------------------------------


def test_a_chat_agent_reads_the_knowledge_base(account, lyzr):
    rag_id = create_interview_agent(account).rag_id
    created = create_chat_agent(account, name="Ask me")
    rag = lyzr.agents[created.agent_id]["features"][0]["config"]["lyzr_rag"]
    assert (rag["rag_id"], rag["base_url"]) == (rag_id, lyzr.address)
    assert rag["rag_name"] == lyzr.bases[rag_id]["collection_name"]
    assert LyzrLink.objects.get(account=account).chat_agent_id == created.agent_id


def test_without_a_knowledge_base_there_is_nothing_to_read(account, lyzr):
    assert refusal_of(create_chat_agent, account).code == "no_rag"
    assert lyzr.requests == []


def test_when_linking_fails_the_next_call_links_the_same_agent(account, lyzr):
    create_interview_agent(account)
    lyzr.script_for("single-task/", Behaviour(fault=Fault.STATUS, status=500))
    refusal_of(create_chat_agent, account)
    made = set(lyzr.agents)
    created = create_chat_agent(account)
    assert set(lyzr.agents) == made
    assert lyzr.agents[created.agent_id]["features"]


def test_a_second_call_for_it_asks_nothing(account, lyzr):
    create_interview_agent(account)
    first = create_chat_agent(account)
    asked = len(lyzr.requests)
    assert create_chat_agent(account).agent_id == first.agent_id
    assert len(lyzr.requests) == asked


def test_an_id_that_is_too_long_is_none(account, lyzr, monkeypatch):
    monkeypatch.setattr(lyzr_agents, "LONGEST_ID", 3)
    assert refusal_of(create_interview_agent, account).code == "bad_response"


def test_an_agent_that_was_made_elsewhere_is_never_changed(account, lyzr, client):
    create_interview_agent(account)
    client.force_login(get_user_model().objects.create_superuser("operator", "", "secret-enough"))
    link = LyzrLink.objects.get()
    fields = {"agent_id": link.agent_id, "chat_agent_id": "of-studio", "rag_id": "rag-of-studio"}
    address = f"/admin/personas/lyzrlink/{link.pk}/change/"
    assert client.post(address, {**fields, "agent_prompt": "x"}).status_code == 302
    asked = len(lyzr.requests)
    created = create_chat_agent(account)
    assert (created.agent_id, created.rag_id) == ("of-studio", "rag-of-studio")
    assert len(lyzr.requests) == asked
