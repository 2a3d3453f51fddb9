"""What staff see of campaigns: one module per page family."""

from campaigns.admin import campaigns, deliveries, imports, servers, templates

__all__ = ["campaigns", "deliveries", "imports", "servers", "templates"]
