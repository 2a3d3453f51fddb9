"""What the figures hold of a person, for export and erasure (settings.PERSONAL_DATA).

The figures of an account name nobody; a contact's own days do.
"""

from typing import Any
from uuid import UUID

from django.db import transaction

from config.system import touched
from config.system.models import ContactDay
from crm.models import Contact


def collect(contact: Contact) -> dict[str, Any]:
    days = ContactDay.objects.filter(contact_key=contact.pk).order_by("day")
    return {
        "days": [
            {"day": day.isoformat(), "messages": messages, "seconds": milliseconds // 1000}
            for day, messages, milliseconds in days.values_list("day", "messages", "session_milliseconds")
        ]
    }


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Removes it, and has these days counted again: that is soon, and after the messages themselves are gone.

    Of one talk nothing is kept apart: its share goes when its days are counted again.
    """
    with transaction.atomic():
        touched.note_days_of([contact.pk])
        if conversation_id is not None:
            return {}
        return {"days": ContactDay.objects.filter(contact_key=contact.pk).delete()[0]}
