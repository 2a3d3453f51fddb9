import json

import pytest

from config.api.families import CALLER, CRM, MARKETING, PERSONA, WEBHOOK, family_of

pytestmark = pytest.mark.urls("config.api.tests.tiny_site")

PREFIXES = {
    "crm": "/api/v1/contacts",
    "webhook": "/api/v1/conversations",
    "marketing": "/emails",
    "persona": "/api/v1/chat",
    "caller": "/conversations",
}


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/", CRM),
        ("/chat", CRM),
        ("/api/v1/chats", CRM),
        ("/analyticsfoo", CRM),
        ("/api/v1/webhook/conversation", WEBHOOK),
        ("/api/v1/conversations/abc", WEBHOOK),
        ("/chat/send", MARKETING),
        ("/email-threads/x", MARKETING),
        ("/interview/start", MARKETING),
        ("/api/v1/chat/conversations", PERSONA),
        ("/api/v1/influencers", PERSONA),
        ("/conversations", CALLER),
        ("/twilio-webhook", CALLER),
    ],
)
def test_a_path_belongs_to_the_family_of_its_longest_prefix(path, family):
    assert family_of(path) is family


@pytest.mark.parametrize("prefix", PREFIXES.values())
@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("missing", 404),
        ("conflict", 409),
        ("denied", 403),
        ("throttled", 429),
        ("database", 503),
        ("bug", 500),
    ],
)
def test_every_error_body_has_a_short_text_detail(client, prefix, kind, status):
    response = client.get(f"{prefix}/raise/{kind}")
    assert response.status_code == status
    assert 0 < len(response.json()["detail"]) < 200
    assert "secret-in-a-traceback" not in response.content.decode()


def test_the_crm_form_carries_code_details_field_and_metadata(client):
    body = client.post("/api/v1/contacts/check", {"email": ""}, content_type="application/json").json()
    assert body["success"] is False
    assert body["error"]["code"] == "VALIDATION_ERROR"
    assert body["error"]["field"] == "email"
    assert body["error"]["details"] == "This field may not be blank."
    assert body["error"]["fields"] == {"email": ["This field may not be blank."]}
    assert body["detail"] == "email: This field may not be blank."
    assert {"response_time", "timestamp", "request_id"} <= body["metadata"].keys()


def test_a_field_inside_a_list_is_named_by_its_way(client):
    order = {"email": "a@example.com", "items": [{"text": "x"}, {}]}
    response = client.post("/api/v1/contacts/check", order, content_type="application/json")
    assert response.json()["error"]["field"] == "items.1.text"


def test_the_marketing_form_is_422_with_places_from_the_body(client):
    response = client.post("/emails/check", {}, content_type="application/json")
    assert response.status_code == 422
    assert response.json()["errors"] == [
        {"type": "missing", "loc": ["body", "email"], "msg": "This field is required.", "input": None}
    ]
    assert response.json()["detail"] == "email: This field is required."


def test_the_webhook_form_is_400_with_its_own_codes(client):
    invalid = client.post("/api/v1/webhook/check", {}, content_type="application/json")
    assert invalid.status_code == 400
    assert invalid.json()["error"]["details"] == {"email": ["This field is required."]}
    missing = client.get("/api/v1/conversations/raise/missing").json()
    assert missing["error"]["code"] == "CONVERSATION_NOT_FOUND"


def test_the_persona_form_is_snake_case_and_422(client):
    invalid = client.post("/api/v1/chat/check", {}, content_type="application/json")
    assert invalid.status_code == 422
    assert invalid.json()["error"] == "validation_error"
    assert invalid.json()["details"]["errors"][0]["loc"] == ["body", "email"]
    assert client.get("/api/v1/chat/raise/missing").json()["error"] == "not_found"
    assert client.get("/api/v1/chat/raise/bug").json()["error"] == "internal_server_error"


def test_the_caller_form_keeps_its_keys_and_extras_at_the_top(client):
    body = client.get("/conversations/raise/extra").json()
    assert (body["status"], body["error_code"], body["attempts"]) == ("error", "CALL_LIMIT", 3)
    assert body["message"] == body["error"] == body["detail"] == "No more calls."


@pytest.mark.parametrize(("name", "prefix"), PREFIXES.items())
def test_an_unknown_path_has_the_body_of_its_family(client, name, prefix):
    response = client.get(f"{prefix}/no/such/thing")
    assert response.status_code == 404
    assert response.json()["detail"] == "There is nothing at this address."
    assert family_of(prefix).name == name


