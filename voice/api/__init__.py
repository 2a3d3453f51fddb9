"""What other systems call: webhooks of conversations, and the lists of what was received."""
