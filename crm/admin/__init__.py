"""The staff's view of people and talk.

Staff are operators of the whole installation: every list filters by account.
"""

from crm.admin import (
    care,
    contacts,
    conversations,
    memories,
    merging,
    moderation,
    personas,
    records,
    staff_side,
)

__all__ = [
    "care",
    "contacts",
    "conversations",
    "memories",
    "merging",
    "moderation",
    "personas",
    "records",
    "staff_side",
]
