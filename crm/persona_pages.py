"""The pages of persona chat: the catalogue, and a chat with one influencer.

Without JavaScript a chat is a transcript with a form; with it the reply comes as it is written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from rest_framework.exceptions import APIException

from config.api.threads import in_database
from crm import media, media_checking, persona_chats, persona_messages, replies, talk
from crm.api.chat import as_events, ended, frame, pieces, wants_events
from crm.assistant_values import login_address, theme_of
from crm.media_content import MediaRefused
from crm.models import MediaFile, Message, MessageReport
from crm.persona_authentication import PersonaUser, contact_of
from crm.persona_care import confirm_age, is_known_adult
from crm.persona_entering import entered, page_user
from crm.persona_messages import Begun, Sent
from crm.persona_page_values import (
    catalogue_values,
    chat_values,
    existing_chat,
    page_words,
    persona_called,
    shown_messages,
)
from crm.reporting import NotReportable, report
from personas import rate_limits
from personas.models import Persona

REPLY_PATIENCE = 25  # seconds; then the page shows that the reply is being written

P = ParamSpec("P")
PageView = Callable[Concatenate[HttpRequest, PersonaUser, P], HttpResponse]
NOTES = {
    "failed": gettext_lazy("The answer could not be written. Your message is kept; try again below."),
    "reported": gettext_lazy("Thank you. Somebody of our team looks at it."),
}


class NotTakenError(Exception):
    """Why a message was not taken; its text is for people."""


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
    return HttpResponseRedirect(_address(persona) if persona is not None else reverse("persona-catalogue"))


@require_GET
@persona_page
def catalogue(request: HttpRequest, user: PersonaUser) -> HttpResponse:
    values = {**catalogue_values(request.GET.dict()), "theme": theme_of(request.COOKIES)}
    return render(request, "crm/persona_catalogue.html", values)


@require_GET
@persona_page
def chat(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    persona = persona_called(slug)
    if persona is None:
        raise Http404
    if persona.adults_only and not is_known_adult(claim=user.is_adult, contact=user.contact):
        return _asked_for_age(request, user, persona)
    values = chat_values(user, persona, before=request.GET.get("before", ""))
    if values["conversation"] is not None and "before" not in request.GET:
        persona_chats.mark_read(values["conversation"])
    note = str(NOTES.get(request.GET.get("note", ""), ""))
    whole = {**values, "note": note, "theme": theme_of(request.COOKIES), "words": page_words()}
    return render(request, "crm/persona_chat.html", whole)


@require_POST
@persona_page
def confirm_adult(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The person says that they are an adult; it is kept for all such influencers."""
    persona = persona_called(slug)
    if persona is None:
        raise Http404
    if user.is_adult is False:
        return _asked_for_age(request, user, persona)
    confirm_age(contact_of(user), claim=user.is_adult)
    return HttpResponseRedirect(_address(persona))


@require_POST
@persona_page
def report_reply(request: HttpRequest, user: PersonaUser, slug: str) -> HttpResponse:
    """The form: `seq`, `reason`, `comment`."""
    persona = persona_called(slug)
    conversation = existing_chat(user, persona) if persona is not None else None
    form, seq = request.POST, request.POST.get("seq", "")
    reason = form.get("reason", "")
    if persona is None or conversation is None or not (seq.isascii() and seq.isdigit() and len(seq) < 10):
        raise Http404
    reason = reason if reason in MessageReport.Reason.values else str(MessageReport.Reason.OTHER)
    try:
        report(conversation, contact_of(user), int(seq), reason=reason, comment=form.get("comment", ""))
    except NotReportable:
        raise Http404 from None
    return HttpResponseRedirect(_address(persona, note="reported"))


