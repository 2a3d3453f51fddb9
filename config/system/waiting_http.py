"""Django's async side for views that wait for a model: hundreds at once, without a thread for each."""

import asyncio
from contextlib import suppress
from functools import partial
from typing import Any, cast

from asgiref.sync import markcoroutinefunction
from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import set_script_prefix
from django.utils.deprecation import MiddlewareMixin

from config.api.threads import in_database
from config.system.known_paths import KnownPaths

# Most answers are there by then, and need nobody who watches whether their client leaves.
UNWATCHED_SECONDS = 0.1


class WaitingHttp(KnownPaths, ASGIHandler):
    """Django's own handler takes a request to a thread and back for nearly every middleware, twice, and for
    its signals: some twenty hops, each of which waits for the interpreter while chats stream. What they do
    there takes microseconds and touches no database, so here it is done in place. Whatever takes longer
    belongs on the pool of config.api.threads.
    """

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Only HTTP is answered here, not {scope['type']}.")
        await self.handle(scope, receive, send)

    # --- the chain of middlewares ---------------------------------------------------------------
    def adapt_method_mode(
        self,
        is_async: bool,
        method: Any,
        method_is_async: bool | None = None,
        debug: bool = False,
        name: str | None = None,
    ) -> Any:
        """Django brings each middleware and each of its hooks by here while it builds the chain."""
        middleware = getattr(method, "__wrapped__", None)
        if isinstance(middleware, MiddlewareMixin):
            middleware.__acall__ = partial(_answered_by, middleware)  # type: ignore[method-assign]
        elif is_async and getattr(method, "__name__", "") == "process_view":
            return _in_place(method)
        return super().adapt_method_mode(is_async, method, method_is_async, debug, name)

    # --- one request ----------------------------------------------------------------------------
    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Django's, without its signals: their receivers look after a thread's database connections, and on
        the event loop there are none.
        """
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with body:
            set_script_prefix(get_script_prefix(scope))
            request, refusal = self.create_request(scope, body)
            if request is None:
                await self.send_response(refusal, send)  # type: ignore[arg-type]  # then there is one
                return
            await self._answer_unless_left(request, receive, send)

    async def _answer_unless_left(self, request: HttpRequest, receive: Any, send: Any) -> None:
        """The view is cancelled when its client leaves."""
        answering = asyncio.create_task(self._answer(request, send))
        try:
            await asyncio.wait({answering}, timeout=UNWATCHED_SECONDS)
            if not answering.done():
                await _done_or_left(answering, receive)
        finally:
            if not answering.done():
                answering.cancel()
        with suppress(asyncio.CancelledError):
            await answering

    async def _answer(self, request: HttpRequest, send: Any) -> None:
        response = await self.run_get_response(request)
        try:
            await self.send_response(response, send)
        finally:
            _close(response)


async def _done_or_left(answering: "asyncio.Task[None]", receive: Any) -> None:
    leaving = asyncio.create_task(receive())
    try:
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()


def _close(response: Any) -> None:
    """Its own `close`, without the signal: see `WaitingHttp.handle`."""
    for close in response._resource_closers:
        with suppress(Exception):
            close()
    response._resource_closers.clear()
    response.closed = True


async def _answered_by(middleware: Any, request: HttpRequest) -> HttpResponseBase:
    """MiddlewareMixin's own way through a middleware, without a thread for either half."""
    response: Any = None
    if hasattr(middleware, "process_request"):
        response = middleware.process_request(request)
    if response is None:
        response = await middleware.get_response(request)
    if not hasattr(middleware, "process_response"):
        return cast(HttpResponseBase, response)
    if isinstance(middleware, SessionMiddleware) and _will_be_saved(request):
        return await in_database(middleware.process_response, request, response)
    answer: HttpResponseBase = middleware.process_response(request, response)
    return answer


def _will_be_saved(request: HttpRequest) -> bool:
    session = getattr(request, "session", None)
    return session is not None and (session.modified or settings.SESSION_SAVE_EVERY_REQUEST)


def _in_place(hook: Any) -> Any:
    async def called(*args: Any, **kwargs: Any) -> Any:
        return hook(*args, **kwargs)

    return markcoroutinefunction(called)
