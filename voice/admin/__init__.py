"""What staff see of voice: calls with what was said, times on offer and taken, and what arrived by webhook."""

from voice.admin import calls
from voice.admin.inbox import ReceivedConversationAdmin, VoiceEventAdmin

__all__ = ["ReceivedConversationAdmin", "VoiceEventAdmin", "calls"]
