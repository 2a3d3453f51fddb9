from typing import Any
from uuid import UUID

from django.apps import AppConfig


class InterviewsConfig(AppConfig):
    name = "interviews"
    label = "interviews"
    verbose_name = "Interviews"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm.signals import conversation_closed

        conversation_closed.connect(_on_closed, dispatch_uid="interviews.finish")


def _on_closed(sender: Any, conversation_id: UUID, **kwargs: Any) -> None:
    from interviews import processing

    processing.finish(conversation_id)
