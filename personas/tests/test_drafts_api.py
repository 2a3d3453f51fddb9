"""Drafts written, looked at and published by programs."""

import pytest
from django.test import Client

from config.api.models import AuditEntry
from personas import drafts
from personas.models import Persona, PersonaDraft
from personas.versions import save_persona
from tests.factories import bearer, make_account, make_key, make_persona

pytestmark = pytest.mark.django_db


class Program:
    def __init__(self, slug="acme", scopes=("personas",)):
        self.client = Client(raise_request_exception=False)
        self.headers = bearer(make_key(make_account(slug), scopes=scopes, name="writer"))

    def ask(self, method, path, body=None):
        send = getattr(self.client, method)
        whole = {"content_type": "application/json"} if body is not None else {}
        return send(f"/api/v1/personas/{path}", body, headers=self.headers, **whole)

    def write(self, persona, **fields):
        return self.ask("patch", f"{persona.pk}/draft", fields)


@pytest.fixture
def persona():
    return save_persona(make_persona(greeting="Hello."), author="ada")


@pytest.fixture
def program():
    return Program()


def test_a_draft_is_written_looked_at_and_published(program, persona):
    before = program.ask("get", f"{persona.pk}/draft").json()["data"]
    assert (before["has_draft"], before["changed"]) == (False, [])
    written = program.write(persona, greeting="Good evening.", alternate_greetings=["You again."])
    draft = written.json()["data"]
    assert (written.status_code, draft["has_draft"], draft["author"]) == (200, True, "API key writer")
    assert sorted(draft["changed"]) == ["alternate_greetings", "greeting"]
    assert draft["content"]["greeting"] == "Good evening."
    persona.refresh_from_db()
    assert persona.greeting == "Hello."
    published = program.ask("post", f"{persona.pk}/publish", {"seen": draft["seen"]})
    assert (published.status_code, published.json()["data"]["greeting"]) == (200, "Good evening.")
    assert published.json()["data"]["version"] == 2
    assert not PersonaDraft.objects.exists()
    done = list(AuditEntry.objects.order_by("pk").values_list("actor", "action"))
    assert done == [("writer", "write draft of persona"), ("writer", "publish persona")]


def test_a_second_change_keeps_the_first(program, persona):
    program.write(persona, greeting="Good evening.")
    draft = program.write(persona, tagline="Bakes.").json()["data"]
    assert (draft["content"]["greeting"], draft["content"]["tagline"]) == ("Good evening.", "Bakes.")


def test_what_was_changed_meanwhile_is_not_published_unseen(program, persona):
    seen = program.write(persona, greeting="Good evening.").json()["data"]["seen"]
    program.write(persona, greeting="Go away.")
    answer = program.ask("post", f"{persona.pk}/publish", {"seen": seen})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "CONFLICT")
    persona.refresh_from_db()
    assert persona.greeting == "Hello."


def test_a_draft_that_can_no_longer_be_is_refused(program, persona):
    content = {**drafts.content_to_be(persona), "provider_chain": ["gone"]}
    drafts.keep_draft(persona, content, author="ada")
    answer = program.ask("post", f"{persona.pk}/publish", {"seen": drafts.stamp(persona)})
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, "provider_chain")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"greeting": "{{nobody}}"}, "greeting"),
        ({"status": "active"}, "status"),
        ({"kind": "caller"}, "kind"),
        ({"slug": "x"}, "slug"),
        ({"colour": "red"}, "colour"),
        ({"character_book": {"entries": [{}]}}, "character_book"),
        ({"alternate_greetings": ["x" * 8_001]}, "alternate_greetings"),
        ({"alternate_greetings": ["{{nobody}}"]}, "alternate_greetings"),
        ({"temperature": 9}, "temperature"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_kept(program, persona, body, field):
    answer = program.write(persona, **body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert not PersonaDraft.objects.exists()


@pytest.mark.parametrize("body", [[], "x", None])
def test_what_is_no_object_is_refused(program, persona, body):
    assert program.ask("patch", f"{persona.pk}/draft", body or "null").status_code == 400
    assert program.ask("post", f"{persona.pk}/publish", {}).status_code == 400


def test_a_draft_is_thrown_away_once(program, persona):
    program.write(persona, greeting="Good evening.")
    answers = [program.ask("delete", f"{persona.pk}/draft").json()["data"] for _ in range(2)]
    assert answers == [{"discarded": True}, {"discarded": False}]
    assert AuditEntry.objects.filter(action="discard draft of persona").count() == 1


def test_drafts_are_listed_in_pages_of_as_many_queries(program, django_assert_max_num_queries):
    account = make_account()
    for number in range(5):
        one = make_persona(account, slug=f"p{number}", name=f"P{number}")
        drafts.keep_draft(one, drafts.content_to_be(one), author="ada")
    other = make_persona(make_account("other"))
    drafts.keep_draft(other, drafts.content_to_be(other), author="eve")
    with django_assert_max_num_queries(4):
        first = program.ask("get", "drafts?limit=3").json()
    assert [row["slug"] for row in first["data"]] == ["p4", "p3", "p2"]
    second = program.ask("get", f"drafts?limit=3&cursor={first['pagination']['next']}").json()
    assert [row["slug"] for row in second["data"]] == ["p1", "p0"]
    assert "content" not in first["data"][0]


def test_another_account_a_narrow_key_and_a_stranger_learn_nothing(program, persona):
    for asking, status in ((Program("other"), 404), (Program(scopes=("crm",)), 403)):
        assert asking.ask("get", f"{persona.pk}/draft").status_code == status
        assert asking.write(persona, greeting="Mine.").status_code == status
        assert asking.ask("delete", f"{persona.pk}/draft").status_code == status
        assert asking.ask("post", f"{persona.pk}/publish", {"seen": "0:"}).status_code == status
    assert Client().get("/api/v1/personas/drafts").status_code == 401
    assert Persona.objects.get(pk=persona.pk).greeting == "Hello."
