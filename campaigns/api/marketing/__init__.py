"""The documented marketing API: accounts, their lists, emails, servers, agents (docs/marketing-api.md)."""
