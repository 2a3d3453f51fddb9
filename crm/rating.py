"""What people think of an answer: thumbs, one by its person and one by each member of staff."""

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from crm.models import Message, Rating

LONGEST_COMMENT = 2_000  # characters


def rate(message: Message, *, thumbs: int, comment: str = "", staff: Any = None) -> Rating:
    """Their rating of a reply; another one replaces it. `thumbs` is 1 or -1."""
    words = comment.replace("\x00", "").strip()[:LONGEST_COMMENT]
    fields = {"thumbs": thumbs, "comment": words, "rated_at": timezone.now()}
    rows = Rating.objects.filter(message=message, staff=staff)
    if not rows.update(**fields):
        try:
            with transaction.atomic():
                return Rating.objects.create(message=message, staff=staff, **fields)
        except IntegrityError:
            rows.update(**fields)  # the same click twice, at the same moment
    return rows.get()
