"""The recipient's pages. A GET never starts, consumes or completes anything: mail scanners open links."""

import re
from typing import Any
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import get_language
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.api.addresses import client_address, ident_of_address
from config.api.security import capability_page
from config.api.throttling import take
from crm import erasure, links
from crm.models import AccessLink
from interviews import accents, fresh_links, sessions, starting
from interviews.downloads import pdf_response
from interviews.entering import form_target, language_of, no_way_in, recipient_page
from interviews.languages import named
from interviews.models import Interview
from interviews.page_values import (
    NEWEST,
    answers_values,
    earlier_messages,
    frame_of_page,
    note_for,
    status_values,
    talk_values,
)
from interviews.starting import ConsentChanged, MoveRefused

State = Interview.State
A_YEAR = 31_536_000  # seconds
FRESH_LINKS_PER_ADDRESS = {"per_second": 0, "per_minute": 5, "per_hour": 20}


def address_of(interview: Interview, *, note: str = "") -> str:
    address = reverse("interview-page", args=[interview.conversation_id])
    return f"{address}?note={quote(note)}" if note else address


# --- the way in -----------------------------------------------------------------------------


@require_safe
@capability_page
def open_invitation(request: HttpRequest, token: str) -> HttpResponseBase:
    """Changes the token in the address for a cookie of this one conversation."""
    link = links.find(token, AccessLink.Purpose.CONVERSATION)
    if link is None or link.conversation_id is None:
        return no_way_in(request, token, status=404)
    if not links.is_in_force(link):
        return no_way_in(request, token, status=410, language=language_of(link.conversation_id))
    links.open_link(token, AccessLink.Purpose.CONVERSATION)
    interview_id = (
        Interview.objects.filter(conversation_id=link.conversation_id).values_list("pk", flat=True).first()
    )
    if interview_id is None:
        return no_way_in(request, token, status=404)
    starting.mark_opened(interview_id)
    response = redirect("interview-page", link.conversation_id)
    links.remember(response, token, link)
    return response


@require_safe
@capability_page
def labelled(request: HttpRequest, label: str) -> HttpResponseBase:
    """The documented address of a chat. The label alone opens nothing: a link in it, or its cookie, does."""
    token = request.GET.get("token", "") or request.COOKIES.get(links.LABEL_COOKIE, "")
    link = links.find(token, AccessLink.Purpose.CONVERSATION)
    interview = _labelled_interview(link, label) if link is not None else None
    if link is None or interview is None:
        return no_way_in(request, label, status=404)
    if not links.is_in_force(link):
        return no_way_in(request, label, status=410, language=language_of(link.conversation_id))
    links.open_link(token, AccessLink.Purpose.CONVERSATION)
    starting.mark_opened(interview.pk)
    response = redirect("interview-page", link.conversation_id)
    links.remember(response, token, link, label_path=sessions.path_of(sessions.label_of(interview)))
    return response


def _labelled_interview(link: AccessLink, label: str) -> Interview | None:
    """The interview of the link, when the label is its own."""
    if link.conversation_id is None:
        return None
    rows = sessions.interviews_of(link.account).filter(conversation_id=link.conversation_id)
    interview: Interview | None = rows.first()
    try:
        named = str(sessions.read_label(label))
    except sessions.BadLabel:
        return None
    return interview if interview is not None and sessions.label_of(interview) == named else None


@require_POST
@capability_page
def fresh_link(request: HttpRequest) -> HttpResponse:
    """Says the same whether anything was sent or not."""
    allowance = take(
        ident_of_address(client_address(request)), bucket="fresh-link", **FRESH_LINKS_PER_ADDRESS
    )
    with translation.override(named(request.POST.get("language", ""))):
        if not allowance.allowed:
            status = 503 if allowance.is_away else 429
            response = render(request, "interviews/asked_too_often.html", status=status)
            response.headers["Retry-After"] = str(allowance.retry_after)
            return response
        fresh_links.email_fresh_link(request.POST.get("reference", ""))
        return render(request, "interviews/fresh_link_sent.html")


