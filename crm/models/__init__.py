"""People, what they allow, and what was said."""

from crm.models.access import AccessLink, Erasure
from crm.models.care import AgeConfirmation, Ban, MessageReport
from crm.models.consent import Consent, Suppression
from crm.models.contacts import Contact, ContactAddress, TimelineEntry
from crm.models.conversations import Conversation, MediaFile, Message
from crm.models.memories import MemoryFact
from crm.models.merging import ContactMerge, Likeness, LikenessSearch, MovedRows
from crm.models.moderation import ModerationByVendor, ModerationFlag, ModerationRule
from crm.models.notes import PrivateNote
from crm.models.sessions import Rating, SessionToken
from crm.models.versions import MessageVersion

__all__ = [
    "AccessLink",
    "AgeConfirmation",
    "Ban",
    "Consent",
    "Contact",
    "ContactAddress",
    "ContactMerge",
    "Conversation",
    "Erasure",
    "Likeness",
    "LikenessSearch",
    "MediaFile",
    "MemoryFact",
    "Message",
    "MessageReport",
    "MessageVersion",
    "ModerationByVendor",
    "ModerationFlag",
    "ModerationRule",
    "MovedRows",
    "PrivateNote",
    "Rating",
    "SessionToken",
    "Suppression",
    "TimelineEntry",
]
