"""What keeps other web pages and hosts away, and what our own pages may do in a browser."""

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from csp.utils import build_policy
from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from config.api.addresses import is_loopback
from config.api.failures import Failure
from config.api.handler import answer

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
# Unfold's Alpine evaluates expressions in attributes and sets inline styles: the admin alone may.
ADMIN_DIRECTIVES = {"script-src": ["'unsafe-eval'"], "style-src": ["'unsafe-inline'"]}
PERMISSIONS_POLICY = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), "
    "microphone=(self), midi=(), payment=(), usb=()"
)
# What django-csp's decorators leave on a response that needs a policy of its own.
OWN_POLICY = ("_csp_config", "_csp_update", "_csp_replace", "_csp_exempt")

View = Callable[..., Any]


class _PlainMiddleware:
    """A middleware that only looks: `before` may answer in the view's place, `after` may add headers.

    It runs in the caller's own context, sync or async. MiddlewareMixin would send each call of an
    async request through a thread.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def before(self, request: HttpRequest) -> HttpResponse | None:
        return None

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        return response

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._answer_async(request)
        return self.after(request, self.before(request) or self.get_response(request))

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        return self.after(request, self.before(request) or await self.get_response(request))


class DemoGuardMiddleware(_PlainMiddleware):
    """In demo mode callers need no credential, so only this machine's own programs and pages may call."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if settings.RAPPORT_ENV != "demo":
            raise MiddlewareNotUsed
        super().__init__(get_response)

    def before(self, request: HttpRequest) -> HttpResponse | None:
        reason = demo_refusal(request.META)
        return answer(request, Failure(403, "FORBIDDEN", reason)) if reason else None


def demo_refusal(meta: Mapping[str, Any]) -> str:
    """Why a request may not reach the demo; empty when it may."""
    if not is_loopback(meta.get("REMOTE_ADDR") or ""):
        return "The demo answers only this machine. Set RAPPORT_ENV=production to serve others."
    if host_name(meta.get("HTTP_HOST", "")) not in LOOPBACK_NAMES:
        return "The demo answers only to the names localhost and 127.0.0.1."
    if not is_own_origin(meta):
        return "The demo does not answer other web pages. List them in CORS_ALLOWED_ORIGINS."
    return ""


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty when it is not one."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def is_own_origin(meta: Mapping[str, Any]) -> bool:
    """True for our own pages, listed origins, and programs, which send neither header.

    A link followed from elsewhere is a navigation and carries no Origin; an image or script of
    another page carries none either, but says so in Sec-Fetch-Site.
    """
    origin = meta.get("HTTP_ORIGIN")
    if origin is not None:
        own = f"{meta.get('wsgi.url_scheme', 'http')}://{meta.get('HTTP_HOST', '')}"
        return origin == own or origin in settings.CORS_ALLOWED_ORIGINS
    foreign = meta.get("HTTP_SEC_FETCH_SITE") == "cross-site"
    return not foreign or meta.get("HTTP_SEC_FETCH_MODE") == "navigate"


class BrowserPolicyMiddleware(_PlainMiddleware):
    """Content-Security-Policy and Permissions-Policy on every response, both made once at start.

    Also keeps JSON, which is somebody's data unless its view says otherwise, out of every cache, and
    refuses NUL in an address: PostgreSQL cannot store or compare it, and nobody means it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        self.policy = build_policy()
        self.admin_policy = build_policy(update=ADMIN_DIRECTIVES)

    def before(self, request: HttpRequest) -> HttpResponse | None:
        if "\0" not in request.path_info and "%00" not in request.META.get("QUERY_STRING", ""):
            return None
        message = "An address cannot hold the character NUL."
        return answer(request, Failure(400, "VALIDATION_ERROR", message, is_input=True))

    def after(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers.setdefault("Permissions-Policy", PERMISSIONS_POLICY)
        if response.headers.get("Content-Type", "").startswith("application/json"):
            response.headers.setdefault("Cache-Control", "no-store")
        if "Content-Security-Policy" not in response.headers and (
            policy := self._policy_of(request, response)
        ):
            response.headers["Content-Security-Policy"] = policy
        return response

    def _policy_of(self, request: HttpRequest, response: HttpResponseBase) -> str:
        own = {name: getattr(response, name) for name in OWN_POLICY if hasattr(response, name)}
        if not own:
            return self.admin_policy if request.path_info.startswith("/admin/") else self.policy
        if own.get("_csp_exempt"):
            return ""
        return build_policy(own.get("_csp_config"), own.get("_csp_update"), own.get("_csp_replace"))


def mark_private(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def capability_page(view: View) -> View:
    """For a page whose address or cookie is the credential: nobody keeps it, no other site learns of it."""
    if iscoroutinefunction(view):

        @wraps(view)
        async def answer_async(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            return mark_private(await view(request, *args, **kwargs))

        return answer_async

    @wraps(view)
    def answer_sync(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return mark_private(view(request, *args, **kwargs))

    return answer_sync
