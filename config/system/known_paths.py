"""Which view a path means, remembered: Django tries some three hundred patterns one after another."""

from functools import lru_cache
from typing import Any

from django.core.handlers.base import BaseHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest
from django.urls import ResolverMatch, URLResolver, get_resolver

MOST = 4096  # paths; those asked least recently are forgotten


@lru_cache(maxsize=MOST)
def _match(resolver: URLResolver, path: str) -> ResolverMatch:
    """Raises Resolver404, which is not remembered: there is no end of paths that do not exist."""
    return resolver.resolve(path)


class KnownPaths(BaseHandler):
    """A handler of requests that looks for a path once. No middleware of ours brings patterns of its own."""

    def resolve_request(self, request: HttpRequest) -> Any:
        match = _match(get_resolver(), request.path_info)
        request.resolver_match = match
        return match


class WsgiHandler(KnownPaths, WSGIHandler):
    """What runs the views that are not `async def`."""
