"""Plain async views with the API's rules: who calls, how often, and the form of errors.

Model-bound calls live for seconds; as REST framework views each would hold a thread and a database
connection that long.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import DatabaseError, InterfaceError
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    MethodNotAllowed,
    NotAuthenticated,
)
from rest_framework.exceptions import PermissionDenied as ScopeMissing

from config.api.addresses import client_address, ident_of_address
from config.api.authentication import Caller, caller_for_key, demo_caller, presented_key, unusable
from config.api.failures import failure_of
from config.api.gathering import Gathered
from config.api.handler import error_response
from config.api.permissions import HasScope
from config.api.refused_callers import acounted
from config.api.throttling import atake, note_headers

ANSWERABLE = (APIException, Http404, PermissionDenied, SuspiciousOperation, DatabaseError, InterfaceError)

AsyncView = Callable[..., Awaitable[HttpResponseBase]]


async def authenticate(request: HttpRequest, scope: str, **limits: Any) -> Caller:
    """The caller, after one step of its rate limit (`limits` are those of `throttle`).

    Raises APIException: 401 without a usable key, 403 without the scope, 429 or 503 from the limit.
    """
    caller = await _caller(request)
    if not caller.allows(scope):
        raise ScopeMissing(HasScope.message)
    await throttle(request, ident=caller.ident, **limits)
    return caller


async def _caller(request: HttpRequest) -> Caller:
    key = presented_key(request.headers)
    caller = await _known(key) if key or settings.RAPPORT_ENV == "demo" else None
    if caller is None:
        raise challenged(AuthenticationFailed(unusable(key)) if key else NotAuthenticated())
    return caller


def _callers(keys: list[str]) -> list[Caller | None]:
    """Of requests that came at the same time; each key is looked up once. No key is a caller in demo mode."""
    found = {key: caller_for_key(key) if key else demo_caller() for key in set(keys)}
    return [found[key] for key in keys]


_known = Gathered[str, Caller | None](_callers)


def challenged(error: APIException) -> APIException:
    """With the header that REST framework's views add: it tells the program what to send."""
    error.auth_header = "Bearer"  # type: ignore[attr-defined]
    return error


async def throttle(request: HttpRequest, *, ident: str = "", **limits: Any) -> None:
    """One step of the limit of `ident`, else of the client's address. Raises ApiError 429 or 503."""
    allowance = await atake(ident or ident_of_address(client_address(request)), **limits)
    note_headers(allowance)
    if not allowance.allowed:
        raise allowance.refusal()


def async_endpoint(
    *, scope: str | None = None, methods: Sequence[str] = ("GET",)
) -> Callable[[AsyncView], AsyncView]:
    """Makes a plain async view an API endpoint: other methods are 405, errors have the family's body.

    With a scope the view is called as `view(request, caller, …)`, after `authenticate`. Without one
    it is called as `view(request, …)` and does that itself, or is public. Needs no CSRF token: no
    cookie is believed here unless the view reads one.
    """

    def decorate(view: AsyncView) -> AsyncView:
        @csrf_exempt
        @wraps(view)
        async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                if request.method not in methods:
                    raise MethodNotAllowed(str(request.method))
                caller = () if scope is None else (await authenticate(request, scope),)
                return await view(request, *caller, *args, **kwargs)
            except ANSWERABLE as error:
                return _refused(request, await acounted(request, error), methods)

        return answer

    return decorate


def _refused(request: HttpRequest, error: Exception, methods: Sequence[str]) -> HttpResponseBase:
    if failure_of(error) is None:
        raise error
    response = error_response(request, error)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(methods)
    return response
