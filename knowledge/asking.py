"""Asking over HTTP: the answer as one JSON body, or as it is written, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any, cast

from django.contrib.auth.base_user import AbstractBaseUser
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from config.api import envelope
from config.api.async_views import async_endpoint
from config.api.authentication import Caller
from config.api.errors import ApiError, NotFoundError
from config.api.models import Account
from config.api.parsers import parse_json
from config.api.threads import in_database
from knowledge.answering import LONGEST_QUESTION, AnswerEvent, answer
from knowledge.models import Collection
from knowledge.search import readable_collections

HEARTBEAT_SECONDS = 10  # proxies close a stream that says nothing
MOST_BODY_BYTES = 64 * 1024


def wants_events(request: HttpRequest) -> bool:
    return "text/event-stream" in request.headers.get("Accept", "")


@async_endpoint(scope="knowledge", methods=("POST",))
async def ask(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    """POST {"question", "collections"?: [slug]}: an answer with citations."""
    body = _body(request)
    question = question_in(body)
    collections = await in_database(named_collections, caller.account, slugs_in(body))
    events = answer(question, account=caller.account, collections=collections, asked_by=caller.name)
    if wants_events(request):
        return as_events(events)
    return await _as_json(question, events)


def _body(request: HttpRequest) -> dict[str, Any]:
    if len(request.body) > MOST_BODY_BYTES:
        raise ApiError("PAYLOAD_TOO_LARGE", "The question is too large.", status_code=413)
    body = parse_json(request.body)
    if not isinstance(body, dict):
        raise ApiError("VALIDATION_ERROR", "The body must be a JSON object.")
    return body


def question_in(body: dict[str, Any]) -> str:
    question = body.get("question")
    if not isinstance(question, str) or not question.strip():
        raise ApiError(
            "VALIDATION_ERROR", "Ask a question.", details={"question": ["This field is required."]}
        )
    if len(question) > LONGEST_QUESTION:
        words = f"Must be at most {LONGEST_QUESTION:,} characters."
        raise ApiError("VALIDATION_ERROR", f"question: {words}", details={"question": [words]})
    return question.strip()


def slugs_in(body: dict[str, Any]) -> list[str] | None:
    slugs = body.get("collections")
    if slugs is None:
        return None
    if not isinstance(slugs, list) or not all(isinstance(slug, str) for slug in slugs) or len(slugs) > 100:
        words = "Must be a list of at most 100 collection slugs."
        raise ApiError("VALIDATION_ERROR", f"collections: {words}", details={"collections": [words]})
    return [slug.replace("\x00", "") for slug in slugs]


def named_collections(account: Account, slugs: list[str] | None) -> list[Collection]:
    """The collections to search; all that staff may read when none is named. Raises NotFoundError."""
    if slugs is None:
        return readable_collections(account, staff=True)
    found = list(Collection.objects.for_account(account).filter(slug__in=slugs))
    if len(found) < len(set(slugs)):
        raise NotFoundError("collection")
    return found


async def _as_json(question: str, events: AsyncIterator[AnswerEvent]) -> JsonResponse:
    last = AnswerEvent("failed")
    async for event in events:
        last = event
    if last.name == "failed":
        message = str(last.data.get("message", "No answer could be written. Try again."))
        status = 503 if last.data.get("retryable") else 502
        code = "SERVICE_UNAVAILABLE" if status == 503 else "UPSTREAM_ERROR"
        raise ApiError(code, message, status_code=status, details=last.data)
    return JsonResponse(envelope.body({"question": question, **last.data}))


# --- Server-sent events ---------------------------------------------------------------------


def as_events(events: AsyncIterator[AnswerEvent]) -> StreamingHttpResponse:
    response = StreamingHttpResponse(_framed(events), content_type="text/event-stream; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # nginx would gather the pieces
    return response


async def _framed(events: AsyncIterator[AnswerEvent]) -> AsyncIterator[bytes]:
    """Each event as a frame, and a comment when nothing was said for a while."""
    async with aclosing(cast(Any, events)) as source:
        waiting = asyncio.ensure_future(anext(source, None))
        try:
            while True:
                done, _ = await asyncio.wait({waiting}, timeout=HEARTBEAT_SECONDS)
                if not done:
                    yield b": still writing\n\n"
                    continue
                event = waiting.result()
                if event is None:
                    return
                yield frame(event)
                waiting = asyncio.ensure_future(anext(source, None))
        finally:
            # The reader left in the middle: the answer must have ended before it can be closed.
            waiting.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait({waiting})


def frame(event: AnswerEvent) -> bytes:
    # JSON holds no bare line break, which would end the frame.
    return f"event: {event.name}\ndata: {json.dumps(event.data)}\n\n".encode()


# --- For staff, by their session --------------------------------------------------------------


async def ask_as_staff(request: HttpRequest) -> HttpResponseBase:
    """The stream behind the admin's Ask page: form fields `question`, `account`, `collections`."""
    user = await request.auser()
    if not await in_database(may_ask, user):
        return HttpResponse(status=404)
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    try:
        question = question_in({"question": request.POST.get("question", "")})
        account, collections = await in_database(
            chosen, request.POST.get("account", ""), request.POST.getlist("collections")
        )
    except ApiError as error:
        return JsonResponse({"message": error.message}, status=error.status_code)
    staff = cast(AbstractBaseUser, user)
    return as_events(
        answer(question, account=account, collections=collections, asked_by=staff.get_username(), user=staff)
    )


def may_ask(user: Any) -> bool:
    return bool(
        user.is_active and user.is_staff and (user.is_superuser or user.has_perm("knowledge.view_question"))
    )


def chosen(account_slug: str, slugs: list[str]) -> tuple[Account, list[Collection]]:
    """The account and collections that staff chose, or all they may read. Raises NotFoundError."""
    account = Account.objects.filter(slug=account_slug.replace("\x00", "")).first()
    if account is None:
        raise NotFoundError("account")
    readable = readable_collections(account, staff=True)
    collections = [collection for collection in readable if collection.slug in slugs] if slugs else readable
    return account, collections
