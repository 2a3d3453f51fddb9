"""Two forms of the pages of persona chat: that one is an adult, and a report of an answer."""

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from crm.models import MessageReport
from crm.persona_authentication import PersonaUser, contact_of
from crm.persona_care import confirm_age
from crm.persona_pages import asked_for_age, chat_there, persona_page, there
from crm.persona_talking import page_of
from crm.reports import NotReportable, report


@require_POST
@persona_page
def confirm_adult(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The person says that they are an adult; it is kept for all such influencers."""
    persona = there(slug)
    if user.is_adult is False:
        return asked_for_age(request, user, persona)
    confirm_age(contact_of(user), claim=user.is_adult)
    return HttpResponseRedirect(page_of(persona))


@require_POST
@persona_page
def report_reply(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The form: `seq`, `reason`, `comment`."""
    persona = there(slug)
    conversation = chat_there(user, persona)
    form, seq = request.POST, request.POST.get("seq", "")
    if not (seq.isascii() and seq.isdigit() and len(seq) < 10):
        raise Http404
    reason = form.get("reason", "")
    reason = reason if reason in MessageReport.Reason.values else str(MessageReport.Reason.OTHER)
    try:
        report(conversation, contact_of(user), int(seq), reason=reason, comment=form.get("comment", ""))
    except NotReportable:
        raise Http404 from None
    return HttpResponseRedirect(page_of(persona, note="reported"))
