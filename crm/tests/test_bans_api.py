"""Bans by programs of the account's own."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.api.models import AuditEntry
from crm import persona_care
from crm.models import Ban
from crm.tests.persona_chatting import CHATS, User
from tests.factories import bearer, make_account, make_contact, make_key

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("signed_tokens")]
BANS = "/api/v1/bans"


class Program:
    """One with a key of account `default`."""

    def __init__(self, slug="default", scopes=("bans",)):
        self.client = Client(raise_request_exception=False)
        self.headers = bearer(make_key(make_account(slug), scopes=scopes, name="moderator"))

    def get(self, path=BANS, **query):
        return self.client.get(path, query, headers=self.headers)

    def post(self, path=BANS, **body):
        return self.client.post(path, body, content_type="application/json", headers=self.headers)


@pytest.fixture
def program():
    return Program()


def audited():
    return list(AuditEntry.objects.order_by("pk").values_list("actor", "action"))


def test_a_person_is_banned_by_the_user_id_of_their_token_and_let_in_again(program):
    assert User("alice").get(CHATS).status_code == 200
    made = program.post(person="alice", reason="Rude.")
    ban = made.json()["data"]
    assert (made.status_code, ban["user_ids"], ban["is_in_force"]) == (201, ["alice"], True)
    assert (ban["banned_by"], ban["lifted_at"]) == ("API key moderator", None)
    refused = User("alice").get(CHATS)
    assert (refused.status_code, refused.json()["details"]["reason"]) == (403, "banned")
    lifted = program.post(f"{BANS}/{ban['id']}/lift")
    assert (lifted.status_code, lifted.json()["data"]["is_in_force"]) == (200, False)
    assert User("alice").get(CHATS).status_code == 200
    again = program.post(f"{BANS}/{ban['id']}/lift")
    assert again.json()["data"]["lifted_at"] == lifted.json()["data"]["lifted_at"]
    assert audited() == [("moderator", "ban person"), ("moderator", "lift ban")]


def test_who_is_banned_twice_has_one_ban(program):
    until = timezone.now() + timedelta(days=1)
    first = program.post(person="alice", reason="Rude.").json()["data"]
    second = program.post(person=first["contact"], reason="Again.", until=until.isoformat()).json()["data"]
    assert (second["id"], second["reason"]) == (first["id"], "Again.")
    assert Ban.objects.get().until == until


def test_bans_are_listed_in_pages_and_by_standing(program):
    account = make_account("default")
    for number in range(5):
        contact = make_contact(account, name=f"Person {number}")
        row = persona_care.ban(contact, reason="x", until=None, by="ada")
        if number == 0:
            persona_care.lift(row)
    first = program.get(limit=2).json()
    assert [row["name"] for row in first["data"]] == ["Person 4", "Person 3"]
    second = program.get(limit=2, cursor=first["pagination"]["next"]).json()
    assert [row["name"] for row in second["data"]] == ["Person 2", "Person 1"]
    assert [row["name"] for row in program.get(in_force="false").json()["data"]] == ["Person 0"]
    assert len(program.get(in_force="true").json()["data"]) == 4
    known = first["data"][0]["contact"]
    assert [row["contact"] for row in program.get(person=known).json()["data"]] == [known]
    assert program.get(person="nobody").json()["data"] == []
    few = queries_of(program, limit=1)
    assert queries_of(program, limit=5) == few


def queries_of(program, **query):
    return program.get(**query).json()["metadata"]["processing_details"]["database_queries"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"reason": "x"}, "person"),
        ({"person": "al\x19ice", "reason": "x"}, "person"),
        ({"person": " ", "reason": "x"}, "person"),
        ({"person": "alice"}, "reason"),
        ({"person": "alice", "reason": "x" * 301}, "reason"),
        ({"person": "alice", "reason": "x", "until": "soon"}, "until"),
        ({"person": "alice", "reason": "x", "until": "2020-01-01T00:00:00Z"}, "until"),
    ],
)
def test_what_is_wrong_is_named(program, body, field):
    answer = program.post(**body)
    assert (answer.status_code, answer.json()["error"]["field"]) == (400, field)
    assert not Ban.objects.exists()


def test_another_account_a_narrow_key_and_a_stranger_learn_nothing(program):
    ban = program.post(person="alice", reason="x").json()["data"]
    other = Program("other")
    assert other.get().json()["data"] == []
    assert other.get(f"{BANS}/{ban['id']}").status_code == 404
    assert other.post(f"{BANS}/{ban['id']}/lift").status_code == 404
    assert Program(scopes=("crm",)).get().status_code == 403
    assert Client().get(BANS).status_code == 401
    assert program.get(f"{BANS}/{10**30}").status_code == 404
    assert program.get(in_force="maybe").status_code == 400
    assert Ban.objects.get().is_in_force()