def test_a_wrong_method_names_the_right_ones(client):
    response = client.delete("/api/v1/guarded", headers={"Authorization": "Bearer x"})
    assert response.status_code == 401
    response = client.delete("/emails/check")
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST, OPTIONS"


def test_an_unknown_media_type_is_415(client):
    response = client.post("/emails/check", "<x/>", content_type="application/xml")
    assert response.status_code == 415


def test_429_says_when_to_come_back(client):
    assert client.get("/emails/raise/throttled").headers["Retry-After"] == "7"


def test_a_missing_key_is_401_with_a_challenge(client):
    response = client.get("/api/v1/guarded")
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "UNAUTHORIZED"


@pytest.mark.parametrize("where", ["/emails/raise", "/plain", "/plain-async", "/async"])
def test_a_database_that_is_away_is_503_with_retry_after(client, where):
    response = client.get(f"{where}/database")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "secret" not in response.content.decode()


async def test_the_async_side_knows_that_the_database_is_away_too(async_client):
    for where in ("/plain", "/plain-async", "/async"):
        response = await async_client.get(f"{where}/database")
        assert response.status_code == 503


@pytest.mark.parametrize("where", ["/plain", "/plain-async", "/async"])
@pytest.mark.parametrize(
    ("kind", "status"), [("bug", 500), ("http404", 404), ("denied", 403), ("suspicious", 400), ("data", 400)]
)
def test_plain_views_answer_with_the_same_bodies(client, where, kind, status):
    response = client.get(f"{where}/{kind}")
    assert response.status_code == status
    assert response.json()["success"] is False
    assert "secret-in-a-traceback" not in response.content.decode()


def test_a_browser_gets_a_calm_page_instead(client):
    response = client.get("/nothing", headers={"Accept": "text/html,*/*;q=0.8"})
    assert response.status_code == 404
    assert "<h1>Page not found</h1>" in response.content.decode()
    assert "/static/errors.css" in response.content.decode()


def test_the_page_of_a_500_needs_no_database_and_tells_nothing(client):
    response = client.get("/plain/bug", headers={"Accept": "text/html"})
    assert response.status_code == 500
    assert "secret-in-a-traceback" not in response.content.decode()


def test_api_paths_answer_browsers_with_json_too(client):
    response = client.get("/api/v1/nothing", headers={"Accept": "text/html"})
    assert response.headers["Content-Type"] == "application/json"


def test_a_form_without_its_token_is_403_in_the_right_form():
    from django.test import Client

    response = Client(enforce_csrf_checks=True).post("/form", {})
    assert response.status_code == 403
    assert "Reload the page" in response.json()["detail"]


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe{}",
        b'{"email": "\\u0000"}',
        b'{"email": "\\ud800"}',
        b'{"email": 1' + b"0" * 5000 + b"}",
        b'{"email": NaN}',
        b'{"email": 9223372036854775808}',
        b"[]",
        b'"text"',
        b"null",
        DEEP.encode(),
        ('{"a":' * 50_000 + "1" + "}" * 50_000).encode(),
        '{"email": "a@example.com"}'.encode("utf-16"),
    ],
)
def test_a_broken_body_is_the_callers_mistake(client, body):
    assert client.post("/api/v1/contacts/check", body, content_type="application/json").status_code == 400
    assert client.post("/api/v1/chat/check", body, content_type="application/json").status_code == 422


def test_a_backslash_before_u0000_is_only_text(client):
    order = {"email": "a@example.com", "items": [{"text": "write \\u0000 in C, ü and 😀"}]}
    response = client.post("/api/v1/contacts/check", json.dumps(order), content_type="application/json")
    assert response.status_code == 201
    assert response.json()["data"]["items"][0]["text"] == "write \\u0000 in C, ü and 😀"


def test_a_body_over_the_limit_is_413(client, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    body = json.dumps({"email": "a" * 200})
    response = client.post("/api/v1/contacts/check", body, content_type="application/json")
    assert response.status_code == 413
    assert response.json()["error"]["code"] == "PAYLOAD_TOO_LARGE"


def test_nul_in_an_address_is_400(client):
    assert client.get("/api/v1/public?search=%00").status_code == 400
    assert client.get("/api/v1/%00").status_code == 400
