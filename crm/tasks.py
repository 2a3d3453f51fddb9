"""Wake-ups: each task names one row; the sweep finds, from rows alone, the work whose wake-up was lost."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.db.models import F
from django.utils import timezone

from crm import erasure, likeness, media_unused, merging, remembering, replies, sessions, turns
from crm.models import Conversation, Message
from crm.talk import TURN_PATIENCE

# A reply whose process died is tried once more by the sweep; after that the person's page offers to.
MOST_ATTEMPTS = 2
# Nobody waits for an answer any more after this long; a page that returns can still ask for it.
STILL_WANTED = timedelta(hours=24)
MOST_AT_ONCE = 40
WRITERS = 8
SWEEP_SECONDS = 55


@shared_task(name="crm.tasks.run_erasure")
def run_erasure(erasure_id: str) -> None:
    erasure.run(erasure_id)


@shared_task(name="crm.tasks.sweep")
def sweep() -> None:
    turns.interrupt_silent()
    waiting = unanswered()
    if waiting:
        asyncio.run(write_replies(waiting))
    for erasure_id in erasure.due().values_list("pk", flat=True)[:MOST_AT_ONCE]:
        run_erasure.delay(str(erasure_id))
    tidy.delay()


@shared_task(name="crm.tasks.tidy")
def tidy() -> None:
    """What nobody waits for, apart from the sweep so that it cannot hold replies up."""
    sessions.sweep_ended()
    merging.sweep()
    likeness.search_on()
    media_unused.remove()
    for conversation_id in remembering.due():
        remember.delay(str(conversation_id))


@shared_task(name="crm.tasks.remember")
def remember(conversation_id: str) -> None:
    """One model call; its own time-outs end it within a minute, else its lease does."""
    asyncio.run(_remember(UUID(conversation_id)))


async def _remember(conversation_id: UUID) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(SWEEP_SECONDS):
            await remembering.remember(conversation_id)


def unanswered() -> list[int]:
    """Last messages of open talks that have no reply, or one that was interrupted."""
    now = timezone.now()
    last = Message.objects.filter(
        author=Message.Author.PERSON,
        conversation__state=Conversation.State.OPEN,
        conversation__last_activity_at__gt=now - STILL_WANTED,
        conversation__taken_over_by=None,
        conversation__persona__isnull=False,
    )
    never_begun = last.filter(reply=None, seq=F("conversation__last_seq"), created_at__lt=now - TURN_PATIENCE)
    interrupted = last.filter(
        reply__state=Message.State.FAILED,
        reply__error_code="interrupted",
        reply__attempts__lt=MOST_ATTEMPTS,
        reply__seq=F("conversation__last_seq"),
    )
    ids = [*never_begun.values_list("pk", flat=True)[:MOST_AT_ONCE]]
    return [*ids, *interrupted.values_list("pk", flat=True)[: MOST_AT_ONCE - len(ids)]]


async def write_replies(message_ids: list[int]) -> None:
    """A few at a time, and no longer than a task may live: what is cut off is interrupted, and found
    again.
    """
    places = asyncio.Semaphore(WRITERS)

    async def write(message_id: int) -> None:
        async with places:
            async for _event in replies.stream_reply(message_id):
                pass

    work = [asyncio.create_task(write(message_id)) for message_id in message_ids]
    _done, left = await asyncio.wait(work, timeout=SWEEP_SECONDS)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
