"""What arrived by voice, and what became of it."""

from voice.models.inbox import ReceivedConversation, VoiceEvent, VoiceFeed

__all__ = ["ReceivedConversation", "VoiceEvent", "VoiceFeed"]
