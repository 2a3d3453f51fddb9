"""`POST /interview/process` and `/interview/kb-training`: PDF → storage → knowledge, in the background.

Workers do it; the call waits for them a while. Plain async, so that waiting holds no thread.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from rest_framework import serializers

from config.api.async_views import async_endpoint
from config.api.audit import record
from config.api.authentication import Caller
from config.api.errors import ApiError, NotFoundError
from config.api.models import Account
from config.api.named_accounts import account_named
from config.api.parsers import json_body
from config.api.threads import in_database
from crm import contacts
from crm.models import Message
from interviews import pdf_links, processing, requesting, sessions, starting
from interviews.account_agents import collection_named, ids_of
from interviews.api.marketing.naming import SCOPE, email_in
from interviews.api.marketing.shapes import is_known, outcome_of
from interviews.models import Interview, ProcessingStep
from knowledge import remote
from knowledge.models import Document, RemoteCopy

PATIENCE = 20.0  # seconds that a call waits; what is not done by then goes on, and the same call asks again
LOOK_EVERY = 0.2  # seconds
Name, Step = ProcessingStep.Name, ProcessingStep.State
GOES_ON = "It is being processed. The same call again tells how far it is."
DONE = "The interview was processed."
VENDOR_REFUSED = "The vendor's knowledge base did not take it. The same call offers it again."
GAVE_UP = "A step of the processing failed."


class ProcessSerializer(serializers.Serializer):
    user_id = serializers.CharField(max_length=64)
    email = serializers.CharField(max_length=320)
    rag_id = serializers.CharField(
        max_length=100,
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Where the transcript goes; a name that is not there yet is a new knowledge base.",
    )


@async_endpoint(scope=SCOPE, methods=("POST",))
async def process(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    interview = await _processed(request, caller)
    return _private(await in_database(processed_body, interview.pk))


@async_endpoint(scope=SCOPE, methods=("POST",))
async def kb_training(request: HttpRequest, caller: Caller) -> HttpResponseBase:
    interview = await _processed(request, caller)
    await in_database(_train_again, interview.pk)
    await _wait_while(_is_being_trained, interview.pk)
    return _private(await in_database(training_body, interview.pk))


def _private(body: Mapping[str, Any]) -> JsonResponse:
    return JsonResponse(body, headers={"Cache-Control": "no-store"})


async def _processed(request: HttpRequest, caller: Caller) -> Interview:
    """Asks for the work, and waits until it is done, has failed, or takes too long."""
    interview = await in_database(begin, json_body(request), caller)
    await _wait_while(_is_under_way, interview.pk)
    return interview


async def _wait_while(is_under_way: Callable[[UUID], bool], interview_id: UUID) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            # Another process does it, so there is nothing here to be woken by.
            while await in_database(is_under_way, interview_id):  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY)


def begin(body: Mapping[str, Any], caller: Caller) -> Interview:
    """Ends the talk if it is open, and has its steps done. Done before, nothing is done again.

    Raises ValidationError, 404 without an interview, 400 when there is nothing to process.
    """
    read = ProcessSerializer(data=body)
    read.is_valid(raise_exception=True)
    account = account_named(caller, read.validated_data["user_id"])
    interview = sessions.interview_of(account, email_in(read.validated_data["email"]))
    if interview is None:
        raise NotFoundError("interview")
    if not sessions.message_count(interview.conversation_id):
        raise ApiError("NO_HISTORY", "Nothing was said in this interview yet.", status_code=400)
    if rag_id := read.validated_data.get("rag_id") or ids_of(account).rag_id:
        _send_to(account, interview, rag_id)
    ended = requesting.complete(account, interview)
    if ended.state not in starting.FINISHED:
        raise ApiError("NO_HISTORY", "No question was answered in this interview.", status_code=400)
    processing.retry(ended)
    record(account, "key", caller.name, "processed an interview", target=ended)
    return ended


def _send_to(account: Account, interview: Interview, rag_id: str) -> None:
    """From now on its transcript belongs there."""
    collection = collection_named(account, rag_id)
    if interview.collection_id != collection.pk:
        Interview.objects.filter(pk=interview.pk).update(collection=collection)


def _is_under_way(interview_id: UUID) -> bool:
    """Also of a transcript that was read into another place, which is then read anew into its own."""
    rows = Interview.objects.select_related("document").filter(pk=interview_id)
    interview = rows.first()
    if interview is None or interview.state != Interview.State.PROCESSED:
        return interview is not None and interview.state == Interview.State.COMPLETED
    document = interview.document
    if interview.collection_id is None or document is None:
        return False
    if document.collection_id == interview.collection_id:
        return False
    return processing.repeat(interview.steps.get(name=Name.KNOWLEDGE))


# --- At a vendor, where the knowledge base is one of theirs too -------------------------------


def _copy_of(interview_id: UUID) -> RemoteCopy | None:
    document = Document.objects.filter(interviews=interview_id).select_related("collection").first()
    return remote.copy_of(document) if document is not None else None


def _train_again(interview_id: UUID) -> None:
    """What the vendor would not take before is offered again."""
    copy = _copy_of(interview_id)
    if copy is not None and copy.state == RemoteCopy.State.FAILED:
        remote.repeat(RemoteCopy.objects.filter(pk=copy.pk))


def _is_being_trained(interview_id: UUID) -> bool:
    copy = _copy_of(interview_id)
    return copy is not None and copy.state in (RemoteCopy.State.WAITING, RemoteCopy.State.PARSED)


# --- What is answered -----------------------------------------------------------------------


def processed_body(interview_id: UUID) -> dict[str, Any]:
    """Both documented forms in one: `processing_result`, and the steps one by one."""
    interview = _read(interview_id)
    said = Message.objects.filter(
        conversation_id=interview.conversation_id, state=Message.State.COMPLETE
    ).count()
    return {
        **_named(interview),
        "message": _words(interview),
        "processing_result": _result(interview, said),
        "workflow_completed": interview.state == Interview.State.PROCESSED,
        "step_1_chat_history": {"success": True, "messages_count": said},
        "step_2_categorization": _categorised(interview),
        "step_3_pdf_creation": {"success": _is_done(interview, Name.PDF), "pdf_size_bytes": _size(interview)},
        "step_4_s3_upload": _uploaded(interview),
        "kb_training_note": "The knowledge base reads the transcript in the same run.",
    }


def training_body(interview_id: UUID) -> dict[str, Any]:
    interview = _read(interview_id)
    collection = interview.collection or interview.guide.collection
    text = "\n\n".join(f"[{author.upper()}] {text}" for author, text in _spoken(interview))
    copy = _copy_of(interview.pk)
    trained = is_known(interview) and (copy is None or copy.state == RemoteCopy.State.TRAINED)
    return {
        **_named(interview),
        "message": _words(interview),
        "rag_id": collection.slug if collection else "",
        "training_success": trained,
        "training_result": {**_trained(interview), **({"vendor": copy.answer} if copy is not None else {})},
        "training_error": None if trained else _training_error(interview, copy),
        "chat_messages_processed": len(_spoken(interview)),
        "text_content_length": len(text),
        "training_skipped": False,
    }


def _training_error(interview: Interview, copy: RemoteCopy | None) -> str:
    if copy is not None and copy.state == RemoteCopy.State.FAILED:
        return VENDOR_REFUSED
    return _error(interview, Name.KNOWLEDGE) or GOES_ON


def _read(interview_id: UUID) -> Interview:
    account = Account.objects.get(interviews=interview_id)
    return sessions.interviews_of(account).get(pk=interview_id)


def _named(interview: Interview) -> dict[str, Any]:
    email = contacts.email_of(interview.contact)
    return {
        "user_id": interview.account.slug,
        "email": email,
        "session_id": sessions.label_of(interview),
        "interview_token": sessions.token_of(interview.account, email),
    }


def _words(interview: Interview) -> str:
    if interview.state == Interview.State.FAILED:
        return GAVE_UP
    return DONE if interview.state == Interview.State.PROCESSED else GOES_ON


def _result(interview: Interview, said: int) -> dict[str, Any]:
    outcome = outcome_of(interview)
    trouble: dict[str, Any] = {}
    if error := _error(interview, Name.KNOWLEDGE):
        trouble |= {"kb_error": error, "kb_error_type": "knowledge"}
    if error := _error(interview, Name.STORAGE):
        trouble |= {"s3_error": error, "s3_error_type": "storage"}
    return {
        "session_id": sessions.label_of(interview),
        "chat_messages_count": said,
        "pdf_generated": outcome["pdf_generated"],
        "pdf_size_bytes": _size(interview),
        "rag_id": outcome["rag_id"],
        "kb_trained": outcome["kb_trained"],
        "train_response": _trained(interview),
        "training_method": "direct_pdf",
        "pdf_s3_url": outcome["pdf_s3_url"],
        "s3_upload_success": outcome["s3_upload_success"],
        **trouble,
    }


def _trained(interview: Interview) -> dict[str, Any]:
    if interview.document is None:
        return {}
    return {"document_id": str(interview.document.pk), "passages": interview.document.chunk_count}


def _categorised(interview: Interview) -> dict[str, Any]:
    words = {name: getattr(interview, name) for name in ("title", "subheading", "category")}
    return {"success": bool(interview.category), "categorization": words}


def _uploaded(interview: Interview) -> dict[str, Any]:
    stored = bool(interview.pdf.name)
    return {
        "success": stored,
        "s3_url": pdf_links.recorded_url(interview),
        "signed_url": pdf_links.signed_url(interview, lasts=pdf_links.LISTED_FOR)[0] if stored else None,
        "error": _error(interview, Name.STORAGE),
    }


def _step(interview: Interview, name: str) -> ProcessingStep | None:
    return next((step for step in interview.steps.all() if step.name == name), None)


def _is_done(interview: Interview, name: str) -> bool:
    step = _step(interview, name)
    return step is not None and step.state == Step.DONE


def _error(interview: Interview, name: str) -> str | None:
    """That it failed. Why is for staff: their list of interviews tells it."""
    step = _step(interview, name)
    failed = step is not None and step.state == Step.FAILED
    return f"The step “{Name(name).label}” failed and can be repeated." if failed else None


def _size(interview: Interview) -> int | None:
    step = _step(interview, Name.PDF)
    size = step.result.get("bytes") if step is not None else None
    return int(size) if size is not None else None


def _spoken(interview: Interview) -> list[tuple[str, str]]:
    rows = Message.objects.filter(
        conversation_id=interview.conversation_id, state=Message.State.COMPLETE
    ).order_by("seq")
    return [
        ("user" if author == Message.Author.PERSON else "assistant", text)
        for author, text in rows.values_list("author", "text")
    ]
