"""Campaigns over the API, one module per resource."""

SCOPE = "campaigns"
