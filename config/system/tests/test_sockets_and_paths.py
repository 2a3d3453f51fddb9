"""Which requests go where, and which websockets may open."""

import inspect

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.testing import WebsocketCommunicator
from django.urls import URLPattern, URLResolver, get_resolver

from config import asgi
from config.sockets import LONGEST_SOCKET_PATH, redis_socket


def views(patterns, prefix=""):
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin":
                yield from views(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route, pattern.callback


def example(route):
    """A path that the route matches, with an id in the place of each parameter."""
    path = route
    while "<" in path:
        before, _, rest = path.partition("<")
        path = before + "01234567-89ab-7cde-8f01-23456789abcd" + rest.partition(">")[2]
    return "/" + path


def test_every_async_view_is_model_bound_and_no_other():
    wrong = [
        route
        for route, view in views(get_resolver().url_patterns)
        if "(?P" not in route
        and inspect.iscoroutinefunction(view) != bool(asgi.model_bound.fullmatch(example(route)))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("path", "model_bound"),
    [
        ("/chat", True),
        ("/chat/send", True),
        ("/chat/01234567-89ab-7cde-8f01-23456789abcd/send", True),
        ("/api/v1/knowledge/ask", True),
        ("/chat/send/more", False),
        ("/chat/01234567-89ab-7cde-8f01-23456789abcd", False),
        ("/live", False),
        ("/", False),
    ],
)
def test_the_rule_is_by_the_whole_path(path, model_bound):
    assert bool(asgi.model_bound.fullmatch(path)) == model_bound


async def test_the_probe_is_answered_on_the_event_loop_with_the_headers_of_every_answer(monkeypatch):
    monkeypatch.setattr(
        asgi.application.application_mapping["http"].plain, "pool", None
    )  # no thread is there
    headers = [(b"host", b"testserver")]
    scope = {
        "type": "http", "method": "GET", "path": "/live", "raw_path": b"/live", "query_string": b"",
        "headers": headers, "client": ("127.0.0.1", 1), "server": ("testserver", 80), "scheme": "http",
    }  # fmt: skip
    probe = ApplicationCommunicator(asgi.application, scope)
    await probe.send_input({"type": "http.request", "body": b""})
    start = await probe.receive_output()
    named = {name.decode() for name, _value in start["headers"]}
    assert start["status"] == 200
    assert {"x-request-id", "content-security-policy", "cache-control"} <= named
    assert (await probe.receive_output())["body"] == b'{"status": "alive"}'


def socket(path, origin="http://testserver"):
    headers = [(b"host", b"testserver")] + ([(b"origin", origin.encode())] if origin else [])
    return WebsocketCommunicator(asgi.application, path, headers=headers)


@pytest.mark.parametrize("origin", ["http://evil.example", "", "null", "http://testserver:81"])
async def test_a_foreign_page_is_refused_at_the_handshake(origin):
    connected, _ = await socket("/nowhere", origin).connect()
    assert not connected


async def test_a_socket_that_is_not_there_is_closed_with_its_code():
    communicator = socket("/nowhere/at/all")
    connected, _ = await communicator.connect()
    assert connected
    assert (await communicator.receive_output())["code"] == 4404


def test_the_socket_is_in_the_data_folder(tmp_path):
    assert redis_socket(tmp_path) == tmp_path / "redis.sock"


def test_a_long_data_folder_has_its_socket_elsewhere_and_always_in_the_same_place(tmp_path):
    folder = tmp_path / ("x" * 120)
    found = redis_socket(folder)
    assert len(str(found)) <= LONGEST_SOCKET_PATH
    assert found == redis_socket(folder)
    assert found != redis_socket(tmp_path / ("y" * 120))
