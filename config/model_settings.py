"""Settings of models and money, read as config/settings.py reads all others; it takes them over from here."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from config.env import from_process

ENV = from_process()


def _temperature(name: str) -> float | None:
    """Of all replies of a provider; None leaves it to the personas."""
    try:
        degree = float(ENV.text(name, "nan"))
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a number.") from None
    if not ENV.text(name):
        return None
    if not 0 <= degree <= 2:
        raise ImproperlyConfigured(f"{name} must be from 0 to 2.")
    return degree


# --- Models and money -----------------------------------------------------------------------
# Works like DATABASES: one entry per place that answers. A compatible server (Ollama, vLLM, Azure …)
# is one more entry with a base URL and no code. An account's own key (ProviderCredential) wins.
OPENAI_API_KEY = ENV.text("OPENAI_API_KEY")
GEMINI_API_KEY = ENV.text("GEMINI_API_KEY")
# Whether `openai` writes recordings down too; some compatible servers cannot.
USE_WHISPER = ENV.flag("USE_WHISPER", default=True)
PROVIDERS: dict[str, dict[str, Any]] = {
    "offline": {"BACKEND": "personas.providers.offline.OfflineProvider"},
    # Without a key of the installation, an account's own key may still use this entry.
    "openai": {
        "BACKEND": "personas.providers.openai.OpenAIProvider",
        "API_KEY": OPENAI_API_KEY,
        "BASE_URL": ENV.url("OPENAI_BASE_URL", schemes=("http", "https")),
        "MODEL": ENV.text("OPENAI_MODEL", "gpt-4o-mini"),
        "EMBEDDING_MODEL": ENV.text("OPENAI_EMBEDDING_MODEL", "text-embedding-3-small"),
        "TRANSCRIPTION_MODEL": ENV.text("OPENAI_TRANSCRIPTION_MODEL", "whisper-1") if USE_WHISPER else "",
        # Of the same server, for recordings alone; empty: the key above.
        "TRANSCRIPTION_KEY": ENV.text("WHISPER_API_KEY"),
        "MODERATION_MODEL": ENV.text("OPENAI_MODERATION_MODEL", "omni-moderation-latest"),
        "CONNECT_TIMEOUT": 5,  # seconds
        "READ_TIMEOUT": 30,  # seconds between two pieces of a stream
        "TOTAL_TIMEOUT": 120,  # seconds
    },
    # Text, pictures and recordings by google-generativeai, whose makers ended its support in November 2025.
    "gemini": {
        "BACKEND": "personas.providers.gemini.GeminiProvider",
        "API_KEY": GEMINI_API_KEY,
        "BASE_URL": ENV.url("GEMINI_BASE_URL", schemes=("http", "https")),
        "MODEL": ENV.text("GEMINI_MODEL", "gemini-2.5-flash"),
        "EMBEDDING_MODEL": ENV.text("GEMINI_EMBEDDING_MODEL", "gemini-embedding-001"),
        "MAX_TOKENS": ENV.whole("GEMINI_MAX_TOKENS", 2048, least=1, most=8192),
        "TEMPERATURE": _temperature("GEMINI_TEMPERATURE"),
        # Thinking is counted with the reply, and the SDK is too old to switch it off.
        "THINKING_TOKENS": ENV.whole("GEMINI_THINKING_TOKENS", 1024, most=32_768),
        "CONNECT_TIMEOUT": 5,  # seconds
        "READ_TIMEOUT": 30,  # seconds between two pieces of a stream
        "TOTAL_TIMEOUT": 120,  # seconds
    },
    # Agents that live at Lyzr; used only by a chain that names it, and by collections that go there too.
    "lyzr": {
        "BACKEND": "personas.providers.lyzr.LyzrProvider",
        "API_KEY": ENV.text("LYZR_API_KEY"),
        "BASE_URL": ENV.url("LYZR_AGENT_URL", schemes=("http", "https")),
        "RAG_URL": ENV.url("LYZR_RAG_URL", schemes=("http", "https")),
        "MODEL": ENV.text("LYZR_AGENT_ID"),
        "USER_ID": "",  # an account's calls carry its slug
        "CONNECT_TIMEOUT": 5,  # seconds
        "READ_TIMEOUT": 60,  # seconds: an agent may look things up before its first word
        "TOTAL_TIMEOUT": 120,  # seconds
    },
}
# The SDK of Gemini is synchronous: so many of its calls of one process are under way at once.
GEMINI_THREADS = ENV.whole("RAPPORT_GEMINI_THREADS", 32, least=1, most=256)
_WITH_A_KEY = [name for name, key in (("openai", OPENAI_API_KEY), ("gemini", GEMINI_API_KEY)) if key]
# A persona that names no chain speaks through these, in this order.
DEFAULT_PROVIDER_CHAIN = ENV.words("RAPPORT_PROVIDERS") or [*_WITH_A_KEY, "offline"]
# What an account without a budget of its own may use of models in one UTC day; 0 is no limit.
DAILY_TOKENS = ENV.whole("RAPPORT_DAILY_TOKENS", 0)
DAILY_USD = ENV.whole("RAPPORT_DAILY_USD", 0)
# The provider whose embeddings new collections get; empty means keyword search alone.
EMBEDDING_PROVIDER = ENV.text("RAPPORT_EMBEDDINGS", "openai" if OPENAI_API_KEY else "")
