"""What staff see of voice: calls with what was said, times offered and taken, what webhooks brought."""

from voice.admin import batches, calls
from voice.admin.inbox import ReceivedConversationAdmin, VoiceEventAdmin

__all__ = ["ReceivedConversationAdmin", "VoiceEventAdmin", "batches", "calls"]
