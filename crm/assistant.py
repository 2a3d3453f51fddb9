"""The assistant page: signed-in staff ask the agents, with the account's documents.

Without JavaScript it is a transcript with a form; with it the reply comes as it is written.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_POST

from config.api.models import Account
from config.api.threads import in_database
from config.api.throttling import atake
from crm import agents_chat, contacts, replies, talk
from crm.agents_chat import Asked, Received
from crm.api.chat import as_events, ended, frame, pieces, wants_events
from crm.assistant_values import (
    external_id_of,
    is_stopped,
    login_address,
    own_contact,
    own_talk,
    page_values,
    shown_messages,
    theme_of,
)
from crm.authentication import WATCHING
from crm.models import Contact, Message
from crm.models.contacts import Channel
from crm.not_taken import NotTakenError, refused
from crm.persona_exchange import as_frames
from crm.rating import rate
from personas.agents import BY_SLUG

REPLY_PATIENCE = 25  # seconds; then the page shows that the reply is being written
PER_PERSON = {"per_second": 5, "per_minute": 40}

P = ParamSpec("P")
PageView = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def may_use(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm(WATCHING))


def staff_page(view: PageView[P]) -> Callable[..., HttpResponseBase]:
    """Others learn nothing: whoever is not signed in may do so, anybody else gets a 404."""

    @wraps(view)
    def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return HttpResponseRedirect(login_address(request.get_full_path()))
        if not may_use(request.user):
            raise Http404
        response = view(request, *args, **kwargs)
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer


@require_GET
@staff_page
def assistant(request: HttpRequest, conversation_id: UUID | None = None) -> HttpResponse:
    """A new talk, or one of one's own."""
    conversation = own_talk(request.user, conversation_id) if conversation_id is not None else None
    if conversation_id is not None and conversation is None:
        raise Http404
    asked_account = _account_of(request.GET.get("account", ""))
    account = conversation.account if conversation is not None else asked_account
    query = {name: request.GET.get(name, "") for name in ("before", "cursor")}
    values = page_values(request.user, account=account, conversation=conversation, query=query)
    note = NOTES.get(request.GET.get("note", ""), "")
    return render(
        request,
        "crm/assistant.html",
        {**values, "note": str(note), "theme": theme_of(request.COOKIES), "words": page_words()},
    )


def _account_of(slug: str) -> Account | None:
    if not slug:
        return None
    return Account.objects.filter(slug=slug.replace("\x00", "")).first()


@require_POST
@staff_page
def rate_reply(request: HttpRequest, message_id: int) -> HttpResponseBase:
    """Thumbs for a reply in one's own talk."""
    rows = Message.objects.filter(author=Message.Author.PERSONA, state=Message.State.COMPLETE)
    message = get_object_or_404(rows, pk=min(message_id, 2**63 - 1))
    thumbs = {"1": 1, "-1": -1}.get(request.POST.get("thumbs", ""))
    if thumbs is None or own_talk(request.user, message.conversation_id) is None:
        raise Http404
    rate(message, thumbs=thumbs, comment=request.POST.get("comment", ""), staff=request.user)
    if "text/html" not in request.headers.get("Accept", ""):
        return HttpResponse(status=204)
    return HttpResponseRedirect(address_of(message.conversation_id, note="rated"))


# --- asking -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """In whose name, and in which account, staff ask."""

    account: Account
    contact: Contact


async def ask(request: HttpRequest) -> HttpResponseBase:
    """The form: `text`, `client_message_id`, and `conversation` or `account`, `agent`."""
    user = await request.auser()
    if not await in_database(may_use, user):
        return HttpResponse(status=404)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        received = await _received(request, user)
    except NotTakenError as refusal:
        return refused(request, refusal, back=_back(request.POST))
    if wants_events(request):
        asked = Question(received.conversation.pk, received.message.pk, _name_of(received))
        return as_events(events(request, user, asked, pieces(asked.message_id, received.running)))
    return HttpResponseRedirect(address_of(received.conversation.pk, note=await _note_of_reply(received)))


