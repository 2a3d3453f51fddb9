"""Changes of many deliveries as rows of EmailEvent, in one statement and without an object for each."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection
from django.utils import timezone

from campaigns.models import Delivery, EmailEvent
from config.api.prepared import in_list, list_parameter

INSERT = """
INSERT INTO campaigns_emailevent (delivery_id, at, kind, detail, source, source_id, is_bot)
SELECT id, {at}, %s, {detail}, '', '', FALSE FROM campaigns_delivery WHERE id {among}
"""


def note(ids: Sequence[UUID], kind: str, *, detail: str = "") -> None:
    """The same change of all of them, now."""
    _insert(ids, kind, detail=detail, at=timezone.now())


def note_replies(ids: Sequence[UUID], kind: str, *, at: datetime) -> None:
    """The same change, each with what the server last said to it."""
    _insert(ids, kind, detail=None, at=at)


def _insert(ids: Sequence[UUID], kind: str, *, detail: str | None, at: datetime) -> None:
    if not ids:
        return
    key, when = Delivery._meta.pk, EmailEvent._meta.get_field("at")
    words = INSERT.format(
        at="%s::timestamptz" if connection.vendor == "postgresql" else "%s",
        detail="last_reply" if detail is None else "%s",
        among=in_list(key),
    )
    moment = when.get_db_prep_value(at, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            words, [moment, str(kind), *([] if detail is None else [detail]), list_parameter(key, ids)]
        )
