"""Health, as each kind of client asks for it."""

import pytest

from config.system import health, heartbeats
from config.system.models import Heartbeat, ProviderProbe

pytestmark = pytest.mark.django_db


@pytest.fixture
def workers():
    for part in health.WORKERS:
        heartbeats.beat(part)


def test_live_asks_nothing_of_the_database(client, django_assert_num_queries):
    with django_assert_num_queries(0):
        response = client.get("/live")
    assert response.json() == {"status": "alive"}


def test_it_is_ready_when_all_parts_answer(client, workers):
    response = client.get("/ready")
    assert response.status_code == 200
    assert response.json()["parts"] == {"database": "up", "redis": "up", "worker": "up", "mail": "up"}


def test_it_is_not_ready_without_a_worker(client):
    response = client.get("/ready")
    assert response.status_code == 503
    assert response.json()["parts"]["worker"] == "down"


def test_a_worker_that_went_silent_does_not_count(client, workers):
    Heartbeat.objects.update(at="2026-01-01T00:00Z")
    assert client.get("/ready").status_code == 503


@pytest.mark.parametrize(("silent", "other"), [("mail", "worker"), ("worker", "mail")])
def test_one_worker_does_not_stand_for_the_other(client, workers, silent, other):
    Heartbeat.objects.filter(part=silent).update(at="2026-01-01T00:00Z")
    response = client.get("/ready")
    assert (response.status_code, response.json()["parts"][silent]) == (503, "down")
    assert response.json()["parts"][other] == "up"
    assert client.get("/health").json()["services"][silent]["status"] == "down"


@pytest.mark.parametrize(
    ("queues", "parts"),
    [(["mail"], ["mail"]), (["default"], ["worker"]), (["default", "mail"], ["worker", "mail"])],
)
def test_a_worker_of_both_queues_is_both(queues, parts):
    assert heartbeats.parts_of_worker(queues) == parts


def test_it_is_not_ready_without_redis(client, workers, settings):
    settings.REDIS_URL = "unix:///nowhere/redis.sock"
    health.redis_client.cache_clear()
    try:
        response = client.get("/ready")
    finally:
        health.redis_client.cache_clear()
    assert response.status_code == 503
    assert response.json()["parts"]["redis"] == "down"


def test_health_has_exactly_the_three_documented_keys(client, workers):
    body = client.get("/health").json()
    assert set(body) == {"status", "timestamp", "services"}
    assert body["status"] == "healthy"
    assert body["services"]["database"]["latency_ms"] >= 0


def test_health_tells_of_vendors_as_they_were_last_found(client, workers, settings):
    settings.AWS_STORAGE_BUCKET_NAME = "files"
    gemini = {**settings.PROVIDERS["gemini"], "API_KEY": "k"}
    settings.PROVIDERS = {**settings.PROVIDERS, "gemini": gemini}
    ProviderProbe.objects.create(provider="gemini", is_reachable=True, milliseconds=40)
    ProviderProbe.objects.create(provider="s3_storage", is_reachable=False, detail="does not answer")
    body = client.get("/health").json()
    nothing = {"pool_size": None, "pool_free": None}
    assert body["services"]["gemini_api"] == {"status": "up", "latency_ms": 40, "error": None, **nothing}
    store = body["services"]["s3_storage"]
    assert (store["status"], store["error"]) == ("down", "It does not answer.")
    assert body["status"] == "healthy"
    ProviderProbe.objects.update(at="2026-01-01T00:00Z")
    assert client.get("/health").json()["services"]["gemini_api"]["status"] == "degraded"


def test_health_says_which_vendors_are_not_set_up(client, workers, settings):
    settings.AWS_STORAGE_BUCKET_NAME = ""
    assert client.get("/health").json()["services"]["s3_storage"]["error"] == "Not set up."


@pytest.mark.parametrize(("key", "is_set_up"), [("", False), ("k", True)])
def test_a_program_is_told_whether_openai_is_set_up(client, settings, key, is_set_up):
    openai = {**settings.PROVIDERS["openai"], "API_KEY": key, "BASE_URL": ""}
    settings.PROVIDERS = {**settings.PROVIDERS, "openai": openai}
    assert client.get("/").json()["config"]["openai_configured"] is is_set_up


def test_health_is_degraded_without_a_worker_and_still_answers_200(client):
    response = client.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")


def test_the_webhook_clients_get_their_dependencies(client, workers):
    body = client.get("/api/v1/health").json()
    assert body["dependencies"] == {
        "database": "connected",
        "redis": "connected",
        "elevenlabs": "not_configured",
    }
    assert set(body) == {"status", "timestamp", "version", "dependencies"}


def test_health_tolerates_a_key_that_it_does_not_need(client, workers):
    assert client.get("/api/v1/health", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_without_a_database_it_is_unhealthy_with_503():
    found = health.Health(
        (health.Part("database", "down"), health.Part("redis", "up"), health.Part("worker", "down"))
    )
    assert (found.status, found.http_status, found.is_ready) == ("unhealthy", 503, False)


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/api/v1/health", "/"])
def test_a_post_is_refused(client, path):
    assert client.post(path).status_code == 405


def test_a_browser_gets_the_start_page(client, workers):
    response = client.get("/", headers={"Accept": "text/html,application/xhtml+xml"})
    page = response.content.decode()
    assert response.headers["Content-Type"].startswith("text/html")
    assert "Everything answers." in page
    assert "<script" not in page
    assert "style=" not in page


def test_a_program_gets_the_documented_keys(client):
    body = client.get("/", headers={"Accept": "application/json"}).json()
    assert {"service", "message", "version", "status", "docs", "config"} <= set(body)


def test_health_asks_few_questions(client, workers, django_assert_max_num_queries):
    with django_assert_max_num_queries(3):
        client.get("/ready")
