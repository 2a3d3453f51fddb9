"""Wake-ups of the interviews. The sweep finds from rows whatever a wake-up was lost for."""

from typing import Any
from uuid import UUID

from celery import shared_task
from django.dispatch import receiver

from interviews import processing, starting
from interviews.steps import LOOK_AGAIN
from knowledge.signals import document_settled


@shared_task(name="interviews.tasks.process")
def process(interview_id: str) -> None:
    if processing.run(UUID(interview_id)):
        process.apply_async((interview_id,), countdown=LOOK_AGAIN.total_seconds())


@shared_task(name="interviews.tasks.finish")
def finish(conversation_id: str) -> None:
    processing.finish(UUID(conversation_id))


@receiver(document_settled, dispatch_uid="interviews.hurry")
def _on_settled(sender: Any, document_id: UUID, **kwargs: Any) -> None:
    processing.hurry(document_id)


@shared_task(name="interviews.tasks.sweep")
def sweep() -> None:
    # Each in a task of its own: one that fails stops no other.
    for conversation_id in processing.unnoticed():
        finish.delay(str(conversation_id))
    for interview_id in processing.due_interviews():
        process.delay(str(interview_id))
    starting.expire_due()
    starting.take_up_again()
    starting.abandon_quiet()
