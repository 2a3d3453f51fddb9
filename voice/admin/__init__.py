"""Voice in the admin."""

from voice.admin.inbox import ReceivedConversationAdmin, VoiceEventAdmin

__all__ = ["ReceivedConversationAdmin", "VoiceEventAdmin"]
