"""Walks the resolver: every pattern of the product, with a made-up address for each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

SAMPLES = {"int": "1", "uuid": "01890000-0000-7000-8000-000000000000", "slug": "x", "str": "x", "path": "x"}
# What a named group of a regular expression stands for, where an x would not match.
GROUPS = {"label": "x+a@example.com"}
ADMIN_CATCH_ALL = "/admin/(?P<url>.*)$"

Known = Mapping[str, str]


@dataclass(frozen=True)
class Address:
    """A pattern as it is written, and a path that matches it."""

    pattern: str
    path: str
    callback: object


def sample(route: str, known: Known, before: str) -> str:
    """The route with every `<converter:name>` filled in."""

    def fill(found: re.Match[str]) -> str:
        kind, name = found.group(1) or "str", found.group(2)
        # The admin calls every row's id object_id; which row is meant is told by what stands before.
        return known.get(before + name) or known.get(name) or SAMPLES.get(kind, "x")

    return re.sub(r"<(?:(\w+):)?(\w+)>", fill, route)


def regex_sample(expression: str) -> str:
    plain = re.sub(r"\((?:\?P<(\w+)>)?[^)]*\)", lambda found: GROUPS.get(found[1], "x"), expression)
    return plain.lstrip("^").rstrip("$").removesuffix("\\Z").replace("\\", "").replace("?", "")


def addresses(
    known: Known, resolver: URLResolver | None = None, pattern: str = "", path: str = ""
) -> Iterator[Address]:
    for entry in (resolver or get_resolver()).url_patterns:
        route = str(entry.pattern)
        filled = (
            sample(route, known, path) if isinstance(entry.pattern, RoutePattern) else regex_sample(route)
        )
        if isinstance(entry, URLResolver):
            yield from addresses(known, entry, pattern + route, path + filled)
        elif isinstance(entry, URLPattern):
            yield Address("/" + pattern + route.lstrip("^"), "/" + path + filled, entry.callback)


def ours(known: Known | None = None) -> list[Address]:
    """Every address but the admin's last resort, which answers all that nothing else did.

    `known` gives values by the name of a path's variable: `campaign_id`, `admin/crm/contact/object_id`.
    """
    return [address for address in addresses(known or {}) if address.pattern != ADMIN_CATCH_ALL]
