"""Who may see a recipient's page: whoever holds the cookie that the link of this conversation left."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import translation
from django.views.decorators.http import require_http_methods

from config.api.security import capability_page
from crm import links
from interviews.languages import spoken
from interviews.models import Interview

P = ParamSpec("P")
PageView = Callable[Concatenate[HttpRequest, Interview, P], HttpResponseBase]


class NoWayIn(Exception):  # noqa: N818
    """The browser holds no link of this conversation (404), or one that ran out or was revoked (410)."""

    def __init__(self, status: int, language: str = settings.LANGUAGE_CODE) -> None:
        super().__init__(status)
        self.status, self.language = status, language


def entered(request: HttpRequest, conversation_id: UUID) -> Interview:
    """The interview of a page that its caller may see. Raises NoWayIn."""
    link = links.kept_link(request, conversation_id)
    if link is None:
        raise NoWayIn(404)
    if not links.is_in_force(link):
        raise NoWayIn(410, language_of(conversation_id))
    rows = Interview.objects.select_related("account", "guide__account", "contact", "conversation__persona")
    interview: Interview | None = rows.filter(conversation_id=conversation_id).first()
    if interview is None:
        raise NoWayIn(404)
    return interview


def language_of(conversation_id: UUID | None) -> str:
    """In which the holder of a link is spoken to, in force or not."""
    rows = Interview.objects.filter(conversation__in=[conversation_id])
    return spoken(rows.values_list("guide__language", flat=True).first() or settings.LANGUAGE_CODE)


def no_way_in(
    request: HttpRequest, reference: str, *, status: int, language: str = settings.LANGUAGE_CODE
) -> HttpResponse:
    """The same calm page for everyone whom we cannot let in; it offers a fresh link."""
    values = {"reference": reference, "ran_out": status == 410}
    with translation.override(language):
        return render(request, "interviews/no_way_in.html", values, status=status)


def form_target(view: PageView[P]) -> Callable[..., HttpResponseBase]:
    """What a form of a recipient's page is sent to. GET, as of a tab that is restored, leads to the page."""
    posted = require_http_methods(["POST"])(recipient_page(view))

    @capability_page
    @wraps(view)
    def answer(request: HttpRequest, conversation_id: UUID, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method in ("GET", "HEAD"):
            return redirect("interview-page", conversation_id)
        return posted(request, conversation_id, *args, **kwargs)

    return answer


def recipient_page(view: PageView[P]) -> Callable[..., HttpResponseBase]:
    """The view gets the interview, in the language of its guide; others get the calm page."""

    @capability_page
    @wraps(view)
    def answer(request: HttpRequest, conversation_id: UUID, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            interview = entered(request, conversation_id)
        except NoWayIn as refused:
            return no_way_in(request, str(conversation_id), status=refused.status, language=refused.language)
        with translation.override(spoken(interview.guide.language)):
            return view(request, interview, *args, **kwargs)

    return answer
