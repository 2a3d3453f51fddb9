"""`POST /personas/try-out/{id}/say`: something said to a draft. Waits for a model, so it holds no thread.

The page itself is in the admin (crm/admin/personas.py).
"""

import asyncio
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from config.api.threads import in_database
from config.api.throttling import atake
from crm import replies, talk, trying_out
from crm.api.chat import ended
from crm.not_taken import NotTakenError, refused
from personas.models import Persona

REPLY_PATIENCE = 25  # seconds; then the page shows that the reply is being written
PER_PERSON = {"per_second": 5, "per_minute": 40}


async def say_to_draft(request: HttpRequest, persona_id: UUID) -> HttpResponseBase:
    """The form: `text`, `client_message_id`."""
    user = await request.auser()
    if not await in_database(trying_out.may_try_out, user):
        return HttpResponse(status=403)
    persona = await in_database(trying_out.persona_for, user, persona_id)
    if persona is None:
        return HttpResponse(status=404)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        await _answered(request, user, persona)
    except NotTakenError as refusal:
        return refused(request, refusal, back=page_address(persona))
    return HttpResponseRedirect(f"{page_address(persona)}#latest")


async def _answered(request: HttpRequest, user: Any, persona: Persona) -> None:
    """Raises NotTakenError. How the reply ended is told by its row, on the page."""
    allowance = await atake(f"staff:{user.pk}", bucket="try-out", **PER_PERSON)
    if not allowance.allowed:
        raise NotTakenError(_("That was fast. Please wait a moment."))
    text, client_id = request.POST.get("text", ""), request.POST.get("client_message_id")
    try:
        message, turn = await in_database(trying_out.receive, user, persona, text, client_id)
    except talk.TalkError as error:
        raise NotTakenError(str(error)) from None
    running = replies.ensure_reply(message.pk, turn)
    try:
        async with asyncio.timeout(REPLY_PATIENCE):
            await ended(message.pk, running)
    except TimeoutError:
        pass


def page_address(persona: Persona) -> str:
    return reverse("admin:personas_persona_try_out", args=[persona.pk])
