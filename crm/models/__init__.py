"""People, what they allow, and what was said."""

from crm.models.access import AccessLink, Erasure
from crm.models.consent import Consent, Suppression
from crm.models.contacts import Contact, ContactAddress, TimelineEntry
from crm.models.conversations import Conversation, MediaFile, Message

__all__ = [
    "AccessLink",
    "Consent",
    "Contact",
    "ContactAddress",
    "Conversation",
    "Erasure",
    "MediaFile",
    "Message",
    "Suppression",
    "TimelineEntry",
]
