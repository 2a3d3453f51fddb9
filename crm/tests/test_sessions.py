"""Sessions of chat users: begun by integrations, good for one person, over when they should be."""

from datetime import timedelta

import pytest
from django.utils import timezone

from config.logs import redact
from crm import contacts, sessions
from crm.models import SessionToken
from tests.factories import bearer, make_account, make_contact, make_conversation, make_key

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner():
    return bearer(make_key())


@pytest.fixture
def stranger():
    return bearer(make_key(make_account("other")))


def post(client, path, body=None, **more):
    return client.post(path, body or {}, content_type="application/json", **more)


def begun(contact=None):
    """A contact and the token of a session of theirs."""
    contact = contact or make_contact()
    return contact, sessions.begin(contact)[1]


def with_session(token):
    return {"X-Session-Token": token}


def test_a_token_sent_as_a_key_is_told_apart(client):
    _contact, token = begun()
    answer = client.get("/crm/users", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, "no API key" in answer.json()["detail"]) == (401, True)


def test_a_session_is_begun_by_a_json_body(client, owner):
    contact = make_contact()
    response = post(client, "/sessions/create", {"user_id": str(contact.pk)}, headers=owner)
    data = response.json()["data"]
    assert response.status_code == 200
    assert set(data) == {"session_id", "session_token", "user_id", "expires_at", "created_at"}
    assert data["user_id"] == str(contact.pk)
    assert len(data["session_token"]) == 43


def test_the_documented_flow_needs_no_key_in_demo_mode(client, settings):
    settings.RAPPORT_ENV = "demo"
    at_home = {"Host": "127.0.0.1"}
    user = post(client, "/crm/create_user", {"name": "John", "email": "john@example.com"}, headers=at_home)
    user_id = user.json()["data"]["id"]
    session = post(client, "/sessions/create", {"user_id": user_id}, headers=at_home).json()["data"]
    valid = client.get(f"/sessions/validate/{session['session_token']}", headers=at_home).json()["data"]
    assert (valid["valid"], valid["user_id"]) == (True, user_id)
    assert client.get(f"/crm/conversations/{user_id}", headers=at_home).json()["data"] == []


def test_a_session_is_begun_by_the_query_too(client, owner):
    response = client.post(f"/sessions/create?user_id={make_contact().pk}", headers=owner)
    assert response.json()["success"] is True


def test_a_session_is_begun_for_the_callers_own_id(client, owner):
    contact, _ = contacts.resolve(make_account(), external_id="user123")
    data = post(client, "/sessions/create", {"user_id": "user123"}, headers=owner).json()["data"]
    assert data["user_id"] == "user123"
    assert contacts.find(contact.account, "user123") == sessions.contact_for_token(data["session_token"])


def test_only_a_digest_is_stored(client, owner):
    body = {"user_id": str(make_contact().pk)}
    token = post(client, "/sessions/create", body, headers=owner).json()["data"]["session_token"]
    assert token not in str(SessionToken.objects.values().get())


def test_the_answer_is_kept_by_nobody(client, owner):
    response = post(client, "/sessions/create", {"user_id": str(make_contact().pk)}, headers=owner)
    assert response.headers["Cache-Control"] == "no-store"


def test_the_setting_says_how_long_a_session_lasts(settings):
    settings.CHAT_SESSION_HOURS = 2
    session, _token = sessions.begin(make_contact())
    assert session.expires_at - session.created_at == timedelta(hours=2)


def test_a_new_session_leaves_the_others_alone():
    contact, first = begun()
    begun(contact)
    assert sessions.contact_for_token(first) == contact


@pytest.mark.parametrize(
    "body", [{}, {"user_id": ""}, {"user_id": None}, {"user_id": []}, {"user_id": "x" * 999}]
)
def test_a_session_needs_a_user_id(client, owner, body):
    response = post(client, "/sessions/create", body, headers=owner)
    assert (response.status_code, response.json()["error"]["field"]) == (400, "user_id")


def test_a_session_of_an_unknown_user_is_not_begun(client, owner):
    error = post(client, "/sessions/create", {"user_id": "nobody"}, headers=owner).json()["error"]
    assert (error["code"], error["details"]) == ("NOT_FOUND", "User with ID 'nobody' does not exist")


def test_a_deactivated_user_begins_no_session(client, owner):
    contact, token = begun()
    contacts.deactivate(contact)
    assert sessions.contact_for_token(token) is None
    assert post(client, "/sessions/create", {"user_id": str(contact.pk)}, headers=owner).status_code == 403


def test_nobody_begins_a_session_without_a_key_or_with_a_session_alone(client):
    contact, token = begun()
    body = {"user_id": str(contact.pk)}
    assert post(client, "/sessions/create", body).status_code == 401
    assert post(client, "/sessions/create", body, headers=with_session(token)).status_code == 401


def test_a_good_token_is_valid_by_itself_and_for_the_account(client, owner):
    contact, token = begun()
    for headers in ({}, owner):
        data = client.get(f"/sessions/validate/{token}", headers=headers).json()["data"]
        assert data["valid"] is True
        assert data["user_id"] == str(contact.pk)
        assert {"session_id", "expires_at"} <= set(data)


def test_a_bad_token_is_not_valid(client, owner):
    body = client.get("/sessions/validate/nothing", headers=owner).json()
    assert (body["success"], body["data"]) == (False, {"valid": False})
    assert client.get("/sessions/validate/nothing").status_code == 401


