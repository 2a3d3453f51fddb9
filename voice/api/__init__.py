"""The HTTP APIs of voice: phone calls, webhooks of conversations, and the lists of both."""
