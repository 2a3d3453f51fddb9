"""Django's async side for views that wait for a model: hundreds at once, without a thread for each."""

from typing import Any

from django.core.handlers.asgi import ASGIHandler


class WaitingHttp(ASGIHandler):
    """Django's own handler gives each request a thread as soon as anything synchronous runs in it, and nearly
    every middleware does for a microsecond; the thread then idles until the answer, for as long as a model
    takes. Here these microseconds run on one thread that all requests share (asgiref's own for code
    outside a context). Whatever takes longer belongs on the pool of config.api.threads.
    """

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is answered here, not {scope['type']}.")
        await self.handle(scope, receive, send)
