"""A message to a persona and its reply, as the script of the page is told of them: in HTML of the page."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from config.api.threads import in_database
from crm import replies, talk
from crm.api.chat import frame
from crm.models import Message
from crm.persona_page_values import Shown, shown_exchange
from personas.models import Persona


async def accepted(request: HttpRequest, persona: Persona, message_id: int) -> bytes:
    asked = await in_database(shown_exchange, message_id, persona, with_reply=False)
    return frame("accepted", {"html": await in_database(_rendered, request, persona, asked)})


async def as_frames(pieces: AsyncIterator[str]) -> AsyncIterator[bytes]:
    """`delta` for each piece; a comment, which keeps the connection, for one without words."""
    async with aclosing(cast(Any, pieces)) as words:
        async for piece in words:
            yield frame("delta", {"text": piece}) if piece else b": still writing\n\n"


async def done(
    request: HttpRequest, persona: Persona, message_id: int, end: replies.ReplyEvent | None
) -> bytes:
    """`trouble` says why an answer that was to be replaced is there again."""
    both = await in_database(shown_exchange, message_id, persona, with_reply=True)
    told = {
        "asked": await in_database(_rendered, request, persona, both[:1]),
        "html": await in_database(_rendered, request, persona, both[1:]),
        "stopped": any(one.was_stopped for one in both),
    }
    if is_the_one_before(end, both[1].message if both[1:] else None):
        told["trouble"] = _("No other answer could be written. The one before is kept.")
    return frame("done", told)


def is_the_one_before(end: replies.ReplyEvent | None, reply: Message | None) -> bool:
    """No other answer could be written, so that the one before is there again."""
    failed = isinstance(end, replies.Failed) and end.code != "stopped"
    is_whole = reply is not None and reply.state == Message.State.COMPLETE
    return failed and is_whole and not (reply.plan or {}).get(talk.STOPPED)  # type: ignore[union-attr]


def _rendered(request: HttpRequest, persona: Persona, messages: Sequence[Shown]) -> str:
    return "".join(
        render_to_string("crm/persona_message.html", {"shown": one, "persona": persona}, request=request)
        for one in messages
    )
