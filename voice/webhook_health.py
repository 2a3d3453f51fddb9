"""Whether ElevenLabs reaches us and we reach it, from rows: nobody is called for it."""

from typing import Literal

from django.conf import settings

from voice.models import VoiceEvent, VoiceFeed

Connection = Literal["connected", "disconnected", "not_configured"]


def elevenlabs() -> Connection:
    """`disconnected` when it was asked and did not answer; what was never tried counts as connected."""
    if not (settings.ELEVENLABS_API_KEY or settings.ELEVENLABS_WEBHOOK_SECRETS):
        return "not_configured"
    if not settings.ELEVENLABS_API_KEY:
        return "connected"
    failed = VoiceFeed.objects.filter(source=VoiceEvent.Source.ELEVENLABS).exclude(last_error="")
    return "disconnected" if failed.exists() else "connected"
