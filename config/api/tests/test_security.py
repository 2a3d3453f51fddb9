import pytest
from django.http import HttpResponse
from django.test import AsyncRequestFactory, Client

from config.api.security import DemoGuardMiddleware

pytestmark = pytest.mark.urls("config.api.tests.tiny_site")


@pytest.fixture
def demo(settings):
    settings.RAPPORT_ENV = "demo"
    return Client(headers={"Host": "127.0.0.1:8000"})


def test_the_demo_answers_programs_on_this_machine(demo):
    assert demo.get("/i/page").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "", "[", "localhost@evil.example"]
)
def test_the_demo_refuses_foreign_hosts(demo, host):
    response = demo.get("/i/page", headers={"Host": host})
    assert response.status_code == 403
    assert response.json()["error"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9000", "https://127.0.0.1:8000", ""]
)
def test_the_demo_refuses_foreign_origins(demo, origin):
    assert demo.post("/i/page", headers={"Origin": origin}).status_code == 403


def test_the_demo_takes_its_own_and_listed_origins(demo, settings):
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:3000"]
    for origin in ("http://127.0.0.1:8000", "http://localhost:3000"):
        assert demo.get("/i/page", headers={"Origin": origin}).status_code == 200


@pytest.mark.parametrize("peer", ["192.0.2.1", "10.0.0.1", "", "::2"])
def test_the_demo_refuses_other_machines(demo, peer):
    assert demo.get("/i/page", REMOTE_ADDR=peer).status_code == 403


def test_the_demo_takes_followed_links_but_no_images_of_other_pages(demo):
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    assert demo.get("/i/page", headers=link).status_code == 200
    assert demo.get("/i/page", headers=image).status_code == 403


def test_outside_the_demo_nobody_is_refused_by_it(client):
    assert (
        client.get("/i/page", headers={"Origin": "https://a.example"}, REMOTE_ADDR="192.0.2.1").status_code
        == 200
    )


async def test_the_guard_holds_on_the_async_side_too(settings):
    settings.RAPPORT_ENV = "demo"

    async def view(request):
        return HttpResponse("Hello.")

    guard = DemoGuardMiddleware(view)
    request = AsyncRequestFactory().get("/")
    request.META["HTTP_HOST"] = "localhost:8000"
    assert (await guard(request)).status_code == 200
    request.META["HTTP_ORIGIN"] = "https://evil.example"
    assert (await guard(request)).status_code == 403


def test_pages_may_run_nothing_inline_and_ask_no_other_host(client):
    policy = client.get("/i/page").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "http" not in policy
    assert "script-src 'self'" in policy


def test_the_admin_alone_may_evaluate_and_style_inline(client):
    policy = client.get("/admin/page").headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval'" in policy
    assert "style-src 'self' 'unsafe-inline'" in policy


def test_errors_carry_the_policies_too(client):
    response = client.get("/nothing")
    assert "Content-Security-Policy" in response.headers
    assert "geolocation=()" in response.headers["Permissions-Policy"]


@pytest.mark.django_db
def test_json_is_kept_by_no_cache(client):
    response = client.get("/api/v1/public")
    assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-store")


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_name_that_is_not_ours_is_told_so(client, settings, accept):
    settings.ALLOWED_HOSTS = ["talk.example.com"]
    response = client.get("/nothing", headers={"Host": "other.example.com", "Accept": accept})
    assert response.status_code == 400
    assert "ALLOWED_HOSTS" in response.content.decode()


def test_a_capability_page_is_kept_by_nobody(client):
    for path in ("/i/page", "/i/page-async"):
        response = client.get(path)
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] == "no-store"


async def test_a_capability_page_is_kept_by_nobody_on_the_async_side(async_client):
    for path in ("/i/page", "/i/page-async"):
        response = await async_client.get(path)
        assert response.headers["Referrer-Policy"] == "no-referrer"
