"""They do what Django's own do; only not before somebody asks."""

import pytest
from django.conf import settings
from django.conf.urls.i18n import is_language_prefix_patterns_used
from django.contrib import messages
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage.fallback import FallbackStorage
from django.http import HttpResponse
from django.middleware.locale import LocaleMiddleware
from django.test import RequestFactory
from django.utils import translation

from config.api.lean_middleware import LanguageMiddleware, MessagesMiddleware


def answered(middleware, view, path="/", **headers):
    request = RequestFactory(headers=headers).get(path)
    request.session = {}
    with translation.override("en"):
        return middleware(view)(request)


def silent(request):
    return HttpResponse("nothing to say")


def telling(request):
    messages.success(request, "Saved.")
    return HttpResponse("saved")


def reading(request):
    return HttpResponse(" ".join(str(message) for message in messages.get_messages(request)))


def test_who_says_nothing_makes_no_storage(monkeypatch):
    made = []
    monkeypatch.setattr(FallbackStorage, "__init__", lambda *_: made.append("storage"))
    assert answered(MessagesMiddleware, silent).content == b"nothing to say"
    assert made == []


def test_what_is_said_is_read_at_the_next_request_as_with_djangos_own():
    ours, theirs = (answered(kind, telling) for kind in (MessagesMiddleware, MessageMiddleware))
    cookie = ours.cookies["messages"].value
    assert cookie
    assert theirs.cookies["messages"].value
    request = RequestFactory().get("/")
    request.COOKIES["messages"], request.session = cookie, {}
    answer = MessagesMiddleware(reading)(request)
    assert answer.content == b"Saved."
    assert answer.cookies["messages"].value == ""


def saying_its_language(request):
    return HttpResponse(f"{request.LANGUAGE_CODE} {translation.get_language()}")


@pytest.mark.parametrize("wanted", ["", "de", "pl,en;q=0.5", "xx", "ar-EG"])
def test_the_language_of_the_admin_is_the_one_that_django_would_take(wanted):
    ours, theirs = (
        answered(kind, saying_its_language, "/admin/", accept_language=wanted)
        for kind in (LanguageMiddleware, LocaleMiddleware)
    )
    assert ours.content == theirs.content
    assert ours.headers == theirs.headers


@pytest.mark.parametrize("path", ["/", "/personas/", "/api/v1/contacts"])
def test_what_has_no_words_of_a_language_does_not_say_that_it_is_in_it(path):
    answer = answered(LanguageMiddleware, saying_its_language, path, accept_language="ar")
    assert answer.content == b"en en"
    assert (answer.headers["Content-Language"], answer.has_header("Vary")) == ("en", False)


def test_no_path_of_ours_begins_with_a_language():
    assert is_language_prefix_patterns_used(settings.ROOT_URLCONF) == (False, False)
