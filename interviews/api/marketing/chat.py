"""`POST /chat/send` and its streaming variants: what a person writes in the caller's own chat.

Plain async: waiting for a model holds no thread and no database connection.
"""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers

from config.api.async_views import async_endpoint
from config.api.authentication import Caller
from config.api.errors import ApiError, ConflictError
from config.api.marketing_words import ACTIVE, SESSION
from config.api.models import Account
from config.api.named_accounts import account_named
from config.api.parsers import json_body
from config.api.threads import in_database
from crm import replies, talk
from crm.api.chat import as_events, ended, events_of
from crm.contacts import InvalidAddress
from crm.models import Message
from crm.turns import Turn
from interviews import agent_talks, requesting, sessions
from interviews.account_agents import ids_of
from interviews.api.marketing.naming import SCOPE, label_in
from interviews.sessions import BadLabel, Label, read_label
from interviews.starting import MoveRefused

METADATA, COMPLETE = "metadata", "complete"
DONE = b"data: [DONE]\n\n"
KEEP_ALIVE = b": still writing\n\n"
STREAM_FAILED = "Streaming failed"


class MessageSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    agent_id = serializers.CharField(
        max_length=100,
        required=False,
        allow_blank=True,
        allow_null=True,
        default="",
        help_text="The account's own agents answer; another id changes nothing.",
    )
    session_id = serializers.CharField(max_length=sessions.LONGEST_LABEL)
    message = serializers.CharField(max_length=talk.LONGEST_TEXT)
    client_message_id = serializers.CharField(
        max_length=64,
        required=False,
        allow_null=True,
        help_text="The same id again is the same message with the same reply.",
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A message for one session of one account."""

    account: Account
    session_id: str
    text: str
    agent_id: str
    client_message_id: str | None
    caller: Caller

    @property
    def label(self) -> Label:
        return label_in(self.session_id)


@dataclass(frozen=True, slots=True)
class Received:
    """It is stored. `session` is the id as we say it; `message_count` None where nothing is counted."""

    message: Message
    turn: Turn | None
    session_id: str
    message_count: int | None
    running: replies.Running | None = None


@async_endpoint(scope=SCOPE, methods=("POST",))
async def send(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    asked = await in_database(_asked, json_body(request), caller)
    received = await _kept(_to_interview, asked)
    end = await ended(received.message.pk, received.running)
    text = _text_of(end)
    answer = await in_database(_answer, asked, received, text)
    return JsonResponse(answer, headers={"Cache-Control": "no-store"})


@async_endpoint(scope=SCOPE, methods=("POST",))
async def interview_stream(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    asked = await in_database(_asked, json_body(request), caller)
    return as_events(_frames(await _kept(_to_interview, asked)))


@async_endpoint(scope=SCOPE, methods=("POST",))
async def agent_stream(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    asked = await in_database(_asked, json_body(request), caller)
    return as_events(_frames(await _kept(_to_agent, asked)))


# --- What comes in --------------------------------------------------------------------------


def _asked(body: Mapping[str, Any], caller: Caller) -> Asked:
    """Raises ValidationError (422), and 404 for an account that is not the caller's."""
    read = MessageSerializer(data=body)
    read.is_valid(raise_exception=True)
    given = read.validated_data
    return Asked(
        account=account_named(caller, given["user_id"]),
        session_id=given["session_id"].strip(),
        text=given["message"],
        agent_id=given["agent_id"] or "",
        client_message_id=given.get("client_message_id"),
        caller=caller,
    )


async def _kept(store: Callable[[Asked], Received], asked: Asked) -> Received:
    """Stores the message and begins its reply. A caller who leaves stops nothing of it."""
    received = await in_database(store, asked)
    return replace(received, running=replies.ensure_reply(received.message.pk, received.turn))


def _to_interview(asked: Asked) -> Received:
    label = asked.label
    account = account_named(asked.caller, label.user_id)
    if account.pk != asked.account.pk:
        raise ApiError("BAD_SESSION_ID", "This session is not one of this user_id.", status_code=400)
    with _told():
        taken = requesting.take(
            account,
            label.email,
            asked.text,
            client_message_id=asked.client_message_id,
            vouched_by=asked.caller.name,
        )
    return Received(taken.message, taken.turn, str(label), taken.message_count)


def _to_agent(asked: Asked) -> Received:
    """To the account's chat agent; while the person's interview is under way, to that.

    The documented browser client posts the answers of interviews to this address.
    """
    if _is_interview(asked):
        return _to_interview(asked)
    with _told():
        message, turn = agent_talks.take(
            asked.account,
            asked.session_id,
            asked.text,
            client_message_id=asked.client_message_id,
        )
    return Received(message, turn, asked.session_id, None)


def _is_interview(asked: Asked) -> bool:
    try:
        label = read_label(asked.session_id)
    except BadLabel:
        return False
    if label.user_id != asked.account.slug or asked.agent_id == (ids_of(asked.account).chat_agent_id or None):
        return False
    interview = sessions.interview_of(asked.account, label.email)
    return interview is not None and sessions.ended_at(interview) is None


@contextmanager
def _told() -> Iterator[None]:
    """Our stories' exceptions as the API's."""
    try:
        yield
    except InvalidAddress as error:
        raise ApiError("BAD_SESSION_ID", str(error), status_code=400) from None
    except talk.InvalidMessage as error:
        raise serializers.ValidationError({"message": [str(error)]}) from None
    except (talk.TalkError, MoveRefused) as error:
        raise ConflictError(str(error)) from None


# --- The reply ------------------------------------------------------------------------------


def _text_of(end: replies.ReplyEvent | None) -> str:
    """Raises ApiError: 502 of a vendor, 504 when it took too long, 409 when nothing will come."""
    if isinstance(end, replies.Finished):
        return str(end.message["text"])
    if isinstance(end, replies.Failed):
        status = 504 if end.code == "timeout" else 503 if end.code in ("internal", "interrupted") else 502
        details = {"reason": end.code, "retryable": end.retryable}
        raise ApiError("UPSTREAM_ERROR", end.message, status_code=status, details=details)
    if isinstance(end, replies.Nothing) and end.why == "silent":
        return ""  # staff took the talk over, and answer when they have read it
    raise ConflictError("A newer message was sent, or this session has ended.")


def _answer(asked: Asked, received: Received, text: str) -> dict[str, Any]:
    interview = sessions.interview_of(asked.account, asked.label.email)
    return {
        "response": text,
        "agent_response": text,
        "session_id": received.session_id,
        "user_id": asked.account.slug,
        "message_count": received.message_count,
        "session_status": SESSION[interview.state] if interview else ACTIVE,
        "message_id": str(received.message.pk),
    }


async def _frames(received: Received) -> AsyncIterator[bytes]:
    """`data: …` and a blank line each: counts, the words as {"content"}, counts again, [DONE] once."""
    counts = received.message_count is not None
    if counts:
        yield _counted(received, METADATA)
    end: replies.ReplyEvent | None = None
    sent = ""
    async with aclosing(cast(Any, events_of(received.message.pk, received.running))) as events:
        async for event in events:
            words = _new_words(event, sent)
            sent += words
            if event is None:
                yield KEEP_ALIVE
            elif words:
                yield _data({"content": words})
            end = event
    try:
        _text_of(end)
    except ApiError as error:
        yield _data({"error": STREAM_FAILED, "detail": error.message})
    else:
        if counts:
            yield _counted(received, COMPLETE)
    yield DONE


def _new_words(event: replies.ReplyEvent | None, sent: str) -> str:
    """A reply that was whole before anybody read it comes without pieces."""
    if isinstance(event, replies.Piece):
        return event.text
    if isinstance(event, replies.Finished):
        text = str(event.message["text"])
        return text.removeprefix(sent) if text.startswith(sent) else ""
    return ""


def _counted(received: Received, kind: str) -> bytes:
    return _data({"message_count": received.message_count, "type": kind})


def _data(value: Mapping[str, Any]) -> bytes:
    # JSON holds no bare line break, which would end the frame.
    return f"data: {json.dumps(value)}\n\n".encode()
