"""A path is looked for once; what is not there is looked for each time."""

import pytest
from django.http import Http404
from django.test import RequestFactory
from django.urls import get_resolver

from config.system import known_paths
from config.system.known_paths import WsgiHandler


@pytest.fixture
def looked_for(monkeypatch):
    known_paths._match.cache_clear()
    paths = []
    resolve = get_resolver().resolve
    monkeypatch.setattr(get_resolver(), "resolve", lambda path: paths.append(path) or resolve(path))
    yield paths
    known_paths._match.cache_clear()


def resolved(path):
    request = RequestFactory().get(path)
    return WsgiHandler().resolve_request(request), request


def test_a_path_is_looked_for_once(looked_for):
    first, _ = resolved("/live")
    again, request = resolved("/live")
    assert again is first is request.resolver_match
    assert looked_for == ["/live"]


def test_paths_of_one_pattern_keep_their_own_arguments(looked_for):
    names = [resolved(f"/personas/{name}/")[0].kwargs for name in ("nora", "ada", "nora")]
    assert names == [{"slug": "nora"}, {"slug": "ada"}, {"slug": "nora"}]


def test_a_path_that_is_not_there_is_not_remembered(looked_for):
    for _ in range(2):
        with pytest.raises(Http404):
            resolved("/nowhere")
    assert len(looked_for) == 2
    assert known_paths._match.cache_info().currsize == 0
