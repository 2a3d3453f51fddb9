"""Settings of persona chat, read as config/settings.py reads all others; it takes them over from here."""

from django.core.exceptions import ImproperlyConfigured

from config.env import from_process

ENV = from_process()

SHORTEST_SECRET = 32  # bytes; RFC 7518 3.2: a key of HS256 has at least the size of its hash
WAYS_TO_SIGN = ("HS256", "HS384", "HS512", "ES256", "RS256")

# --- Persona chat: whose the public personas are, and who proves who its users are ---------------
PERSONA_ACCOUNT = ENV.text("RAPPORT_PERSONA_ACCOUNT", "default")
JWT_SECRET_KEY = ENV.text("JWT_SECRET_KEY")
if JWT_SECRET_KEY and len(JWT_SECRET_KEY.encode()) < SHORTEST_SECRET:
    raise ImproperlyConfigured(f"JWT_SECRET_KEY must have at least {SHORTEST_SECRET} bytes.")
# HS… with the secret, the others by the key set.
JWT_ALGORITHMS = ENV.words("JWT_ALGORITHM", ("HS256", "ES256", "RS256"))
if not set(JWT_ALGORITHMS) <= set(WAYS_TO_SIGN):
    raise ImproperlyConfigured(f"JWT_ALGORITHM must be of: {', '.join(WAYS_TO_SIGN)}.")
# The key set (RFC 7517): fetched from the address, or read from the file.
JWT_JWKS_URL = ENV.url("JWT_JWKS_URL", schemes=("http", "https"))
JWT_JWKS_FILE = ENV.text("JWT_JWKS_FILE")
JWT_AUDIENCE = ENV.text("JWT_AUDIENCE")  # empty: whatever a token says of it
# The claim that says whether a user is an adult: true or false.
JWT_ADULT_CLAIM = ENV.text("JWT_ADULT_CLAIM", "is_adult")
JWT_LEEWAY_SECONDS = ENV.whole("JWT_LEEWAY_SECONDS", 30, least=30, most=60)


def _accounts_of_issuers() -> dict[str, str]:
    """Each issuer with the slug of the account whose users it vouches for."""
    given = ENV.words("JWT_ISSUERS") or [ENV.text("JWT_ISSUER", "yral_auth")]
    pairs = (word.rpartition("=") if "=" in word else (word, "=", PERSONA_ACCOUNT) for word in given)
    return {issuer.strip(): account.strip() for issuer, _, account in pairs}


JWT_ISSUERS = _accounts_of_issuers()
if not all(JWT_ISSUERS) or not all(JWT_ISSUERS.values()):
    raise ImproperlyConfigured("JWT_ISSUERS must be issuers, each with =account or without.")

# What influencers remember of people; each person can switch it off for themselves.
PERSONA_MEMORY = ENV.flag("RAPPORT_PERSONA_MEMORY", default=True)

# --- Persona chat: requests of one user --------------------------------------------------------
PERSONA_PER_MINUTE = ENV.whole("RATE_LIMIT_PER_MINUTE", 300, least=1, most=10_000)
PERSONA_PER_HOUR = ENV.whole("RATE_LIMIT_PER_HOUR", 5_000, least=1, most=100_000)
if PERSONA_PER_HOUR < PERSONA_PER_MINUTE:
    raise ImproperlyConfigured("RATE_LIMIT_PER_HOUR must not be less than RATE_LIMIT_PER_MINUTE.")
