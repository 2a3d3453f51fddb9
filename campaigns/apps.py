from typing import Any
from uuid import UUID

from django.apps import AppConfig


class CampaignsConfig(AppConfig):
    name = "campaigns"
    label = "campaigns"
    verbose_name = "Campaigns"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm.signals import conversation_closed

        # Connected after interviews' own receiver, so that the interview has been moved before.
        conversation_closed.connect(_on_closed, dispatch_uid="campaigns.stop_finished")


def _on_closed(sender: Any, conversation_id: UUID, **kwargs: Any) -> None:
    from campaigns import followups

    followups.stop_finished(conversation_id)
