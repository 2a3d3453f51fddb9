"""Settings of voice, read as config/settings.py reads all others; it takes them over from here."""

from config.env import from_process

ENV = from_process()

# --- Voice: what other systems tell us of conversations ---------------------------------------
# The webhook API's own key and secret, which act for one account; keys of ours act for theirs.
API_SECRET_KEY = ENV.text("API_SECRET_KEY")
WEBHOOK_SECRET = ENV.text("WEBHOOK_SECRET")
WEBHOOK_SIGNATURE_REQUIRED = ENV.flag("RAPPORT_WEBHOOK_SIGNATURE_REQUIRED", default=False)
WEBHOOK_ACCOUNT = ENV.text("RAPPORT_WEBHOOK_ACCOUNT", "default")
# Calls of one key, and calls of one address that are refused.
WEBHOOK_PER_MINUTE = ENV.whole("RAPPORT_WEBHOOK_PER_MINUTE", 1000, least=1)
WEBHOOK_REFUSED_PER_MINUTE = ENV.whole("RAPPORT_WEBHOOK_REFUSED_PER_MINUTE", 100, least=1)
# Several secrets while one is being changed. The key is for asking which webhooks never came.
ELEVENLABS_WEBHOOK_SECRETS = ENV.words("ELEVENLABS_WEBHOOK_SECRET")
ELEVENLABS_API_KEY = ENV.text("ELEVENLABS_API_KEY")
ELEVENLABS_BASE_URL = ENV.url("ELEVENLABS_BASE_URL", "https://api.elevenlabs.io", schemes=("http", "https"))
VOICE_AUDIO_MAX_BYTES = ENV.whole("RAPPORT_VOICE_AUDIO_MB", 64, least=1, most=500) * 1024 * 1024
VOICE_KNOWLEDGE = ENV.flag("RAPPORT_VOICE_KNOWLEDGE", default=False)