def test_a_stranger_learns_nothing_of_a_token(client, stranger):
    _contact, token = begun()
    assert client.get(f"/sessions/validate/{token}", headers=stranger).json()["data"] == {"valid": False}
    assert post(client, f"/sessions/revoke/{token}", headers=stranger).json()["data"] == {"revoked": False}
    assert post(client, f"/sessions/extend/{token}", headers=stranger).json()["data"] == {"extended": False}


def test_a_revoked_token_is_refused_at_once(client, owner):
    contact, token = begun()
    assert post(client, f"/sessions/revoke/{token}").json()["data"] == {"revoked": True}
    assert sessions.contact_for_token(token) is None
    assert client.get(f"/crm/users/{contact.pk}", headers=with_session(token)).status_code == 401


def test_a_session_is_revoked_by_the_id_that_lists_show(client, owner):
    contact, token = begun()
    listed = client.get(f"/sessions/user/{contact.pk}", headers=owner).json()["data"]["sessions"]
    assert post(client, f"/sessions/revoke/{listed[0]['id']}", headers=owner).json()["success"] is True
    assert sessions.contact_for_token(token) is None


def test_an_expired_token_is_refused_and_not_revived(client, owner):
    _contact, token = begun()
    SessionToken.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert sessions.contact_for_token(token) is None
    assert post(client, f"/sessions/extend/{token}", headers=owner).json()["success"] is False


def test_a_session_is_prolonged_within_bounds(client, owner):
    _contact, token = begun()
    post(client, f"/sessions/extend/{token}?extend_hours=100", headers=owner)
    left = SessionToken.objects.get().expires_at - timezone.now()
    assert timedelta(hours=99) < left <= timedelta(hours=100)
    assert post(client, f"/sessions/extend/{token}?extend_hours=9999", headers=owner).status_code == 400


def test_no_session_outlives_its_greatest_age():
    session, _token = sessions.begin(make_contact())
    began = timezone.now() - sessions.OLDEST + timedelta(hours=5)
    SessionToken.objects.update(created_at=began)
    session.refresh_from_db()
    SessionToken.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    session.refresh_from_db()
    sessions.extend(session, hours=48)
    assert session.expires_at == began + sessions.OLDEST


def test_a_list_never_shows_tokens(client, owner):
    contact, token = begun()
    response = client.get(f"/sessions/user/{contact.pk}", headers=owner)
    assert response.json()["data"]["total"] == 1
    assert token not in response.content.decode()
    assert "digest" not in response.content.decode()


def test_ended_sessions_are_listed_only_when_asked_for(client, owner):
    contact, token = begun()
    post(client, f"/sessions/revoke/{token}", headers=owner)
    url = f"/sessions/user/{contact.pk}"
    assert client.get(url, headers=owner).json()["data"]["sessions"] == []
    (listed,) = client.get(f"{url}?active_only=false", headers=owner).json()["data"]["sessions"]
    assert listed["is_active"] is False


def test_a_stranger_does_not_list_sessions(client, stranger):
    contact, _token = begun()
    assert client.get(f"/sessions/user/{contact.pk}", headers=stranger).status_code == 404


@pytest.mark.parametrize("header", ["X-Session-Token", "Authorization"])
def test_a_chat_user_reads_their_own_and_nobody_elses(client, header):
    contact, token = begun()
    other = make_contact()
    make_conversation(other)
    headers = {header: token if header == "X-Session-Token" else f"Bearer {token}"}
    for path in ("/crm/users/{}", "/crm/users/{}/stats", "/crm/conversations/{}", "/sessions/user/{}"):
        assert client.get(path.format(contact.pk), headers=headers).status_code == 200
        assert client.get(path.format(other.pk), headers=headers).status_code == 404


def test_a_token_in_the_json_body_is_accepted(client):
    contact, token = begun()
    make_conversation(contact)
    body = {"session_token": token, "reset_type": "conversation"}
    assert post(client, "/reset", body).json()["affected_records"] == 1


def test_a_chat_user_does_nothing_that_is_for_integrations(client):
    contact, token = begun()
    headers = with_session(token)
    assert client.get("/crm/users", headers=headers).status_code == 401
    assert client.delete(f"/crm/users/{contact.pk}", headers=headers).status_code == 401
    assert client.put(f"/crm/update_user/{contact.pk}", headers=headers).status_code == 401
    assert client.get("/api/v1/contacts", headers=bearer(token)).status_code == 401


@pytest.mark.parametrize("token", ["x", "x" * 500, "rk_nothing", "%00", "ü", "\ud800", None, 7])
def test_what_is_no_token_speaks_for_nobody(token):
    assert sessions.contact_for_token(token) is None


def test_a_token_is_good_in_its_account_alone():
    contact, token = begun()
    assert sessions.contact_for_token(token, account=contact.account) == contact
    assert sessions.contact_for_token(token, account=make_account("other")) is None


def test_the_sweep_removes_what_ended_long_ago():
    begun()
    SessionToken.objects.update(expires_at=timezone.now() - sessions.KEPT_AFTER_END - timedelta(minutes=1))
    begun()
    assert (sessions.sweep_ended(), SessionToken.objects.count()) == (1, 1)


@pytest.mark.parametrize("verb", ["validate", "extend", "revoke"])
def test_tokens_in_paths_are_not_logged(verb):
    _contact, token = begun()
    assert token not in redact(f"GET /sessions/{verb}/{token} 200")


def test_checking_a_token_costs_one_query(django_assert_num_queries):
    _contact, token = begun()
    with django_assert_num_queries(1):
        caller = sessions.caller_for_token(token)
        assert caller.account.slug
        assert caller.contact.name
