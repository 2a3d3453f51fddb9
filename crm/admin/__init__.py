"""The staff's view of people and talk.

Staff are operators of the whole installation: every list filters by account.
"""

from crm.admin import contacts, conversations, memories, merging, records

__all__ = ["contacts", "conversations", "memories", "merging", "records"]
