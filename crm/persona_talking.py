"""What a person does in a chat with an influencer: says something, asks for another answer, edits, stops.

Forms of the page. With a script the answer is a stream of the HTML that the page itself is made of; without
one the page comes back once the reply is there.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial, wraps
from typing import Any, cast

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from config.api.threads import in_database
from crm import persona_chats, persona_messages, persona_rewriting, replies, talk
from crm.api.chat import as_events, ended, pieces, wants_events
from crm.media_content import MediaRefused
from crm.media_taking import taken
from crm.models import Conversation, MediaFile, Message
from crm.not_taken import NotTakenError, refused, wants_json
from crm.persona_authentication import PersonaUser, contact_of
from crm.persona_entering import page_user
from crm.persona_exchange import accepted, as_frames, done, is_the_one_before
from crm.persona_messages import Begun, Sent
from crm.persona_page_values import existing_chat, persona_called
from personas import rate_limits
from personas.models import Persona

REPLY_PATIENCE = 25  # seconds; then the page shows that the reply is being written
STOP_PATIENCE = 3  # seconds until what was stopped is stored

Talking = Callable[[HttpRequest, PersonaUser, Persona], Awaitable[HttpResponseBase]]


def asked_by(method: str) -> Callable[[Talking], Callable[..., Awaitable[HttpResponseBase]]]:
    """Of the page of one persona, asked by somebody who may be there."""

    def guarded(view: Talking) -> Callable[..., Awaitable[HttpResponseBase]]:
        @wraps(view)
        async def answer(request: HttpRequest, slug: str) -> HttpResponseBase:
            user = await _user_of(request)
            if user is None:
                return HttpResponse(status=403)
            if request.method != method:
                return HttpResponse(status=405, headers={"Allow": method})
            persona = await in_database(persona_called, slug)
            if persona is None:
                return HttpResponse(status=404)
            try:
                return await view(request, user, persona)
            except NotTakenError as refusal:
                back, base = page_of(persona), "crm/persona_base.html"
                return refused(request, refusal, back=back, base=base, persona=persona)

        return answer

    return guarded


async def _user_of(request: HttpRequest) -> PersonaUser | None:
    try:
        return await in_database(page_user, request, await request.auser())
    except APIException:  # deactivated, or banned
        return None


talking = asked_by("POST")


@talking
async def say(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponseBase:
    """The form: `text`, `client_message_id`, and a `picture`, a `recording`, or neither."""
    return await _answered(request, persona, await taken_or_said(_said(request, user, persona)))


@talking
async def again(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponseBase:
    """Another answer to the last message."""
    return await _answered(request, persona, await taken_or_said(_regenerated(request, user, persona)))


@talking
async def reword(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponseBase:
    """The last message with the `text` of the form."""
    return await _answered(request, persona, await taken_or_said(_reworded(request, user, persona)))


@talking
async def stop(request: HttpRequest, user: PersonaUser, persona: Persona) -> HttpResponseBase:
    """The reply that is being written ends with what it has."""
    conversation = await taken_or_said(_chat(request, user, persona))
    running = replies.running_in(conversation.pk)
    await taken_or_said(persona_rewriting.stop(user, str(conversation.pk)))
    if wants_json(request):
        return HttpResponse(status=204)
    if running is not None:
        await until_stored(running)
    return HttpResponseRedirect(page_of(persona))


async def until_stored(running: replies.Running) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_PATIENCE):
            await running.over.wait()


# --- What is begun ------------------------------------------------------------------------------
async def taken_or_said(work: Awaitable[Any]) -> Any:
    """Raises NotTakenError for whatever a person can be told."""
    try:
        return await work
    except (MediaRefused, persona_chats.InfluencerAway, talk.TalkError, APIException) as error:
        raise NotTakenError(str(error)) from None
    except (persona_chats.NoSuchInfluencer, persona_chats.NoSuchChat, persona_rewriting.NoSuchMessage):
        raise NotTakenError(_("This influencer cannot be talked with yet.")) from None


async def _said(request: HttpRequest, user: PersonaUser, persona: Persona) -> Begun:
    await rate_limits.throttle(request, user.ident)
    text, client_id = request.POST.get("text", ""), request.POST.get("client_message_id")
    talk.checked_client_id(client_id)
    file = await _uploaded(request, user)
    if file is None:
        talk.checked_text(text)
    conversation = await in_database(persona_chats.open_chat, user, persona.shown_id)
    user = replace(user, contact=conversation.contact)  # who may have been made just now
    media = (str(file.file.name),) if file is not None else ()
    sent = Sent(type=_type_of(text, file), text=text, client_message_id=client_id, media=media)
    return await persona_messages.begin(user, str(conversation.pk), sent)


async def _uploaded(request: HttpRequest, user: PersonaUser) -> MediaFile | None:
    """The one file of the form. Raises MediaRefused."""
    kinds = {"picture": MediaFile.Kind.IMAGE, "recording": MediaFile.Kind.AUDIO}
    given = [(request.FILES[name], kind) for name, kind in kinds.items() if name in request.FILES]
    if len(given) > 1:
        raise MediaRefused(_("Send either a picture or a recording."))
    return await taken(partial(contact_of, user), *given[0]) if given else None


def _type_of(text: str, file: MediaFile | None) -> str:
    if file is None:
        return Message.Type.TEXT
    if file.kind == MediaFile.Kind.AUDIO:
        return Message.Type.AUDIO
    return Message.Type.MULTIMODAL if text.strip() else Message.Type.IMAGE


async def _regenerated(request: HttpRequest, user: PersonaUser, persona: Persona) -> Begun:
    conversation = await _chat(request, user, persona)
    return await persona_rewriting.regenerate(user, str(conversation.pk), _meant(request, conversation))


async def _reworded(request: HttpRequest, user: PersonaUser, persona: Persona) -> Begun:
    conversation = await _chat(request, user, persona)
    text = request.POST.get("text", "")
    return await persona_rewriting.edit(user, str(conversation.pk), text, _meant(request, conversation))


def _meant(request: HttpRequest, conversation: Conversation) -> str | None:
    """The id of the message whose number the form has: another tab may have gone on meanwhile."""
    seq = request.POST.get("seq", "")
    is_number = seq.isascii() and seq.isdigit() and len(seq) < 10
    return str(persona_messages.message_id(conversation.pk, int(seq))) if is_number else None


async def _chat(request: HttpRequest, user: PersonaUser, persona: Persona) -> Conversation:
    """Raises NoSuchChat, and what the rate limit raises."""
    await rate_limits.throttle(request, user.ident)
    found = await in_database(existing_chat, user, persona)
    if found is None:
        raise persona_chats.NoSuchChat
    return found


# --- What is answered ---------------------------------------------------------------------------
async def _answered(request: HttpRequest, persona: Persona, begun: Begun) -> HttpResponseBase:
    if wants_events(request):
        return as_events(_events(request, persona, begun))
    return HttpResponseRedirect(page_of(persona, note=await _note_of_reply(begun)))


async def _note_of_reply(begun: Begun) -> str:
    try:
        async with asyncio.timeout(REPLY_PATIENCE):
            end = await ended(begun.received.message.pk, begun.running)
    except TimeoutError:
        return ""  # the page itself says that it is being written
    reply = await in_database(persona_messages.reply_to, begun.received)
    if is_the_one_before(end, reply):
        return "kept"
    return "failed" if reply is not None and reply.state == Message.State.FAILED else ""


async def _events(request: HttpRequest, persona: Persona, begun: Begun) -> AsyncIterator[bytes]:
    """`accepted` (the person's message: what answered it is old), `delta` …, `done` (it and its reply)."""
    message_id = begun.received.message.pk
    yield await accepted(request, persona, message_id)
    async with aclosing(cast(Any, as_frames(pieces(message_id, begun.running)))) as words:
        async for one in words:
            yield one
    yield await done(request, persona, message_id, await ended(message_id, begun.running))


def page_of(persona: Persona, *, note: str = "") -> str:
    address = reverse("persona-page", args=[persona.slug])
    return f"{address}?note={note}#latest" if note else f"{address}#latest"
