"""Phone calls with the times on offer, and what arrived by voice."""

from voice.models.batches import CallBatch, Callee
from voice.models.calls import Appointment, CallTurn, PhoneCall, TimeSlot
from voice.models.inbox import ReceivedConversation, VoiceEvent, VoiceFeed
from voice.models.line import LineMove
from voice.models.recordings import CallRecording

__all__ = [
    "Appointment",
    "CallBatch",
    "CallRecording",
    "CallTurn",
    "Callee",
    "LineMove",
    "PhoneCall",
    "ReceivedConversation",
    "TimeSlot",
    "VoiceEvent",
    "VoiceFeed",
]