async def _received(request: HttpRequest, user: Any) -> Received:
    """Raises NotTakenError."""
    allowance = await atake(f"staff:{user.pk}", bucket="assistant", **PER_PERSON)
    if not allowance.allowed:
        raise NotTakenError(_("That was fast. Please wait a moment."))
    form = request.POST
    text = form.get("text", "")
    try:
        asked = Asked(
            message=talk.checked_text(text),
            client_message_id=talk.checked_client_id(form.get("client_message_id")),
            conversation_id=form.get("conversation", ""),
            agent=form.get("agent", "") if form.get("agent", "") in BY_SLUG else "",
            channel=Channel.WEB,
            by_staff=True,
        )
        place = await in_database(_place, user, asked.conversation_id, form.get("account", ""))
        return await agents_chat.begin(place.account, asked, contact=place.contact)
    except agents_chat.Deactivated:
        raise NotTakenError(_("You cannot ask in this account.")) from None
    except (agents_chat.NoSuchTalk, Http404):
        raise NotTakenError(_("This talk was not found.")) from None
    except talk.TalkError as error:
        raise NotTakenError(str(error)) from None


def _place(user: Any, conversation_id: str, slug: str) -> Place:
    """Raises Http404 for a talk or an account that is not there."""
    if conversation_id:
        conversation = own_talk(user, _uuid(conversation_id))
        account = conversation.account if conversation is not None else None
    else:
        account = _account_of(slug) or Account.objects.order_by("slug").first()
    if account is None:
        raise Http404
    contact = own_contact(account, user)
    if contact is None:
        name = user.get_full_name() or user.get_username()
        reference = external_id_of(user)
        contact, _made = contacts.resolve(account, external_id=reference, name=name, source="assistant")
    return Place(account, contact)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def _back(asked: Mapping[str, str]) -> str:
    try:
        return address_of(_uuid(asked.get("conversation", "")))
    except Http404:
        return f"{reverse('assistant')}?{urlencode({'account': asked.get('account', '')})}"


async def _note_of_reply(received: Received) -> str:
    try:
        async with asyncio.timeout(REPLY_PATIENCE):
            end = await ended(received.message.pk, received.running)
    except TimeoutError:
        return ""  # the page itself says that it is being written
    return "failed" if isinstance(end, replies.Failed) else ""


@dataclass(frozen=True, slots=True)
class Question:
    """What is being answered. `agent` is who answers, as far as it is known."""

    conversation_id: UUID
    message_id: int
    agent: str


async def events(
    request: HttpRequest, user: Any, asked: Question, words: AsyncIterator[str]
) -> AsyncIterator[bytes]:
    """`accepted`, `delta` …, `done`: messages come as the HTML that the page itself is made of."""
    said = await in_database(_rendered, request, user, Q(pk=asked.message_id))
    yield frame("accepted", {**_addresses_of(asked.conversation_id), "html": said, "agent": asked.agent})
    async with aclosing(cast(Any, as_frames(words))) as told:
        async for one in told:
            yield one
    yield frame("done", await in_database(_ended_as, request, user, asked.message_id))


def _name_of(received: Received) -> str:
    persona = received.turn.persona if received.turn is not None else received.conversation.persona
    return persona.name if persona is not None else ""


def _ended_as(request: HttpRequest, user: Any, message_id: int) -> dict[str, Any]:
    reply = Message.objects.filter(reply_to=message_id).first()
    was_stopped = reply is not None and is_stopped(reply)
    return {"html": _rendered(request, user, Q(reply_to=message_id)), "stopped": was_stopped}


def _rendered(request: HttpRequest, user: Any, which: Q) -> str:
    rows = Message.objects.select_related("persona", "reply_to", "conversation").filter(which)
    return "".join(
        render_to_string("crm/assistant_message.html", {"shown": one, "user": user}, request=request)
        for one in shown_messages(list(rows), user)
    )


def _addresses_of(conversation_id: UUID) -> dict[str, str]:
    """For the script: of a talk that has just begun, too."""
    key = [conversation_id]
    return {
        "conversation": str(conversation_id),
        "address": reverse("assistant-talk", args=key),
        "stop": reverse("assistant-stop", args=key),
        "reply": reverse("assistant-reply", args=key),
    }


def address_of(conversation_id: UUID, *, note: str = "") -> str:
    address = reverse("assistant-talk", args=[conversation_id])
    return f"{address}?note={note}#latest" if note else f"{address}#latest"


NOTES = {
    "rated": gettext_lazy("Thank you. Your rating is stored."),
    "failed": gettext_lazy("The answer could not be written. Your question is kept; try again below."),
}


def page_words() -> dict[str, Any]:
    """For the page's script."""
    return {
        "longest": talk.LONGEST_TEXT,
        "writing": _("The reply is being written."),
        "failed": _("This did not work. Your question is kept; please try again."),
        "offline": _("You are offline. Please try again when you are connected."),
        "thanks": _("Thank you. Your rating is stored."),
        "answered": _("The reply is complete."),
        "stopped": _("Stopped."),
        "choosing": _("Choosing who answers…"),
    }