@require_safe
def accent_style(request: HttpRequest, colour: str) -> HttpResponse:
    """Made from the address alone, so browsers may keep it."""
    if not re.fullmatch(r"[0-9a-f]{6}", colour):
        raise Http404
    response = HttpResponse(accents.stylesheet(f"#{colour}"), content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={A_YEAR}, immutable"
    return response


# --- the page itself ------------------------------------------------------------------------


@require_safe
@recipient_page
def interview(request: HttpRequest, interview: Interview) -> HttpResponse:
    return page_as_it_is(request, interview)


def page_as_it_is(
    request: HttpRequest,
    interview: Interview,
    *,
    refused: str = "",
    draft: str = "",
    draft_key: str = "",
    status: int = 200,
) -> HttpResponse:
    """The page of an interview where it stands now.

    A form that was `refused` (the code of a note) comes back with its words: `draft`, of the correction of
    the question `draft_key` or of the composer.
    """
    values = frame_of_page(request, interview) | {"draft": draft, "draft_key": draft_key}
    if refused:
        values["note"] = note_for(refused)
    template = _template_of(interview)
    if template == "chat":
        values |= talk_values(interview)
    elif template == "done":
        values |= answers_values(interview)
    status = 410 if template == "expired" else status
    return render(request, f"interviews/{template}.html", values, status=status)


def _template_of(interview: Interview) -> str:
    if interview.state == State.EXPIRED:
        return "expired"
    if interview.state == State.DECLINED:
        return "declined"
    if not interview.has_begun:
        return "landing"
    return "chat" if is_under_way(interview) else "done"


def is_under_way(interview: Interview) -> bool:
    """Whether the person can talk now."""
    return interview.state in (State.STARTED, State.ABANDONED) and interview.conversation.is_open


@form_target
def begin(request: HttpRequest, interview: Interview) -> HttpResponseRedirect:
    evidence = {
        "page": "landing",
        "language": get_language() or "",
        "user_agent": request.headers.get("User-Agent", "")[:200],
    }
    try:
        agreed_to = request.POST.get("agreed_to", "")
        starting.begin(interview.pk, consent_evidence=evidence, agreed_to=agreed_to)
    except ConsentChanged:
        return HttpResponseRedirect(address_of(interview, note="changed"))
    except MoveRefused:
        return HttpResponseRedirect(address_of(interview, note="refused"))
    return HttpResponseRedirect(address_of(interview))


@form_target
def decline(request: HttpRequest, interview: Interview) -> HttpResponseRedirect:
    try:
        starting.decline(interview.pk)
    except MoveRefused:
        return HttpResponseRedirect(address_of(interview, note="refused"))
    return HttpResponseRedirect(address_of(interview))


@form_target
def reopen(request: HttpRequest, interview: Interview) -> HttpResponseRedirect:
    """Back into the talk, to correct or add to an answer."""
    try:
        starting.reopen_for_correction(interview.pk)
    except MoveRefused:
        return HttpResponseRedirect(address_of(interview, note="refused"))
    return HttpResponseRedirect(address_of(interview))


# --- what was said, and what is left of it --------------------------------------------------


@require_safe
@recipient_page
def messages(request: HttpRequest, interview: Interview) -> JsonResponse:
    before = request.GET.get("before", "")
    if before and not (before.isascii() and before.isdigit() and int(before) <= NEWEST):
        text = "`before` is the number of a message."
        return JsonResponse({"code": "VALIDATION_ERROR", "detail": text}, status=400)
    return JsonResponse(earlier_messages(interview, int(before or NEWEST)))


@require_safe
@recipient_page
def status(request: HttpRequest, interview: Interview) -> JsonResponse:
    return JsonResponse(status_values(interview))


@require_safe
@recipient_page
def transcript(request: HttpRequest, interview: Interview) -> HttpResponseBase:
    response = pdf_response(interview)
    if response is not None:
        return response
    values: dict[str, Any] = frame_of_page(request, interview)
    return render(request, "interviews/no_transcript.html", values, status=404)


@require_http_methods(["GET", "POST"])
@recipient_page
def delete(request: HttpRequest, interview: Interview) -> HttpResponse:
    """GET asks whether they mean it. POST: the talk and all that came of it goes, and the link with it."""
    if request.method == "GET":
        return render(request, "interviews/delete.html", frame_of_page(request, interview))
    erasure.request(interview.contact, conversation=interview.conversation, requested_by="the person")
    rows = AccessLink.objects.in_force().filter(conversation_id=interview.conversation_id)
    rows.update(revoked_at=timezone.now())
    response = redirect(f"{reverse('answers-deleted')}?language={get_language()}")
    response.delete_cookie(links.COOKIE, path=address_of(interview), samesite="Lax")
    return response


@require_safe
@capability_page
def deleted(request: HttpRequest) -> HttpResponse:
    with translation.override(named(request.GET.get("language", ""))):
        return render(request, "interviews/deleted.html")
