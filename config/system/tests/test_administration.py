"""GET /admin/health/detailed, /admin/settings and /admin/overview: facts, and no secret."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from config.system import administration, health, heartbeats
from config.system.models import Heartbeat, ProviderProbe, RequestFigure
from tests.factories import bearer, make_account, make_key

pytestmark = pytest.mark.django_db

HEALTH, SETTINGS, OVERVIEW = "/admin/health/detailed", "/admin/settings", "/admin/overview"
SECRET = "sk-this-must-never-be-seen-anywhere"


def workers_beat():
    for part in health.WORKERS:
        heartbeats.beat(part)


@pytest.fixture
def key():
    return bearer(make_key(make_account("acme"), scopes=["admin"]))


@pytest.fixture
def openai(settings):
    """An installation with a model, as far as its settings say."""
    entry = {**settings.PROVIDERS["openai"], "API_KEY": SECRET, "BASE_URL": "http://user:pass@127.0.0.1:9/v1"}
    settings.PROVIDERS = {**settings.PROVIDERS, "openai": entry}
    settings.DEFAULT_PROVIDER_CHAIN = ["openai", "offline"]


def data(client, path, key):
    response = client.get(path, headers=key)
    assert response.status_code == 200
    return response.json()["data"]


def test_health_has_the_documented_shape(client, key):
    workers_beat()
    found = data(client, HEALTH, key)
    assert {"status", "timestamp", "uptime", "version", "components"} == set(found)
    parts = found["components"]
    assert {"database", "vector_db", "openai_api", "memory_usage", "disk_space"} <= set(parts)
    for name in ("database", "vector_db", "openai_api"):
        assert {"status", "response_time", "details"} <= set(parts[name])
    for name in ("memory_usage", "disk_space"):
        assert {"status", "used", "total", "percentage"} == set(parts[name])
    assert parts["memory_usage"]["used"].endswith(" MB")
    assert parts["disk_space"]["total"].endswith(" GB")
    assert 0 <= parts["disk_space"]["percentage"] <= 100
    assert parts["database"]["response_time"] >= 0


def test_without_a_model_the_installation_may_still_be_well(client, key, monkeypatch):
    monkeypatch.setattr(administration, "memory", lambda: administration.Share(1, 4))
    monkeypatch.setattr(administration, "disk", lambda: administration.Share(1, 4))
    workers_beat()
    found = data(client, HEALTH, key)
    assert found["components"]["openai_api"]["status"] == "not_configured"
    assert found["status"] == "healthy"


def test_a_full_disk_degrades_it(client, key, monkeypatch):
    monkeypatch.setattr(administration, "disk", lambda: administration.Share(95, 100))
    workers_beat()
    found = data(client, HEALTH, key)
    assert (found["status"], found["components"]["disk_space"]["status"]) == ("degraded", "degraded")


def test_strangers_learn_only_whether_all_is_well(client):
    response = client.get(HEALTH)
    assert response.status_code == 200
    assert set(response.json()["data"]) == {"status", "timestamp"}


def test_a_key_without_the_scope_learns_no_more_than_a_stranger(client):
    key = bearer(make_key(make_account("acme"), scopes=["analytics"]))
    assert set(data(client, HEALTH, key)) == {"status", "timestamp"}


def test_a_wrong_key_is_refused(client):
    assert client.get(HEALTH, headers=bearer("rk_" + "x" * 43)).status_code == 401


def test_without_a_database_it_answers_503(client, monkeypatch):
    monkeypatch.setattr(health, "database_answers", lambda: False)
    response = client.get(HEALTH)
    assert (response.status_code, response.json()["data"]["status"]) == (503, "unhealthy")


def test_the_provider_is_told_from_the_last_look(client, key, openai):
    ProviderProbe.objects.create(provider="openai", is_reachable=True, milliseconds=120, detail="answers")
    part = data(client, HEALTH, key)["components"]["openai_api"]
    assert (part["status"], part["response_time"], part["details"]) == ("healthy", 0.12, "openai answers")
    assert part["checked_at"].endswith("Z")


def test_a_provider_that_does_not_answer_degrades_it(client, key, openai):
    workers_beat()
    ProviderProbe.objects.create(provider="openai", is_reachable=False, detail="does not answer (gaierror)")
    found = data(client, HEALTH, key)
    assert (found["status"], found["components"]["openai_api"]["status"]) == ("degraded", "unhealthy")


def test_an_old_look_says_nothing(client, key, openai):
    long_ago = timezone.now() - timedelta(minutes=10)
    ProviderProbe.objects.create(provider="openai", is_reachable=True, milliseconds=1, at=long_ago)
    assert data(client, HEALTH, key)["components"]["openai_api"]["status"] == "degraded"


@pytest.mark.parametrize("path", [HEALTH, SETTINGS, OVERVIEW])
def test_no_secret_is_in_any_answer(client, key, openai, settings, path):
    settings.SECRET_KEY = SECRET
    ProviderProbe.objects.create(provider="openai", is_reachable=True, milliseconds=120, detail="answers")
    text = client.get(path, headers=key).content.decode()
    for secret in (SECRET, "user:pass", settings.REDIS_URL, str(settings.DATA_DIR)):
        assert secret not in text


def test_settings_are_those_it_runs_with(client, key, openai):
    found = data(client, SETTINGS, key)
    assert set(found["api_config"]) == {"host", "port", "debug"}
    assert found["ai_config"]["model"] == "gpt-4o-mini"
    assert found["ai_config"]["api_key_configured"] is True
    assert {"model", "temperature", "max_tokens"} <= set(found["ai_config"])
    assert {"chunk_size", "chunk_overlap", "max_retrieval_docs"} <= set(found["rag_config"])
    assert set(found["system_info"]) == {"version", "python_version", "start_time"}
    assert found["database_config"]["url"].endswith("://***")
    assert found["security_config"]["secret_key_configured"] is True


@pytest.mark.parametrize("method", ["put", "post", "patch", "delete"])
def test_settings_cannot_be_changed_over_http(client, key, method):
    response = getattr(client, method)(SETTINGS, headers=key, content_type="application/json")
    assert response.status_code == 405
    assert "environment" in response.json()["error"]["message"]


@pytest.mark.parametrize("path", [SETTINGS, OVERVIEW])
def test_strangers_and_weaker_keys_see_nothing(client, path):
    assert client.get(path).status_code == 401
    weak = bearer(make_key(make_account("acme"), scopes=["analytics"]))
    assert client.get(path, headers=weak).status_code == 403


@pytest.mark.parametrize("path", [HEALTH, SETTINGS, OVERVIEW])
def test_operators_see_it_with_their_session(client, path):
    client.force_login(User.objects.create_superuser("operator"))
    assert client.get(path).status_code == 200


def test_djangos_own_admin_goes_on_beside_them(client):
    client.force_login(User.objects.create_superuser("operator"))
    assert client.get("/admin/").status_code == 200
    assert client.get("/admin/auth/user/").status_code == 200


def test_the_overview_tells_real_errors(client, key):
    minute = timezone.now().replace(second=0, microsecond=0)
    RequestFigure.objects.create(minute=minute, requests=9, errors=2)
    RequestFigure.objects.create(minute=minute - timedelta(minutes=1), requests=9)
    found = data(client, OVERVIEW, key)
    assert [(one["errors"], one["requests"]) for one in found["recent_errors"]] == [(2, 9)]
    assert found["system_health"]["database"] == "healthy"
    assert {"cpu_percent", "memory", "disk"} == set(found["resource_usage"])


def test_uptime_is_since_the_oldest_web_process_that_is_alive(client, key):
    Heartbeat.objects.create(
        part="web", instance="a:1", started_at=timezone.now() - timedelta(days=1, hours=2)
    )
    Heartbeat.objects.create(part="web", instance="b:1", started_at=timezone.now() - timedelta(hours=1))
    gone = timezone.now() - timedelta(minutes=5)
    Heartbeat.objects.create(part="web", instance="c:1", started_at=gone - timedelta(days=9), at=gone)
    assert data(client, HEALTH, key)["uptime"] == "1 day, 2 hours, 0 minutes"


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(days=5, hours=12, minutes=30), "5 days, 12 hours, 30 minutes"),
        (timedelta(seconds=59), "0 days, 0 hours, 0 minutes"),
        (timedelta(seconds=-5), "0 days, 0 hours, 0 minutes"),
        (timedelta(hours=25, minutes=1), "1 day, 1 hour, 1 minute"),
    ],
)
def test_uptime_reads_as_documented(span, words):
    assert administration.in_words(span) == words


def test_health_asks_few_questions(client, key, django_assert_max_num_queries):
    client.get(HEALTH, headers=key)
    with django_assert_max_num_queries(6):
        client.get(HEALTH, headers=key)
