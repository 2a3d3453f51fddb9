"""The API of people and what was said: /api/v1/contacts and /api/v1/talks."""
