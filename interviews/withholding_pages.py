"""The recipient's answers while the talk goes on, and the form that withholds one of them."""

from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_safe

from crm import talk
from interviews import withholding
from interviews.entering import form_target, recipient_page
from interviews.models import Interview
from interviews.page_values import answers_so_far, frame_of_page
from interviews.pages import is_under_way
from interviews.starting import MoveRefused


@require_safe
@recipient_page
def answers(request: HttpRequest, interview: Interview) -> HttpResponse:
    """After the end they are on the page of the interview itself."""
    if not (interview.has_begun and is_under_way(interview)):
        return redirect("interview-page", interview.conversation_id)
    values = frame_of_page(request, interview) | answers_so_far(interview)
    return render(request, "interviews/answers.html", values)


@form_target
def withhold(request: HttpRequest, interview: Interview) -> HttpResponseRedirect:
    """Back to the list of answers, which says so. The same form sent again changes nothing."""
    note = ""
    try:
        withholding.withhold(interview.pk, request.POST.get("question_key", ""))
    except MoveRefused:
        note = "refused"
    except talk.TurnTaken:
        note = "waits"
    name = "interview-answers" if is_under_way(interview) else "interview-page"
    address = reverse(name, args=[interview.conversation_id])
    return HttpResponseRedirect(f"{address}?note={quote(note)}" if note else address)
