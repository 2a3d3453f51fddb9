"""Personas over the API: scoped, of one account, versioned, audited."""

import json

import pytest

from config.api.models import AuditEntry
from personas.models import Persona, PersonaVersion
from tests.factories import bearer, make_account, make_key, make_persona

pytestmark = pytest.mark.django_db

PATH = "/api/v1/personas"
NEW = {"slug": "nora", "name": "Nora", "kind": "interviewer", "instructions": "Ask about bread."}


@pytest.fixture
def as_acme():
    return bearer(make_key(scopes=["personas"]))


def send(client, method, path, data, headers):
    return client.generic(method, path, json.dumps(data), content_type="application/json", headers=headers)


def test_a_persona_is_made_with_its_first_version(client, as_acme):
    answer = send(client, "POST", PATH, NEW, as_acme)
    assert answer.status_code == 201
    data = answer.json()["data"]
    assert (data["slug"], data["instructions"], data["has_model"]) == ("nora", "Ask about bread.", False)
    assert PersonaVersion.objects.get().number == 1
    assert Persona.objects.get().account == make_account()


def test_it_is_read_and_changed(client, as_acme):
    path = f"{PATH}/{make_persona(name='Old').pk}"
    assert send(client, "PATCH", path, {"name": "New", "traits": {"tone": "dry"}}, as_acme).status_code == 200
    data = client.get(path, headers=as_acme).json()["data"]
    assert (data["name"], data["traits"]) == ("New", {"tone": "dry"})
    assert PersonaVersion.objects.get().content["name"] == "New"


def test_a_change_is_in_the_audit_trail_without_texts(client, as_acme):
    send(client, "POST", PATH, NEW, as_acme)
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.actor_kind, entry.target_id) == (
        "create persona",
        "key",
        str(Persona.objects.get().pk),
    )
    assert "bread" not in json.dumps(entry.detail)


def test_the_list_pages_with_a_constant_number_of_queries(client, as_acme, django_assert_num_queries):
    for _ in range(7):
        make_persona()
    client.get(PATH, headers=as_acme)  # notes the key's use
    with django_assert_num_queries(2):
        first = client.get(f"{PATH}?limit=5", headers=as_acme).json()
    second = client.get(f"{PATH}?limit=5&cursor={first['pagination']['next']}", headers=as_acme).json()
    assert (len(first["data"]), len(second["data"]), second["pagination"]["next"]) == (5, 2, None)


def test_the_list_is_filtered(client, as_acme):
    make_persona(status="discontinued", slug="gone")
    make_persona()
    found = client.get(f"{PATH}?status=discontinued", headers=as_acme).json()["data"]
    assert [one["slug"] for one in found] == ["gone"]
    assert client.get(f"{PATH}?status=asleep", headers=as_acme).status_code == 400


@pytest.mark.parametrize("method", ["GET", "PATCH"])
def test_another_accounts_persona_is_not_found(client, as_acme, method):
    path = f"{PATH}/{make_persona(make_account('other')).pk}"
    assert send(client, method, path, {}, as_acme).status_code == 404


def test_another_accounts_personas_are_not_listed(client, as_acme):
    make_persona(make_account("other"))
    assert client.get(PATH, headers=as_acme).json()["data"] == []


def test_a_key_without_the_scope_sees_nothing(client):
    headers = bearer(make_key(scopes=["contacts"]))
    assert client.get(PATH, headers=headers).status_code == 403
    assert client.get(f"{PATH}/{make_persona().pk}", headers=headers).status_code == 403


def test_nobody_sees_anything(client):
    assert client.get(PATH).status_code == 401
    assert client.post(PATH).status_code == 401


def test_a_slug_is_used_once_per_account(client, as_acme):
    make_persona(make_account("other"), slug="nora")
    assert send(client, "POST", PATH, NEW, as_acme).status_code == 201
    assert send(client, "POST", PATH, NEW, as_acme).status_code == 409
    assert PersonaVersion.objects.count() == 1


WRONG = [
    {"slug": "not a slug"},
    {"slug": "x" * 81},
    {"kind": "robot"},
    {"temperature": 3},
    {"temperature": "warm"},
    {"max_tokens": 1},
    {"max_tokens": 10**30},
    {"provider_chain": ["nobody"]},
    {"provider_chain": "offline"},
    {"provider_chain": ["offline", "offline"]},
    {"traits": ["warm"]},
    {"traits": {"tone": {"deep": 1}}},
    {"traits": {"tone": "\0"}},
    {"traits": {"t" * 2000: 1}},
    {"traits": None},
    {"examples": [{"person": "Hi"}]},
    {"examples": [{"person": "Hi", "persona": "Hello"}] * 21},
    {"examples": "Hi"},
    {"name": ""},
    {"name": None},
    {"name": "a\0b"},
    {"instructions": "x" * 20_001},
]


@pytest.mark.parametrize("wrong", WRONG, ids=[str(one)[:40] for one in WRONG])
def test_bad_fields_are_refused_in_words(client, as_acme, wrong):
    answer = send(client, "POST", PATH, {**NEW, **wrong}, as_acme)
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "VALIDATION_ERROR"
    assert not Persona.objects.exists()


@pytest.mark.parametrize("body", ["", "[]", '"x"', "{", "null"])
def test_a_body_that_is_no_object_is_refused(client, as_acme, body):
    answer = client.generic("POST", PATH, body, content_type="application/json", headers=as_acme)
    assert answer.status_code == 400


def test_what_may_not_be_changed_is_left_alone(client, as_acme):
    persona = make_persona()
    send(
        client,
        "PATCH",
        f"{PATH}/{persona.pk}",
        {"id": "0", "account": 99, "created_at": "2000-01-01"},
        as_acme,
    )
    assert Persona.objects.get().created_at == persona.created_at
