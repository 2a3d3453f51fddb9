"""Two of Django's middlewares without the work that nobody asks them for, on every request."""

from typing import Any

from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.messages.storage import default_storage
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject, empty


class MessagesMiddleware(MessageMiddleware):
    """The storage is made when a view or a template first asks for it: an API call never does."""

    def process_request(self, request: HttpRequest) -> None:
        request._messages = SimpleLazyObject(lambda: default_storage(request))  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        messages = getattr(request, "_messages", None)
        if isinstance(messages, SimpleLazyObject) and messages._wrapped is empty:  # type: ignore[attr-defined]
            return response
        return super().process_response(request, response)


class LanguageMiddleware(LocaleMiddleware):
    """In the admin, the language of a cookie or of the browser: Django and Unfold speak many.

    What is ours alone is English, and a page must not say that it is in a language which it is not in. Pages
    of an interview switch to the language of its guide (interviews/languages.py). No path begins with one.
    """

    def process_request(self, request: HttpRequest) -> None:
        is_chosen = request.path_info.startswith("/admin/")
        translation.activate(
            translation.get_language_from_request(request) if is_chosen else settings.LANGUAGE_CODE
        )
        request.LANGUAGE_CODE = translation.get_language()

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if request.path_info.startswith("/admin/"):
            patch_vary_headers(response, ("Accept-Language",))
        response.headers.setdefault("Content-Language", translation.get_language())
        return response
