"""Many requests that wait for a model, without a thread for each."""

import asyncio
import threading

import pytest
from asgiref.sync import SyncToAsync
from django.conf import settings as site_settings
from django.contrib.sessions.models import Session
from django.http import JsonResponse
from django.urls import path

from config.system.waiting_http import WaitingHttp


class Gate:
    """Of one test: an event belongs to the loop that waited for it first."""

    release = asyncio.Event()
    left = asyncio.Event()


async def waits(request):
    try:
        await Gate.release.wait()
    except asyncio.CancelledError:
        Gate.left.set()
        raise
    return JsonResponse({"is_static": False})


def plain(request):
    return JsonResponse({"is_static": False})


async def remembers(request):
    request.session["seen"] = 1
    return JsonResponse({})


async def fails(request):
    raise ValueError("secret-in-a-traceback")


urlpatterns = [path("waits", waits), path("plain", plain), path("remembers", remembers), path("fails", fails)]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = __name__
    Gate.release, Gate.left = asyncio.Event(), asyncio.Event()
    ours = "config.api.static_files.StaticFilesMiddleware"
    settings.MIDDLEWARE = [ours if "whitenoise" in name else name for name in settings.MIDDLEWARE]
    return WaitingHttp()


async def answered(site, address="/waits", *, kind="http", gone=None):
    """What the server was told to send."""
    sent, asked = [], []

    async def receive():
        if not asked:
            asked.append(True)
            return {"type": "http.request", "body": b"", "more_body": False}
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"testserver")]
    scope = {
        "type": kind, "method": "GET", "path": address, "raw_path": address.encode(), "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("testserver", 80), "scheme": "http",
    }  # fmt: skip
    await site(scope, receive, send)
    return sent


async def ask(site, address="/waits", kind="http"):
    return (await answered(site, address, kind=kind))[0]["status"]


async def test_requests_that_wait_share_one_thread(site):
    before = threading.active_count()
    waiting = [asyncio.create_task(ask(site)) for _request in range(60)]
    await asyncio.sleep(0.5)
    held = threading.active_count() - before
    Gate.release.set()
    assert await asyncio.gather(*waiting) == [200] * 60
    assert held <= 2


async def test_no_middleware_and_no_signal_takes_a_request_to_a_thread(site, monkeypatch):
    Gate.release.set()
    taken, before = [], SyncToAsync.__call__

    def noted(self, *args, **kwargs):
        taken.append(self.func)
        return before(self, *args, **kwargs)

    monkeypatch.setattr(SyncToAsync, "__call__", noted)
    assert await ask(site) == 200
    assert taken == []


async def test_the_headers_are_those_that_other_requests_get(site, client):
    Gate.release.set()
    start = (await answered(site))[0]
    ours = {name.decode().title() for name, _value in start["headers"]}
    theirs = {name.title() for name in (await asyncio.to_thread(client.get, "/plain")).headers}
    assert ours == theirs


@pytest.mark.django_db(transaction=True)
async def test_a_session_that_a_view_changed_is_kept(site):
    start = (await answered(site, "/remembers"))[0]
    cookies = [value.decode() for name, value in start["headers"] if name == b"Set-Cookie"]
    assert any(cookie.startswith(site_settings.SESSION_COOKIE_NAME) for cookie in cookies)
    assert (await asyncio.to_thread(Session.objects.get)).get_decoded() == {"seen": 1}


async def test_a_view_is_cancelled_when_its_client_leaves(site):
    gone = asyncio.Event()
    asking = asyncio.create_task(answered(site, gone=gone))
    await asyncio.sleep(0.05)
    gone.set()
    assert await asyncio.wait_for(asking, 5) == []
    assert Gate.left.is_set()


async def test_a_view_that_fails_answers_500(site):
    assert await ask(site, "/fails") == 500


async def test_what_is_not_there_is_404(site):
    assert await ask(site, "/nothing") == 404


async def test_only_http_is_answered(site):
    with pytest.raises(ValueError, match="websocket"):
        await ask(site, kind="websocket")
