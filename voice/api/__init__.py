"""The HTTP APIs of voice."""
