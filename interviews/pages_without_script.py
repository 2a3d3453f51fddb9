"""The chat as a form: the message is stored, its reply awaited, and the browser sent back to the page.

Plain async views: waiting for a model holds no thread and no database connection.
"""

import asyncio
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_http_methods

from config.api.security import capability_page
from config.api.threads import in_database
from config.api.throttling import atake
from crm import replies, talk
from crm.models import Message
from interviews import starting
from interviews.entering import NoWayIn, entered, no_way_in
from interviews.languages import spoken
from interviews.models import Interview
from interviews.page_values import act_words
from interviews.pages import page_as_it_is

REPLY_PATIENCE = 25  # seconds; then the page shows that the reply is being written
PER_TALK = {"per_second": 10, "per_minute": 40}
# By the code of the note that says why a form was not taken.
STATUSES = {"empty": 400, "long": 400, "fast": 429, "busy": 409, "ended": 409, "refused": 409}


class NotTakenError(Exception):
    """The message cannot be taken; carries the code of the note that says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the form says. `retry` is the seq of a message whose reply failed."""

    text: str
    act: str
    question_key: str
    client_message_id: str
    retry: int | None

    @classmethod
    def from_form(cls, form: QueryDict) -> "Asked":
        act, retry = form.get("act", ""), form.get("retry", "")
        chosen = form.get("choice", "") or (form.get("date", "") if form.get("pick") else "")
        return cls(
            # Browsers send two characters for the one that a line ends with in the box.
            text=chosen or form.get("text", "").replace("\r\n", "\n"),
            act="" if chosen or act not in {*act_words(), "correct"} else act,
            # Which question is before the one that was asked, the talk knows.
            question_key=form.get("question_key", "") if act not in ("", "back") else "",
            client_message_id=form.get("client_message_id", ""),
            retry=int(retry) if retry.isascii() and retry.isdigit() and len(retry) < 10 else None,
        )


@require_http_methods(["GET", "HEAD", "POST"])
@capability_page
async def send(request: HttpRequest, conversation_id: UUID) -> HttpResponseBase:
    if request.method != "POST":
        return _back(conversation_id, note="")  # as a browser restores a tab
    try:
        interview = await in_database(entered, request, conversation_id)
    except NoWayIn as refused:
        return await in_database(_refused, request, conversation_id, refused)
    allowance = await atake(f"talk:{conversation_id}", bucket="form", **PER_TALK)
    with translation.override(spoken(interview.guide.language)):
        asked = Asked.from_form(request.POST)
        try:
            if not allowance.allowed:
                raise NotTakenError("fast")
            message_id = await in_database(_taken, interview, asked)
        except NotTakenError as refusal:
            return await in_database(_not_taken, request, interview, asked, str(refusal))
        return _back(conversation_id, note=await _note_of_reply(message_id))


def _refused(request: HttpRequest, conversation_id: UUID, refused: NoWayIn) -> HttpResponse:
    return no_way_in(request, str(conversation_id), status=refused.status, language=refused.language)


def _not_taken(request: HttpRequest, interview: Interview, asked: Asked, why: str) -> HttpResponse:
    """The page again. What the person wrote is in its box: a redirect would lose it."""
    if not asked.text.strip():
        return _back(interview.conversation_id, note=why)
    interview.refresh_from_db()  # it may have ended, or been opened again, meanwhile
    key = asked.question_key if asked.act == "correct" else ""
    return page_as_it_is(
        request, interview, refused=why, draft=asked.text, draft_key=key, status=STATUSES[why]
    )


def _back(conversation_id: UUID, *, note: str) -> HttpResponseRedirect:
    address = reverse("interview-page", args=[conversation_id])
    return HttpResponseRedirect(f"{address}?note={note}#latest" if note else f"{address}#latest")


def _taken(interview: Interview, asked: Asked) -> int:
    """The id of the stored message, or of the one to try again. Raises NotTakenError."""
    if asked.retry is not None:
        return _to_retry(interview, asked.retry)
    text = asked.text.strip() or act_words().get(asked.act, "")
    try:
        if asked.act == "correct":
            # A talk that was opened again for words that cannot be taken would stay open.
            talk.checked_text(text)
            talk.checked_client_id(asked.client_message_id)
            _open_for_correction(interview)
        message, _new = talk.record_message(
            interview.conversation,
            text,
            asked.client_message_id,
            act=asked.act,
            question_key=asked.question_key,
        )
    except talk.TalkError as error:
        raise NotTakenError(_code_of(error, text)) from error
    starting.take_up_again(interview.conversation_id)
    return message.pk


def _to_retry(interview: Interview, seq: int) -> int:
    rows = Message.objects.filter(
        conversation_id=interview.conversation_id, seq=seq, author=Message.Author.PERSON
    )
    found: int | None = rows.values_list("pk", flat=True).first()
    if found is None:
        raise NotTakenError("refused")
    return found


def _open_for_correction(interview: Interview) -> None:
    try:
        starting.reopen_for_correction(interview.pk)
    except starting.MoveRefused as error:
        raise NotTakenError("refused") from error
    interview.conversation.refresh_from_db()


def _code_of(error: talk.TalkError, text: str) -> str:
    if isinstance(error, talk.TurnTaken):
        return "busy"
    if isinstance(error, talk.TalkClosed):
        return "ended"
    return "long" if len(text) > talk.LONGEST_TEXT else "empty"


async def _note_of_reply(message_id: int) -> str:
    """Awaits the reply, within limits; it is written to its end also when nobody waits any more."""
    events = replies.stream_reply(message_id)
    try:
        async with asyncio.timeout(REPLY_PATIENCE):
            async for event in events:
                if isinstance(event, replies.Failed):
                    return "failed"
    except TimeoutError:
        return ""  # the page itself says that it is being written
    return ""
