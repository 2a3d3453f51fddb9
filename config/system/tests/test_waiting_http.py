"""Many requests that wait for a model, without a thread for each."""

import asyncio
import threading

import pytest
from django.http import JsonResponse
from django.urls import path

from config.system.waiting_http import WaitingHttp

release = asyncio.Event()


async def waits(request):
    await release.wait()
    return JsonResponse({"is_static": False})


urlpatterns = [path("waits", waits)]


@pytest.fixture
def site(settings):
    settings.ROOT_URLCONF = __name__
    ours = "config.api.static_files.StaticFilesMiddleware"
    settings.MIDDLEWARE = [ours if "whitenoise" in name else name for name in settings.MIDDLEWARE]
    return WaitingHttp()


async def ask(site, address="/waits", kind="http"):
    sent = []

    async def receive():
        if not sent and not receive.asked:
            receive.asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        return None

    receive.asked = False

    async def send(message):
        sent.append(message)

    headers = [(b"host", b"testserver")]
    scope = {
        "type": kind, "method": "GET", "path": address, "raw_path": address.encode(), "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("testserver", 80), "scheme": "http",
    }  # fmt: skip
    await site(scope, receive, send)
    return sent[0]["status"]


async def test_requests_that_wait_share_one_thread(site):
    release.clear()
    before = threading.active_count()
    waiting = [asyncio.create_task(ask(site)) for _request in range(60)]
    await asyncio.sleep(0.5)
    held = threading.active_count() - before
    release.set()
    assert await asyncio.gather(*waiting) == [200] * 60
    assert held <= 2


async def test_what_is_not_there_is_404(site):
    assert await ask(site, "/nothing") == 404


async def test_only_http_is_answered(site):
    with pytest.raises(ValueError, match="websocket"):
        await ask(site, kind="websocket")