def _asked_for_age(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponse:
    """Not where the person's sign-in says that they are no adult."""
    is_refused = user.is_adult is False
    values = {"persona": persona, "is_refused": is_refused, "theme": theme_of(request.COOKIES)}
    return render(request, "crm/persona_age.html", values, status=403 if is_refused else 200)


def _no_way_in(request: HttpRequest, problem: str) -> HttpResponse:
    values = {"problem": problem, "theme": theme_of(request.COOKIES)}
    response = render(request, "crm/persona_refused.html", values, status=403)
    response.headers["Cache-Control"] = "no-store"
    return response


# --- saying something ---------------------------------------------------------------------------
async def say(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The form: `text`, `client_message_id`, and a `picture` or none."""
    try:
        user = await in_database(page_user, request, await request.auser())
    except APIException:  # deactivated, or banned
        return HttpResponse(status=403)
    if user is None:
        return HttpResponse(status=403)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    persona = await in_database(persona_called, slug)
    if persona is None:
        return HttpResponse(status=404)
    try:
        begun = await _begun(request, user, persona)
    except NotTakenError as refusal:
        return _refused(request, persona, refusal)
    if wants_events(request):
        return as_events(_events(request, persona, begun))
    return HttpResponseRedirect(_address(persona, note=await _note_of_reply(begun)))


async def _begun(request: HttpRequest, user: PersonaUser, persona: Persona) -> Begun:
    """Raises NotTakenError."""
    try:
        await rate_limits.throttle(request, user.ident)
        text, client_id = request.POST.get("text", ""), request.POST.get("client_message_id")
        talk.checked_client_id(client_id)
        files = await _uploaded(request, user)
        if not files:
            talk.checked_text(text)
        conversation = await in_database(persona_chats.open_chat, user, persona.shown_id)
        user = replace(user, contact=conversation.contact)  # who may have been made just now
        sent = Sent(type=_type_of(text, files), text=text, client_message_id=client_id, media=files)
        return await persona_messages.begin(user, str(conversation.pk), sent)
    except (MediaRefused, persona_chats.InfluencerAway, talk.TalkError, APIException) as error:
        raise NotTakenError(str(error)) from None
    except (persona_chats.NoSuchInfluencer, persona_chats.NoSuchChat):
        raise NotTakenError(_("This influencer cannot be talked with yet.")) from None


def _type_of(text: str, files: tuple[str, ...]) -> str:
    if not files:
        return Message.Type.TEXT
    return Message.Type.MULTIMODAL if text.strip() else Message.Type.IMAGE


async def _uploaded(request: HttpRequest, user: PersonaUser) -> tuple[str, ...]:
    """The storage key of the picture in the form. Raises MediaRefused."""
    file = request.FILES.get("picture")
    if file is None:
        return ()
    kind = str(MediaFile.Kind.IMAGE)
    media_checking.refuse_unfit(kind, filename=str(file.name), size_bytes=file.size or 0)
    contact = await in_database(contact_of, user)
    content = await asyncio.to_thread(media_checking.checked, await asyncio.to_thread(file.read), kind)
    row = await in_database(media.registered, contact, content, kind, filename=str(file.name))
    await asyncio.to_thread(media.keep, row, content)
    return (str(row.file.name),)


def _refused(request: HttpRequest, persona: Persona, refusal: NotTakenError) -> HttpResponseBase:
    if wants_events(request):
        return JsonResponse({"message": str(refusal)}, status=400)
    values: dict[str, Any] = {
        "problem": str(refusal),
        "text": request.POST.get("text", "")[: talk.LONGEST_TEXT],
    }
    values |= {"base": "crm/persona_base.html", "back": _address(persona)}
    values |= {"persona": persona, "theme": theme_of(request.COOKIES)}
    return render(request, "crm/refused.html", values, status=400)


async def _note_of_reply(begun: Begun) -> str:
    try:
        async with asyncio.timeout(REPLY_PATIENCE):
            end = await ended(begun.received.message.pk)
    except TimeoutError:
        return ""  # the page itself says that it is being written
    return "failed" if isinstance(end, replies.Failed) else ""


async def _events(request: HttpRequest, persona: Persona, begun: Begun) -> AsyncIterator[bytes]:
    """`accepted`, `delta` …, `done`: messages come as the HTML that the page itself is made of."""
    message_id = begun.received.message.pk
    yield frame("accepted", {"html": await in_database(_rendered, request, persona, pk=message_id)})
    async with aclosing(cast(Any, pieces(message_id, begun.running))) as words:
        async for piece in words:
            yield frame("delta", {"text": piece}) if piece else b": still writing\n\n"
    await ended(message_id)
    yield frame("done", {"html": await in_database(_rendered, request, persona, reply_to=message_id)})


def _rendered(request: HttpRequest, persona: Persona, **which: Any) -> str:
    rows = Message.objects.select_related("reply_to").prefetch_related("media").filter(**which)
    return "".join(
        render_to_string("crm/persona_message.html", {"shown": one, "persona": persona}, request=request)
        for one in shown_messages(list(rows), persona.name)
    )


def _address(persona: Persona, *, note: str = "") -> str:
    address = reverse("persona-page", args=[persona.slug])
    return f"{address}?note={note}#latest" if note else f"{address}#latest"
