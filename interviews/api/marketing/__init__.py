"""The documented marketing API: its chat, its interviews, and what came of them (docs/marketing-api.md)."""
