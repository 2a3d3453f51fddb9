"""What staff see of campaigns: one module per page family."""

from campaigns.admin import campaigns, deliveries, imports, inbound, mailboxes, recipients, servers, templates

__all__ = [
    "campaigns",
    "deliveries",
    "imports",
    "inbound",
    "mailboxes",
    "recipients",
    "servers",
    "templates",
]
