"""/interview/…: asked for, looked at, ended; and the page to which its link leads."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from crm.models import AccessLink
from interviews.models import Interview
from interviews.tests.holding import begin, hold
from tests.factories import bearer, make_account, make_contact, make_guide, make_key

pytestmark = pytest.mark.django_db
EMAIL = "ada@example.com"


@pytest.fixture(autouse=True)
def _own_folders(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "config.storage.PrivateFolderStorage"}}


@pytest.fixture
def guide():
    return make_guide(make_account("acme"))


@pytest.fixture
def api(guide):
    return Client(headers=bearer(make_key(guide.account)))


def start(api, email=EMAIL, **fields):
    body = {"user_id": "acme", "email": email, **fields}
    return api.post("/interview/start", body, content_type="application/json")


def test_an_interview_is_started_as_documented(api):
    record = start(api).json()

    assert record["token"] == "acme-ada@example.com"
    assert (record["user_id"], record["email"], record["status"]) == ("acme", EMAIL, "started")
    assert record["started_at"].endswith("Z")
    assert record["completed_at"] is None
    assert record["created_at"].endswith("Z")


def test_the_person_has_not_agreed_by_that(api):
    start(api)
    assert Interview.objects.get().state == "invited"


def test_a_client_may_send_a_query_and_an_empty_body_with_its_plus_unencoded(api):
    answer = api.post(
        "/interview/start?user_id=acme&email=ada+work@example.com", {}, content_type="application/json"
    )
    assert answer.json()["email"] == "ada+work@example.com"


def test_started_twice_it_is_one(api):
    assert start(api).json() == start(api, email="ADA@Example.com").json()
    assert Interview.objects.count() == 1


def test_an_ended_interview_is_not_started_again(api, guide):
    hold(guide, make_contact(guide.account, email=EMAIL))
    assert start(api).json()["status"] in ("completed", "processed")
    assert Interview.objects.count() == 1


def test_an_invitation_that_ran_out_lives_again(api):
    start(api)
    Interview.objects.update(state="expired", expires_at=timezone.now() - timedelta(days=1))
    assert api.get(f"/interview/status/acme/{EMAIL}").json() == {"status": "not started"}
    assert start(api).json()["status"] == "started"


def test_the_status_is_one_word_and_never_a_404(api, guide):
    path = f"/interview/status/acme/{EMAIL}"
    assert api.get(path).json() == {"status": "not started"}
    interview = begin(guide, make_contact(guide.account, email=EMAIL))
    assert api.get(path).json() == {"status": "started"}
    Interview.objects.filter(pk=interview.pk).update(state="invited", requested_at=None)
    assert api.get(path).json() == {"status": "pending"}
    assert api.get("/interview/status/acme/nonsense").status_code == 422


def test_all_statuses_come_in_one_call(api, guide, django_assert_max_num_queries):
    for name in ("ada", "bo", "cy"):
        start(api, email=f"{name}@example.com")
    with django_assert_max_num_queries(8):
        found = api.get("/interview/status/acme").json()
    assert [one["email"] for one in found["statuses"]] == [f"{n}@example.com" for n in ("cy", "bo", "ada")]
    assert {one["status"] for one in found["statuses"]} == {"started"}


def test_an_interview_is_read_by_its_token(api, guide):
    assert api.get("/interview/acme-ada@example.com").status_code == 404
    begin(guide, make_contact(guide.account, email=EMAIL))
    seen = api.get("/interview/acme-ada@example.com").json()

    assert seen["status"] == "started"
    assert seen["chat_session"]["session_status"] == "active"
    assert "token=" not in seen["chat_link"]


def test_accounts_and_addresses_may_hold_dashes(guide):
    other = make_guide(make_account("acme-north"))
    api = Client(headers=bearer(make_key(other.account)))
    body = {"user_id": "acme-north", "email": "jean-luc@my-mail.example"}
    token = api.post("/interview/start", body, content_type="application/json").json()["token"]
    assert api.get(f"/interview/{token}").json()["email"] == "jean-luc@my-mail.example"


def test_completing_twice_is_once(api, guide):
    begin(guide, make_contact(guide.account, email=EMAIL))
    first, again = [api.post("/interview/complete/acme-ada@example.com").json() for _ in range(2)]

    assert first["should_redirect_to_chat"] is True
    assert first["completion_message"]
    assert first["status"] in ("completed", "processed")
    assert first["completed_at"] == again["completed_at"]


def test_completing_one_that_nobody_began_calls_it_off(api):
    start(api)
    assert api.post("/interview/complete/acme-ada@example.com").json()["status"] == "completed"
    assert Interview.objects.get().state == "declined"


# --- the link ---------------------------------------------------------------------------------


def link(api):
    return api.get(f"/interview/chat-link/acme/{EMAIL}?agent_id=agent456").json()


def test_a_link_is_given_to_the_account(api):
    start(api)
    given = link(api)

    assert given["chat_link"].startswith("http://testserver/chat/acme%2Bada%40example.com?token=")
    assert given["session_id"] == "acme+ada@example.com"
    assert given["agent_id"] == "agent456"
    assert "agent_id=agent456" in given["chat_link"]


def test_the_link_lets_its_holder_in_and_keeps_the_token_out_of_the_address(api):
    start(api)
    browser, address = Client(), link(api)["chat_link"]
    page = browser.get(address.removeprefix("http://testserver"), follow=True)

    assert page.status_code == 200
    assert page.redirect_chain[-1][0] == f"/chat/{Interview.objects.get().conversation_id}"
    assert "token" not in page.redirect_chain[-1][0]
    assert b"I agree, begin" in page.content


def test_its_holder_comes_back_by_the_label_alone(api):
    start(api)
    browser, address = Client(), urlsplit(link(api)["chat_link"])
    browser.get(f"{address.path}?{address.query}")
    assert browser.get(address.path).status_code == 302


def test_the_label_alone_opens_only_the_page_that_offers_a_fresh_link(api):
    start(api)
    page = Client().get("/chat/acme+ada@example.com")

    assert page.status_code == 404
    assert b"fresh" in page.content.lower()


def test_the_link_of_one_person_does_not_open_the_chat_of_another(api, guide):
    start(api)
    start(api, email="bo@example.com")
    query = urlsplit(link(api)["chat_link"]).query
    assert Client().get(f"/chat/acme+bo@example.com?{query}").status_code == 404


def test_a_revoked_link_says_so(api):
    start(api)
    address = link(api)["chat_link"].removeprefix("http://testserver")
    AccessLink.objects.update(revoked_at=timezone.now())
    assert Client().get(address).status_code == 410


def test_a_redirect_tells_where_to_send_the_person(api):
    assert api.get("/interview/redirect/acme-nobody@example.com").status_code == 404
    start(api)
    told = api.get("/interview/redirect/acme-ada@example.com").json()
    assert told["session_id"] == "acme+ada@example.com"
    assert Client().get(told["redirect_url"].removeprefix("http://testserver")).status_code == 302


def test_a_link_to_an_invitation_that_ran_out_is_refused(api):
    start(api)
    Interview.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert api.get(f"/interview/chat-link/acme/{EMAIL}").status_code == 409


# --- who may ----------------------------------------------------------------------------------

CALLS = [
    ("post", "/interview/start"),
    ("get", f"/interview/status/acme/{EMAIL}"),
    ("get", "/interview/status/acme"),
    ("get", f"/interview/chat-link/acme/{EMAIL}"),
    ("get", f"/interview/redirect/acme-{EMAIL}"),
    ("get", f"/interview/acme-{EMAIL}"),
    ("post", f"/interview/complete/acme-{EMAIL}"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_another_account_is_told_404(api, method, path):
    start(api)
    stranger = Client(headers=bearer(make_key(make_account("other"))))
    body = {"user_id": "acme", "email": EMAIL}
    answer = (
        stranger.post(path, body, content_type="application/json") if method == "post" else stranger.get(path)
    )
    assert answer.status_code == 404


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_without_a_key_it_is_401(api, method, path):
    start(api)
    assert getattr(Client(), method)(path, headers={}).status_code == 401


def test_in_the_demo_a_caller_without_a_key_acts_for_the_account_it_names(api, settings):
    settings.RAPPORT_ENV = "demo"
    caller = Client(headers={"Host": "localhost"})
    assert start(caller).json()["status"] == "started"
    assert caller.get(f"/interview/status/acme/{EMAIL}").json() == {"status": "started"}
    assert caller.get(f"/interview/acme-{EMAIL}").status_code == 200
    assert caller.get(f"/interview/status/nobody/{EMAIL}").status_code == 404
