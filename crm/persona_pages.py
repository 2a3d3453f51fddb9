"""The pages of persona chat: the catalogue, a chat with one influencer, its end, and what is remembered.

Without JavaScript a chat is a transcript with a form; with it the reply comes as it is written. What a person
says in it comes to crm/persona_talking.py.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from rest_framework.exceptions import APIException

from config.api.parsers import LARGEST_NUMBER
from crm import persona_chats, remembering, talk
from crm.assistant_values import login_address, theme_of
from crm.models import Conversation, MemoryFact, Message
from crm.persona_authentication import PersonaUser, contact_of
from crm.persona_care import is_known_adult
from crm.persona_entering import entered, page_user
from crm.persona_page_values import (
    catalogue_values,
    chat_values,
    existing_chat,
    face_of,
    page_words,
    persona_called,
)
from crm.persona_talking import page_of
from crm.rewriting import last_exchange
from personas.models import Persona

MEMORIES = 50  # on one page

P = ParamSpec("P")
PageView = Callable[Concatenate[HttpRequest, PersonaUser, P], HttpResponse]
NOTES = {
    "failed": gettext_lazy("The answer could not be written. Your message is kept; try again below."),
    "reported": gettext_lazy("Thank you. Somebody of our team looks at it."),
    "kept": gettext_lazy("No other answer could be written. The one before is kept."),
    "deleted": gettext_lazy("The chat was deleted."),
    "forgotten": gettext_lazy("It is forgotten."),
    "switched": gettext_lazy("Your choice is kept."),
}


def note_in(request: HttpRequest) -> str:
    return str(NOTES.get(request.GET.get("note", ""), ""))


def persona_page(view: PageView[P]) -> Callable[..., HttpResponse]:
    """For staff who are signed in, and users who came with a ticket; others may sign in."""

    @wraps(view)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        try:
            user = page_user(request, request.user)
        except APIException as refusal:  # deactivated, or banned
            return _no_way_in(request, str(refusal.detail))
        if user is None and request.user.is_authenticated:
            raise Http404
        if user is None:
            return HttpResponseRedirect(login_address(request.get_full_path()))
        response = view(request, user, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


@csrf_exempt
@require_POST
def enter(request: HttpRequest) -> HttpResponse:
    """A ticket of `POST /api/v1/chat/ticket`, posted by the browser of its user from an embedding site."""
    if not entered(request, request.POST.get("ticket", "")):
        return render(request, "crm/persona_no_way_in.html", {"theme": theme_of(request.COOKIES)}, status=403)
    slug = request.POST.get("influencer", "")
    persona = persona_called(slug) if slug else None
    return HttpResponseRedirect(page_of(persona) if persona is not None else reverse("persona-catalogue"))


@require_GET
@persona_page
def catalogue(request: HttpRequest, user: PersonaUser) -> HttpResponse:
    values = catalogue_values(user, request.GET.dict())
    return shown(request, "crm/persona_catalogue.html", values, note=note_in(request))


def shown(request: HttpRequest, template: str, values: dict[str, Any], **more: Any) -> HttpResponse:
    return render(request, template, {**values, **more, "theme": theme_of(request.COOKIES)})


@require_GET
@persona_page
def chat(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    persona = there(slug)
    if persona.adults_only and not is_known_adult(claim=user.is_adult, contact=user.contact):
        return asked_for_age(request, user, persona)
    values = chat_values(user, persona, before=request.GET.get("before", ""))
    if values["conversation"] is not None and "before" not in request.GET:
        persona_chats.mark_read(values["conversation"])
    return shown(request, "crm/persona_chat.html", values, note=note_in(request), words=page_words())


def asked_for_age(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponse:
    """Not where the person's sign-in says that they are no adult."""
    is_refused = user.is_adult is False
    values = {"persona": persona, "is_refused": is_refused, "theme": theme_of(request.COOKIES)}
    return render(request, "crm/persona_age.html", values, status=403 if is_refused else 200)


