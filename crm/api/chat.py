"""`POST /chat`: a message to the agents. The reply as one JSON body, or as server-sent events.

Plain async: waiting for a model holds no thread and no database connection.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from functools import lru_cache, partial
from typing import Any, cast

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers
from rest_framework.exceptions import APIException, AuthenticationFailed, ValidationError
from rest_framework.exceptions import PermissionDenied as ScopeMissing

from config.api.async_views import async_endpoint, authenticate, challenged, throttle
from config.api.authentication import Caller, presented_key
from config.api.errors import ApiError, BudgetExhaustedError, ConflictError, ModelError, NotFoundError
from config.api.failures import failure_of
from config.api.handler import rendered
from config.api.models import ApiKey
from config.api.parsers import json_body
from config.api.permissions import HasScope
from config.api.threads import in_database
from crm import agents_chat, replies, talk
from crm.agents_chat import Asked, Received
from crm.agents_plan import LONGEST_CONTEXT
from crm.api.chat_bodies import answer_body, reply_row
from crm.contacts import InvalidAddress
from crm.session_authentication import UNUSABLE_SESSION, presented_session
from crm.sessions import SessionCaller, caller_for_token
from personas import budget

Body = dict[str, Any]
SCOPE = "chat"
HEARTBEAT_SECONDS = 10  # proxies close a stream that says nothing
# What a failed reply is called: ours are no fault of the vendor's.
OURS = {"internal": (500, "INTERNAL_ERROR"), "interrupted": (503, "SERVICE_UNAVAILABLE")}


class ChatRequestSerializer(serializers.Serializer):
    message = serializers.CharField(max_length=talk.LONGEST_TEXT)
    user_id = serializers.CharField(max_length=320, required=False, allow_null=True, allow_blank=True)
    conversation_id = serializers.CharField(
        max_length=agents_chat.LONGEST_ID, required=False, allow_null=True, allow_blank=True
    )
    session_token = serializers.CharField(max_length=200, required=False, allow_null=True, allow_blank=True)
    session_id = serializers.CharField(
        max_length=agents_chat.LONGEST_ID, required=False, allow_null=True, allow_blank=True
    )
    client_message_id = serializers.CharField(
        max_length=64, required=False, allow_null=True, allow_blank=True
    )
    # Named like an attribute of serializers; the class keeps its fields apart from those.
    context = serializers.DictField(required=False, allow_null=True)  # type: ignore[assignment]

    def validate_context(self, context: dict[str, Any] | None) -> dict[str, Any] | None:
        if len(json.dumps(context, default=str)) > LONGEST_CONTEXT:
            raise ValidationError(f"Must be at most {LONGEST_CONTEXT:,} characters of JSON.")
        return context


@async_endpoint(methods=("POST",))
async def chat(request: HttpRequest) -> HttpResponseBase:
    body, problem = _body(request)
    caller = await chat_caller(request, body)
    if problem is not None:
        raise problem
    asked = asked_in(body, caller)
    received = await _received(caller, asked)
    return await answered(
        request,
        _answer(received, asked, caller),
        accepted=partial(_accepted, received),
        words=pieces(received.message.pk, received.running),
    )


async def answered(
    request: HttpRequest,
    work: Coroutine[Any, Any, Body],
    *,
    accepted: Callable[[], Awaitable[Body]],
    words: AsyncIterator[str],
) -> HttpResponseBase:
    """The body that `work` makes once the reply is whole; for who reads a stream, its words as they come."""
    # In a task of its own: it has the request's facts (its id, its counts) also while a stream is read.
    answer = asyncio.create_task(work)
    answer.add_done_callback(_looked_at)
    if wants_events(request):
        return as_events(_events(request.path, accepted, words, answer))
    return JsonResponse(await answer, headers={"Cache-Control": "no-store"})


def _looked_at(answer: "asyncio.Task[Body]") -> None:
    """A reader who left asks for no result; an error nobody asks for would be logged as forgotten."""
    if not answer.cancelled():
        answer.exception()


def wants_events(request: HttpRequest) -> bool:
    return "text/event-stream" in request.headers.get("Accept", "")


def _body(request: HttpRequest) -> tuple[dict[str, Any], APIException | None]:
    """The body, and what is wrong with it: whoever may not call at all is not told about that."""
    try:
        return json_body(request), None
    except APIException as error:
        return {}, error


async def chat_caller(request: HttpRequest, body: Mapping[str, Any]) -> Caller:
    """An integration by its key, or a chat user by a session token, which wins: it may do less.

    With both, the session must be one of the key's account. Raises APIException.
    """
    token = presented_session(request.headers, body)
    key = presented_key(request.headers)
    by_key = key.startswith(ApiKey.PREFIX)
    if not token:
        return await authenticate(request, SCOPE)
    integration = await authenticate(request, SCOPE) if by_key else None
    caller = await in_database(caller_for_token, token)
    if caller is None or (integration is not None and integration.account != caller.account):
        raise challenged(AuthenticationFailed(UNUSABLE_SESSION))
    if not caller.allows(SCOPE):
        raise ScopeMissing(HasScope.message)
    if integration is None:
        await throttle(request, ident=caller.ident)
    return caller


@lru_cache(maxsize=1)
def _reader() -> ChatRequestSerializer:
    """It keeps nothing of what it reads, and its fields take longer to make than to use."""
    return ChatRequestSerializer()


def asked_in(body: Mapping[str, Any], caller: Caller) -> Asked:
    """What the body asks. Raises ValidationError, and 401 for a user that the session is not of."""
    read = _reader().run_validation(body)
    given: dict[str, Any] = {name: value for name, value in read.items() if value}
    given.pop("session_token", None)
    if isinstance(caller, SessionCaller):
        # A session is one talk, unless the caller names another.
        given.setdefault("session_id", f"session {caller.session_id}")
    elif not (given.get("user_id") or given.get("session_id")):
        raise ValidationError({"user_id": ["Say who writes: an id of ours, or your own."]})
    try:
        talk.checked_client_id(given.get("client_message_id"))
    except talk.InvalidMessage as error:
        raise ValidationError({"client_message_id": [str(error)]}) from error
    return Asked(**given)


async def _received(caller: Caller, asked: Asked) -> Received:
    contact = caller.contact if isinstance(caller, SessionCaller) else None
    try:
        return await agents_chat.begin(caller.account, asked, contact=contact)
    except agents_chat.NotTheSame:
        words = "This session token is not of this user."
        raise challenged(AuthenticationFailed(words)) from None
    except agents_chat.NoSuchTalk:
        raise NotFoundError("conversation") from None
    except agents_chat.Deactivated:
        raise ApiError("FORBIDDEN", "This user is deactivated.", status_code=403) from None
    except InvalidAddress as error:
        raise ValidationError({"user_id": [str(error)]}) from None
    except talk.InvalidMessage as error:
        raise ValidationError({"message": [str(error)]}) from None
    except talk.TalkError as error:
        raise ConflictError(str(error), details={"conversation_id": asked.conversation_id or None}) from None


# --- The reply ------------------------------------------------------------------------------


async def _answer(received: Received, asked: Asked, caller: Caller) -> dict[str, Any]:
    """The body of success, once the reply is whole. Raises ApiError."""
    end = await ended(received.message.pk, received.running)
    if isinstance(end, replies.Failed):
        raise _failure(end, received)
    if isinstance(end, replies.Nothing) and end.why != "silent":
        words = "A newer message was sent, or this conversation has ended."
        raise ConflictError(words, details=_stored(received))
    reply = await reply_row(received)
    session_id = str(caller.session_id) if isinstance(caller, SessionCaller) else asked.session_id
    return answer_body(received, reply, user_id=asked.user_id, session_id=session_id)


async def ended(message_id: int, running: replies.Running | None = None) -> replies.ReplyEvent | None:
    """How the reply of a message ended. Woken once, not at every word.

    `running` is the one that the caller began: without it, one that has failed meanwhile is begun anew.
    """
    running = running or replies.ensure_reply(message_id)
    await running.over.wait()
    if running.end is not None:
        return running.end
    last: replies.ReplyEvent | None = None
    async for event in replies.stream_reply(message_id, running):  # another process writes it
        last = event
    return last


def _stored(received: Received) -> dict[str, Any]:
    """For whoever tries again: the message is kept."""
    return {
        "message_id": str(received.message.pk),
        "client_message_id": received.message.client_message_id,
        "conversation_id": received.shown_conversation_id,
    }


def _failure(end: replies.Failed, received: Received) -> ApiError:
    details = _stored(received)
    if end.code == budget.EXHAUSTED:
        wait = budget.seconds_to_midnight()
        return BudgetExhaustedError(end.message, retry_after_seconds=wait, details=details)
    if end.code == "content_filter" and not end.retryable:  # the moderation's; a vendor may think again
        details |= {"reason": end.code, "retryable": end.retryable}
        return ApiError("CONTENT_FILTER", end.message, status_code=422, details=details)
    if end.code in OURS:
        status, code = OURS[end.code]
        details |= {"reason": end.code, "retryable": end.retryable}
        return ApiError(code, end.message, status_code=status, details=details)
    return ModelError(end.code, end.message, is_retryable=end.retryable, details=details)


# --- Server-sent events (docs/chat-api.md) ----------------------------------------------------


def as_events(frames: AsyncIterator[bytes]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(frames, content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would gather the pieces
    return response


async def _accepted(received: Received) -> Body:
    return {**_stored(received), "agent": received.agent_slug}


async def _events(
    path: str,
    accepted: Callable[[], Awaitable[Body]],
    words: AsyncIterator[str],
    answer: "asyncio.Task[Body]",
) -> AsyncIterator[bytes]:
    yield frame("accepted", await accepted())
    async with aclosing(cast(Any, words)):
        async for piece in words:
            yield frame("delta", {"text": piece}) if piece else b": still writing\n\n"
    try:
        yield frame("done", await answer)
    except APIException as error:
        failure = failure_of(error)
        if failure is not None:
            yield frame("error", rendered(path, failure)[1])


async def pieces(message_id: int, running: replies.Running | None = None) -> AsyncIterator[str]:
    """The words of a reply as they come; "" when there were none for a while."""
    async with aclosing(cast(Any, events_of(message_id, running))) as events:
        async for event in events:
            if event is None or isinstance(event, replies.Piece):
                yield event.text if event is not None else ""


async def events_of(
    message_id: int, running: replies.Running | None = None
) -> AsyncIterator[replies.ReplyEvent | None]:
    """What happens to a reply, to its end; None when nothing did for a while."""
    events = cast(Any, replies.stream_reply(message_id, running))
    async with aclosing(events) as source:
        waiting = asyncio.ensure_future(anext(source, None))
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS)
                event = waiting.result() if done else None
                if done and event is None:
                    return
                yield event
                if done:
                    waiting = asyncio.ensure_future(anext(source, None))
        finally:
            # The reader left in the middle: the step must have ended before the stream can be closed.
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({waiting})


def frame(name: str, data: Mapping[str, Any]) -> bytes:
    # JSON holds no bare line break, which would end the frame.
    return f"event: {name}\ndata: {json.dumps(data, default=str)}\n\n".encode()
