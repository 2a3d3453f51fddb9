"""/agents/…: our own interviewer and chat agent, or the vendor's where that speaks for the account."""

import pytest
from django.test import Client

from interviews.models import Guide
from knowledge.models import Collection
from personas.models import LyzrLink, Persona
from tests.factories import bearer, make_account, make_key, make_persona

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"user_id": "acme", "token": "sk-lyzr"}


@pytest.fixture
def account():
    return make_account("acme")


@pytest.fixture
def api(account):
    return Client(headers=bearer(make_key(account)))


def post(api, path, **more):
    return api.post(path, {**BODY, **more}, content_type="application/json")


def test_without_the_vendor_the_interviewer_is_ours(api, account):
    made = post(api, "/agents/create", prompt="Ask about the weather.").json()

    assert Persona.objects.get(pk=made["agent_id"]).kind == "interviewer"
    assert Collection.objects.get(slug=made["rag_id"], account=account).remote == ""
    assert Guide.objects.get().collection.slug == made["rag_id"]
    assert made["agent_response"]["agent_id"] == made["agent_id"]
    assert made["kb_response"] == {"id": made["rag_id"]}


def test_asked_twice_they_are_the_same(api):
    first, again = [post(api, "/agents/create").json() for _ in range(2)]
    assert (first["agent_id"], first["rag_id"]) == (again["agent_id"], again["rag_id"])
    chat, same = [post(api, "/agents/chat/create").json() for _ in range(2)]
    assert chat["chat_agent_id"] == same["chat_agent_id"]
    assert Persona.objects.get(slug="chat_agent").collections.get().slug == first["rag_id"]


def test_a_chat_agent_needs_a_knowledge_base(api):
    refused = post(api, "/agents/chat/create")
    assert refused.status_code == 400
    assert refused.json()["detail"]


def test_an_agent_tells_its_account_and_prompt_to_that_account_alone(api):
    made = post(api, "/agents/create", prompt="Ask about the weather.").json()
    info = api.get(f"/agents/{made['agent_id']}/info").json()

    assert (info["user_id"], info["agent_prompt"]) == ("acme", "Ask about the weather.")
    assert info["has_api_key"] is False
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert stranger.get(f"/agents/{made['agent_id']}/info").status_code == 404
    assert api.get("/agents/nobody/info").status_code == 404


@pytest.mark.usefixtures("lyzr_settings")
def test_where_the_vendor_speaks_it_makes_the_agents(api, account, lyzr):
    make_persona(account, provider_chain=["lyzr", "offline"])
    made = post(api, "/agents/create", name="Nora").json()
    chat = post(api, "/agents/chat/create").json()

    assert set(lyzr.agents) == {made["agent_id"], chat["chat_agent_id"]}
    assert {request.headers["x-api-key"] for request in lyzr.requests} == {"sk-lyzr"}
    assert LyzrLink.objects.get(account=account).rag_id == made["rag_id"]
    collection = Collection.objects.get(slug=made["rag_id"])
    assert (collection.remote, collection.remote_id) == ("lyzr", made["rag_id"])


@pytest.mark.parametrize("path", ["/agents/create", "/agents/chat/create"])
def test_another_account_is_told_404_and_nobody_401(account, path):
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    assert post(stranger, path).status_code == 404
    assert post(Client(), path).status_code == 401
