"""What voice holds of a person, part by part (crm/erasure.py runs it)."""

from typing import Any
from uuid import UUID

from crm.models import Contact
from voice import call_data, received_data

PARTS = (call_data, received_data)


def collect(contact: Contact) -> dict[str, Any]:
    return {name: value for part in PARTS for name, value in part.collect(contact).items()}


def erase(contact: Contact, conversation_id: UUID | None = None) -> dict[str, int]:
    """Safe to repeat."""
    return {name: count for part in PARTS for name, count in part.erase(contact, conversation_id).items()}
