"""The body of every error, by the family of the path; a small page when a browser asks."""

import logging
import sys
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext
from rest_framework.response import Response
from rest_framework.views import set_rollback

from config.api.failures import (
    DATABASE_AWAY,
    INTERNAL,
    NOT_FOUND,
    NOT_UNDERSTOOD,
    UNKNOWN_HOST,
    Failure,
    failure_of,
)
from config.api.families import family_of
from config.api.refused_callers import counted

logger = logging.getLogger("rapport.errors")


def rendered(path: str, failure: Failure) -> tuple[int, dict[str, Any]]:
    """Status and body in the form of the path's family."""
    family = family_of(path)
    status = family.input_status if failure.is_input and failure.status == 400 else failure.status
    return status, family.body(replace(failure, status=status))


def headers_of(failure: Failure) -> dict[str, str]:
    """An error is true only now, and its address may be a capability: nobody keeps it."""
    return {"Cache-Control": "no-store", **failure.headers}


def handle_exception(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's EXCEPTION_HANDLER. None means a bug: Django then logs it and asks `server_error`."""
    request = context.get("request")
    if request is not None:
        error = counted(getattr(request, "_request", request), error)
    failure = failure_of(error)
    if failure is None:
        return None
    if failure is DATABASE_AWAY:
        logger.error("The database does not answer: %s", error, exc_info=error)
    set_rollback()
    path = request.path if request is not None else "/"
    status, body = rendered(path, failure)
    return Response(body, status=status, headers=headers_of(failure))


def json_error(request: HttpRequest, failure: Failure) -> JsonResponse:
    status, body = rendered(request.path, failure)
    return JsonResponse(body, status=status, headers=headers_of(failure))


def error_response(request: HttpRequest, error: Exception) -> JsonResponse:
    """The error body for plain Django views. An exception that is no answer is raised again."""
    failure = failure_of(error)
    if failure is None:
        raise error
    return json_error(request, failure)


def wants_page(request: HttpRequest) -> bool:
    """Browsers name text/html; programs ask for JSON or for anything."""
    return "text/html" in request.headers.get("Accept", "") and not request.path.startswith("/api/")


def answer(request: HttpRequest, failure: Failure) -> HttpResponse:
    if not wants_page(request):
        return json_error(request, failure)
    # No request and no context processors: this page must come also when the database does not answer.
    said = {"title": gettext("Unknown name"), "text": failure.message} if failure is UNKNOWN_HOST else {}
    context = {**words(failure.status), **said, "static_url": settings.STATIC_URL}
    page = render_to_string("errors/error.html", context)
    return HttpResponse(page, status=failure.status, headers=headers_of(failure))


def words(status: int) -> dict[str, str]:
    if status == 404:
        title, text = gettext("Page not found"), gettext("There is nothing at this address. Check the link.")
    elif status == 403:
        title = gettext("Not allowed")
        text = gettext("This page was not sent. Reload the page before it and try again.")
    elif status == 413:
        title, text = gettext("Too large"), gettext("This is more than we can take at once.")
    elif status == 429:
        title = gettext("Too many tries")
        text = gettext("Please wait a while and try again.")
    elif status == 503:
        title = gettext("Back in a moment")
        text = gettext("We cannot answer right now. Nothing is lost; please try again in a few seconds.")
    elif status >= 500:
        title = gettext("Something went wrong")
        text = gettext("The fault is on our side and has been noted. Please try again.")
    else:
        title, text = gettext("Not understood"), gettext("We could not read this request.")
    return {"title": title, "text": text}


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400."""
    return answer(request, failure_of(exception) or NOT_UNDERSTOOD)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403."""
    return answer(request, failure_of(exception) or Failure(403, "FORBIDDEN", "You may not do this."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """CSRF_FAILURE_VIEW."""
    message = "The form's token is missing or old. Reload the page and send it again."
    return answer(request, Failure(403, "FORBIDDEN", message, details={"reason": reason}))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return answer(request, NOT_FOUND)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, called while the exception is being handled: a database that is away is a 503."""
    return answer(request, failure_of(sys.exc_info()[1]) or INTERNAL)
