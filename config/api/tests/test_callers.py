from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from config.api.authentication import caller_for_key
from config.api.models import Account, ApiKey
from tests.factories import bearer, make_account, make_key

pytestmark = [pytest.mark.urls("config.api.tests.tiny_site"), pytest.mark.django_db(transaction=True)]


def test_a_key_speaks_for_its_account(client):
    key = make_key(make_account("acme"))
    for headers in (bearer(key), {"X-API-Key": key}, {"Authorization": f"bearer  {key}"}):
        assert client.get("/api/v1/guarded", headers=headers).json()["data"] == {"account": "acme"}


def test_only_the_digest_of_a_key_is_stored():
    key = make_key()
    row = ApiKey.objects.get()
    assert key not in str(row.__dict__)
    assert key.startswith(row.hint)


@pytest.mark.parametrize("fields", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now()}])
def test_a_revoked_or_expired_key_is_401(client, fields):
    key = make_key()
    ApiKey.objects.update(**fields)
    assert client.get("/api/v1/guarded", headers=bearer(key)).status_code == 401
    assert client.post("/api/v1/ask", headers=bearer(key)).status_code == 401


@pytest.mark.parametrize("key", ["rk_unknown", "rk_" + "x" * 5000, "sk-other", "\xff\xfe", "rk_\xff"])
def test_an_unknown_key_is_401(client, key):
    assert client.get("/api/v1/guarded", headers=bearer(key)).status_code == 401
    assert client.post("/api/v1/ask", headers=bearer(key)).status_code == 401


def test_a_key_without_the_scope_is_403(client):
    key = make_key(scopes=["others"])
    assert client.get("/api/v1/guarded", headers=bearer(key)).status_code == 403
    assert client.post("/api/v1/ask", headers=bearer(key)).status_code == 403


def test_what_looks_like_no_key_of_ours_costs_no_query(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert caller_for_key("eyJhbGciOi") is None


def test_a_key_costs_one_query_and_its_use_is_noted_once_a_minute(django_assert_num_queries):
    key = make_key()
    with django_assert_num_queries(2):
        caller_for_key(key)
    with django_assert_num_queries(1):
        caller_for_key(key)
    ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    with django_assert_num_queries(2):
        caller_for_key(key)


def test_without_a_key_the_demo_lets_in_and_nothing_else_does(client, settings):
    assert client.get("/api/v1/guarded").status_code == 401
    assert client.post("/api/v1/ask").status_code == 401
    settings.RAPPORT_ENV = "demo"
    assert client.get("/api/v1/guarded").json()["data"] == {"account": "default"}
    assert client.post("/api/v1/ask", {}, content_type="application/json").json()["account"] == "default"
    assert Account.objects.filter(slug="default").count() == 1


def test_a_wrong_key_is_refused_also_in_the_demo(client, settings):
    settings.RAPPORT_ENV = "demo"
    client = Client(headers={"Host": "localhost"})
    assert client.get("/api/v1/guarded", headers=bearer("rk_wrong")).status_code == 401
    assert client.post("/api/v1/ask", headers=bearer("rk_wrong")).status_code == 401


class TestAsyncViews:
    async def ask(self, async_client, key="", body=b"{}", **headers):
        headers = {**({"Authorization": f"Bearer {key}"} if key else {}), **headers}
        return await async_client.post("/api/v1/ask", body, content_type="application/json", headers=headers)

    async def test_they_know_the_caller(self, async_client):
        from config.api.threads import in_database

        response = await self.ask(async_client, await in_database(make_key), b'{"question": "Why?"}')
        assert response.json() == {"account": "acme", "asked": {"question": "Why?"}}
        assert response.headers["X-RateLimit-Remaining"]

    async def test_they_refuse_strangers_with_a_challenge(self, async_client):
        response = await self.ask(async_client)
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"] == "Bearer"
        assert response.json()["error"]["code"] == "UNAUTHORIZED"

    async def test_they_keep_the_limit(self, async_client, settings):
        from config.api.threads import in_database

        settings.RATE_LIMIT_PER_MINUTE = 2
        key = await in_database(make_key)
        codes = [(await self.ask(async_client, key)).status_code for _ in range(3)]
        assert codes == [200, 200, 429]

    async def test_they_name_the_right_methods(self, async_client):
        response = await async_client.get("/api/v1/ask")
        assert response.status_code == 405
        assert response.headers["Allow"] == "POST"

    async def test_they_refuse_a_broken_body(self, async_client):
        from config.api.threads import in_database

        key = await in_database(make_key)
        for body in (b"{", b"[]", b'{"a": "\\u0000"}', b"\xff"):
            assert (await self.ask(async_client, key, body)).status_code == 400

    async def test_they_refuse_a_body_over_the_limit(self, async_client, settings):
        from config.api.threads import in_database

        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
        response = await self.ask(async_client, await in_database(make_key), b'{"a": "bbbbbbbb"}')
        assert response.status_code == 413
