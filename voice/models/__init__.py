"""Phone calls, the times on offer, and what was agreed."""

from voice.models.calls import Appointment, CallTurn, PhoneCall, TimeSlot

__all__ = ["Appointment", "CallTurn", "PhoneCall", "TimeSlot"]
