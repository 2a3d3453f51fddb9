"""What daphne runs: websockets, model-bound calls, and plain HTTP. One rule, `MODEL_BOUND`, decides."""
# ruff: noqa: E402 (Django is set up before anything that needs its models is imported)

import os
import re
import time
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django
from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.urls import re_path

django.setup()  # what follows needs its models

from config.system import figures
from config.system.known_paths import WsgiHandler
from config.system.origins import NoSuchSocket, OurPagesOnly
from config.system.plain_http import PlainHttp
from config.system.waiting_http import WaitingHttp
from crm.routing import BY_TICKET, websocket_urlpatterns
from voice import routing as voice_routing

# Views that wait for a model (they are `async def`) run on the event loop; every other path runs on a
# pool thread the WSGI way, which is about twice as fast. A test holds the views to this list.
UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
MODEL_BOUND = (
    r"/chat",
    rf"/assistant/(?:ask|{UUID}/(?:stop|reply))",
    r"/chat/send",
    r"/chat/(?:interview|agent)/send/stream",
    r"/interview/(?:process|kb-training)",  # waits for workers
    rf"/chat/{UUID}/send",
    r"/api/v1/chat/conversations/[^/]+/(?:messages(?:/[^/]+(?:/regenerate)?)?|stop)",
    r"/api/v1/media/upload",  # waits for a store that may be slow
    r"/personas/[^/]+/(?:say|again|reword|stop|reply)",
    rf"/personas/try-out/{UUID}/say",
    r"/api/v1/knowledge/ask",
    r"/knowledge/ask/stream",
    r"/twilio-process",  # may ask a model what somebody meant
    rf"/voice/console/{UUID}/turn",  # may ask, too
    r"/api/v1/webhook/conversation",  # those who come at the same time are stored together
    r"/upload_docs",  # waits for the readers of what was uploaded
)
# A probe asks whether the process is there: it does not queue for a thread behind those who ask for more.
AT_ONCE = ("/live",)
# What asks how we are is no request of anybody's: while we start, `/ready` says 503 again and again.
PROBES = ("/live", "/ready")
model_bound = re.compile("|".join(f"(?:{pattern})" for pattern in MODEL_BOUND))


class Http:
    """Counts each request but probes, and sends it to the side that its path belongs to."""

    def __init__(self) -> None:
        self.waiting = WaitingHttp()
        self.plain = PlainHttp(WsgiHandler(), threads=settings.WEB_THREADS, at_once=AT_ONCE)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        started, status = time.time(), 500

        async def send_and_note(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        side = self.waiting if model_bound.fullmatch(scope["path"]) else self.plain
        try:
            await side(scope, receive, send_and_note)
        finally:
            now = time.time()
            if scope["path"] not in PROBES:
                figures.count(status=status, milliseconds=(now - started) * 1000, at=now)


SOCKETS = URLRouter(
    [*websocket_urlpatterns, *voice_routing.websocket_urlpatterns, re_path(r"", NoSuchSocket.as_asgi())]
)
WITHOUT_COOKIES = (*BY_TICKET, *voice_routing.BY_SIGNATURE)

application = ProtocolTypeRouter(
    {"http": Http(), "websocket": OurPagesOnly(SOCKETS, by_ticket=WITHOUT_COOKIES)}
)
