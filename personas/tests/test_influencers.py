"""The influencers: whom anybody may read about, and what nobody is told."""

from datetime import timedelta

import pytest
from django.utils import timezone

from personas.models import Persona
from tests.factories import make_account, make_persona
from tests.user_tokens import ISSUER, SECRET, as_user

pytestmark = pytest.mark.django_db

PATH = "/api/v1/influencers"
SECRET_WORDS = "The secret word is marzipan."


@pytest.fixture
def account():
    return make_account("default")


def influencer(account, minutes=0, **fields):
    made = make_persona(account, **{"kind": "influencer", "instructions": SECRET_WORDS, **fields})
    Persona.objects.filter(pk=made.pk).update(created_at=timezone.now() + timedelta(minutes=minutes))
    made.refresh_from_db()
    return made


def test_one_is_shown_with_every_documented_field_and_nothing_else(client, account):
    made = influencer(
        account,
        slug="tomasz",
        name="Tomasz bakes",
        description="Bread.",
        category="cooking",
        avatar_url="https://example.com/t.jpg",
        traits={"tone": "dry"},
        greeting="Hello!",
    )
    answer = client.get(f"{PATH}/{made.pk}")
    assert answer.status_code == 200
    assert answer.json() == {
        "id": str(made.pk),
        "name": "tomasz",
        "display_name": "Tomasz bakes",
        "avatar_url": "https://example.com/t.jpg",
        "description": "Bread.",
        "category": "cooking",
        "is_active": "active",
        "created_at": made.created_at.isoformat().replace("+00:00", "Z"),
    }
    assert client.get(PATH).json()["influencers"] == [answer.json()]
    assert "marzipan" not in answer.content.decode()


def test_what_is_not_given_is_null(client, account):
    shown = client.get(f"{PATH}/{influencer(account).pk}").json()
    assert (shown["avatar_url"], shown["description"], shown["category"]) == (None, None, None)


def test_an_id_of_another_system_is_kept(client, account):
    made = influencer(account, public_id="qg2pi-g3xl4-uprdd-hqe")
    assert client.get(f"{PATH}/qg2pi-g3xl4-uprdd-hqe").json()["id"] == "qg2pi-g3xl4-uprdd-hqe"
    assert client.get(f"{PATH}/{made.pk}").json()["id"] == "qg2pi-g3xl4-uprdd-hqe"


def test_active_ones_come_first_then_those_coming_soon_each_the_newest_first(client, account):
    influencer(account, 1, slug="old")
    influencer(account, 9, slug="soon", status="coming_soon")
    influencer(account, 5, slug="new")
    influencer(account, 7, slug="gone", status="discontinued")
    body = client.get(PATH).json()
    assert [row["name"] for row in body["influencers"]] == ["new", "old", "soon"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 50, 0)


def test_pages_are_cut_out_of_the_same_order(client, account):
    for number in range(5):
        influencer(account, number, slug=f"n{number}")
    body = client.get(PATH, {"limit": 2, "offset": 3}).json()
    assert [row["name"] for row in body["influencers"]] == ["n1", "n0"]
    assert (body["total"], body["limit"], body["offset"]) == (5, 2, 3)
    assert client.get(PATH, {"offset": 5}).json()["influencers"] == []


def test_a_category_narrows_the_list(client, account):
    influencer(account, slug="cook", category="cooking")
    influencer(account, slug="run", category="fitness")
    body = client.get(PATH, {"category": "fitness"}).json()
    assert ([row["name"] for row in body["influencers"]], body["total"]) == (["run"], 1)


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"limit": "x"}, {"offset": -1}, {"offset": 10_001}]
)
def test_a_page_that_cannot_be_is_a_422_that_names_the_parameter(client, query):
    answer = client.get(PATH, query)
    body, (name,) = answer.json(), query
    assert (answer.status_code, body["error"]) == (422, "validation_error")
    assert body["details"]["errors"][0]["loc"] == ["query", name]


@pytest.mark.parametrize("reference", ["x", "01890000-0000-7000-8000-000000000000", "%ff", "a" * 3000])
def test_one_that_is_not_there_is_a_404(client, account, reference):
    answer = client.get(f"{PATH}/{reference}")
    assert answer.status_code == 404
    assert (answer.json()["error"], answer.json()["detail"]) == ("not_found", answer.json()["message"])


def test_others_are_not_shown(client, account):
    hidden = [
        influencer(account, status="discontinued"),
        influencer(make_account("other")),
        make_persona(account, kind="interviewer"),
    ]
    assert client.get(PATH).json()["total"] == 0
    assert {client.get(f"{PATH}/{one.pk}").status_code for one in hidden} == {404}


def test_a_token_shows_the_influencers_of_its_account(client, account, settings):
    settings.JWT_SECRET_KEY, settings.JWT_ISSUERS = SECRET, {ISSUER: "other"}
    influencer(account, slug="ours")
    influencer(make_account("other"), slug="theirs")
    assert client.get(PATH, headers=as_user()).json()["influencers"][0]["name"] == "theirs"
    assert client.get(PATH, headers={"Authorization": "Bearer x"}).json()["influencers"][0]["name"] == "ours"


def test_anybody_may_keep_what_needs_no_token(client, account):
    answer = client.get(PATH)
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "Authorization" in answer.headers["Vary"]
    with_token = client.get(PATH, headers={"Authorization": "Bearer x"})
    assert with_token.headers["Cache-Control"] == "private, max-age=300"


def test_a_longer_list_costs_no_more_queries(client, account, django_assert_num_queries):
    for _number in range(3):
        influencer(account)
    with django_assert_num_queries(2):
        client.get(PATH)
    for _number in range(20):
        influencer(account)
    with django_assert_num_queries(2):
        client.get(PATH)