def _no_way_in(request: HttpRequest, problem: str) -> HttpResponse:
    values = {"problem": problem, "theme": theme_of(request.COOKIES)}
    response = render(request, "crm/persona_refused.html", values, status=403)
    response.headers["Cache-Control"] = "no-store"
    return response


def there(slug: str) -> Persona:
    """Raises Http404."""
    persona = persona_called(slug)
    if persona is None:
        raise Http404
    return persona


def chat_there(user: PersonaUser, persona: Persona) -> Conversation:
    """The user's chat with it. Raises Http404."""
    conversation = existing_chat(user, persona)
    if conversation is None:
        raise Http404
    return conversation


@require_POST
@persona_page
def greet(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The chat begins with the greeting of this number, as long as nothing else was said in it."""
    persona = there(slug)
    if persona.adults_only and not is_known_adult(claim=user.is_adult, contact=user.contact):
        return asked_for_age(request, user, persona)
    try:
        number = _number(request.POST.get("greeting", ""))
        persona_chats.open_chat(user, persona.shown_id, greeting=number)
    except persona_chats.NoSuchInfluencer:  # not to be talked with yet
        raise Http404 from None
    return HttpResponseRedirect(page_of(persona))


@require_GET
@persona_page
def edit(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The last message in a form of its own, for who has no script."""
    persona = there(slug)
    exchange = last_exchange(chat_there(user, persona))
    if exchange is None or exchange.asked.type == Message.Type.AUDIO:
        raise Http404
    said = {"text": exchange.asked.text, "seq": exchange.asked.seq, "longest": talk.LONGEST_TEXT}
    return shown(request, "crm/persona_edit.html", {"persona": persona, "face": face_of(persona), **said})


@require_http_methods(["GET", "POST"])
@persona_page
def delete(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """Asks once, then takes the chat away with all that was said in it."""
    persona = there(slug)
    conversation = chat_there(user, persona)
    if request.method == "POST":
        persona_chats.delete(conversation)
        return HttpResponseRedirect(f"{reverse('persona-catalogue')}?note=deleted")
    values = {"persona": persona, "face": face_of(persona)}
    return shown(request, "crm/persona_delete.html", values, total=persona_chats.message_total(conversation))


# --- What is remembered ---------------------------------------------------------------------------
@require_GET
@persona_page
def memory(request: HttpRequest, user: PersonaUser) -> HttpResponse:
    """What influencers know of the person, the newest first."""
    rows = remembering.memories_of(user.contact) if user.contact is not None else MemoryFact.objects.none()
    if before := _number(request.GET.get("before", "")):
        rows = rows.filter(pk__lt=before)
    found = list(rows[: MEMORIES + 1])
    values = {
        "facts": found[:MEMORIES],
        "further": found[MEMORIES - 1].pk if len(found) > MEMORIES else None,
        "can_be_on": settings.PERSONA_MEMORY,
        "is_on": user.contact is None or remembering.is_on(user.contact),
    }
    return shown(request, "crm/persona_memory.html", values, note=note_in(request))


@require_POST
@persona_page
def forget(request: HttpRequest, user: PersonaUser) -> HttpResponse:
    """`memory` is the number of one; `all` means every one. What is gone already is no error."""
    one = _number(request.POST.get("memory", ""))
    if user.contact is not None and (one or request.POST.get("all")):
        remembering.forget(user.contact, one or None)
    return HttpResponseRedirect(f"{reverse('persona-memory-page')}?note=forgotten")


@require_POST
@persona_page
def switch_memory(request: HttpRequest, user: PersonaUser) -> HttpResponse:
    remembering.switch(contact_of(user), on=request.POST.get("enabled") == "1")
    return HttpResponseRedirect(f"{reverse('persona-memory-page')}?note=switched")


def _number(text: str) -> int:
    """Of a row; 0 for what is none."""
    is_whole = text.isascii() and text.isdigit() and len(text) < 20
    return int(text) if is_whole and int(text) <= LARGEST_NUMBER else 0
