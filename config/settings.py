"""Every setting, read once from the environment (docs/configuration.md lists the names)."""

import re
import sys
from pathlib import Path
from typing import Any

from config.api.marketing_words import SCHEMA_NAMES
from config.databases import database_from_url
from config.env import from_process, host_in, kept_secret
from config.looks import UNFOLD as UNFOLD
from config.media_settings import *  # noqa: F403 (each is a setting)
from config.model_settings import *  # noqa: F403 (each is a setting)
from config.persona_settings import *  # noqa: F403 (each is a setting)
from config.sockets import redis_socket
from config.voice_settings import *  # noqa: F403 (each is a setting)

ENV = from_process()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

# --- What kind of running this is ---------------------------------------------------------
# demo: what `make run` uses; callers on loopback without a credential act as account `default`.
# production: every caller proves who it is. test: the suite.
RAPPORT_ENV = ENV.choice("RAPPORT_ENV", ("demo", "production", "test"), "production")
DEBUG = False
TESTING = RAPPORT_ENV == "test"
DATA_DIR = ENV.folder("RAPPORT_DATA", BASE_DIR / "var")
HOST = ENV.text("HOST", "127.0.0.1")
PORT = ENV.whole("PORT", 8000, least=1, most=65535)
PUBLIC_BASE_URL = ENV.url("PUBLIC_BASE_URL", f"http://127.0.0.1:{PORT}", schemes=("http", "https"))
WEBHOOK_BASE_URL = ENV.url("WEBHOOK_BASE_URL", PUBLIC_BASE_URL, schemes=("http", "https"))  # for Twilio
SECURE = PUBLIC_BASE_URL.startswith("https://")
PUBLIC_ORIGIN = "/".join(PUBLIC_BASE_URL.split("/")[:3])

SECRET_KEY = ENV.text("SECRET_KEY") or kept_secret(DATA_DIR / "secret_key")
# Newest first; the others only decrypt (`manage.py rotate_secrets` re-encrypts).
ENCRYPTION_KEYS = ENV.words("RAPPORT_ENCRYPTION_KEYS") or [kept_secret(DATA_DIR / "encryption_key")]

# --- Who may reach it ---------------------------------------------------------------------
PUBLIC_HOST = host_in(PUBLIC_BASE_URL)
LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
OUR_HOSTS = {PUBLIC_HOST, host_in(WEBHOOK_BASE_URL)}
ALLOWED_HOSTS = ENV.words("ALLOWED_HOSTS") or sorted({*LOOPBACK_HOSTS, *OUR_HOSTS})
CSRF_TRUSTED_ORIGINS = ENV.origins("CSRF_TRUSTED_ORIGINS", wildcards=True) or (
    [PUBLIC_ORIGIN] if SECURE else []
)
# CORS_ORIGINS is what the webhook API documents.
CORS_ALLOWED_ORIGINS = ENV.origins("CORS_ALLOWED_ORIGINS") or ENV.origins("CORS_ORIGINS")
CORS_ALLOW_CREDENTIALS = False
CORS_EXPOSE_HEADERS = ["Link", "Retry-After", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
# How many proxies in front of us write X-Forwarded-For; 0 ignores the header.
TRUSTED_PROXIES = ENV.whole("TRUSTED_PROXIES", 0, most=8)

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_SSL_REDIRECT = False  # the proxy that ends TLS redirects; daphne itself speaks plain HTTP
SECURE_HSTS_SECONDS = 31_536_000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_HSTS_PRELOAD = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if TRUSTED_PROXIES else None
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "config.api.handler.csrf_failure"
APPEND_SLASH = False  # the documented paths have no trailing slash; a redirected POST loses its body

# --- Apps, bottom layer first (docs/architecture.md) ---------------------------------------
INSTALLED_APPS = [
    # As an app it makes an event loop while Django loads: `serve` forks first, and takes another one.
    *(["daphne"] if "runserver" in sys.argv else []),
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "corsheaders",
    "csp",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "config.api",
    "personas",
    "knowledge",
    "crm",
    "interviews",
    "voice",
    "campaigns",
    "config.system",
]

MIDDLEWARE = [
    "config.api.metadata.RequestMetadataMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "config.api.static_files.StaticFilesMiddleware",
    "config.api.security.DemoGuardMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "config.api.security.BrowserPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.api.lean_middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.api.lean_middleware.MessagesMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "config.urls"
LOGIN_URL = LOGIN_REDIRECT_URL = "admin:index"  # only staff log in
ASGI_APPLICATION = "config.asgi.application"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# --- Data ---------------------------------------------------------------------------------
DATABASES: dict[str, dict[str, Any]] = {
    "default": database_from_url(
        ENV.text("DATABASE_URL"), sqlite_file=DATA_DIR / "rapport.sqlite3", testing=TESTING
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Threads that do database work for async views and sockets, each with one connection.
# SQLite writes one at a time: more threads would only wait for each other, each with a cache of its own.
DATABASE_THREADS = ENV.whole(
    "RAPPORT_DATABASE_THREADS",
    3 if DATABASES["default"]["ENGINE"].endswith("sqlite3") else 8,
    least=1,
    most=64,
)
# Threads that run plain HTTP requests inside the web process, each with one connection.
WEB_THREADS = ENV.whole("RAPPORT_WEB_THREADS", 8, least=1, most=64)

# The broker, the channel layer and the rate-limit counters. `serve` starts a private Redis on
# this socket when no REDIS_URL is given.
REDIS_SOCKET = redis_socket(DATA_DIR)
REDIS_URL = ENV.url("REDIS_URL", f"unix://{REDIS_SOCKET}", schemes=("redis", "rediss", "unix"))
EMBEDDED_REDIS = not ENV.text("REDIS_URL")
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": "rapport"},
    }
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 75  # seconds; tasks are written to need less than 60
CELERY_TASK_TIME_LIMIT = 90  # seconds
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 300, "socket_timeout": 10}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_TASK_ALWAYS_EAGER = TESTING
CELERY_TASK_EAGER_PROPAGATES = TESTING
CELERY_TASK_ROUTES = {"campaigns.tasks.send_due": {"queue": "mail"}}
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# A sweep finds from rows the work whose wake-up was lost. A sweep still waiting when the next
# one is due adds nothing, so it expires.
SWEEP_SECONDS = ENV.whole("RAPPORT_SWEEP_SECONDS", 30, least=2, most=300)
# How long a worker's claim on a row lasts; after a kill, another takes the row up then. No task lives longer.
LEASE_SECONDS = ENV.whole("RAPPORT_LEASE_SECONDS", 120, least=5, most=3600)
# Emails of campaigns that one person gets in a week at most, over all campaigns; an account may set its own.
EMAIL_CAP = ENV.whole("RAPPORT_EMAIL_CAP", 10, most=1000)
SWEEPS = ("crm", "knowledge", "interviews", "voice", "campaigns", "config.system")
CELERY_BEAT_SCHEDULE = {
    f"{app} sweep": {
        "task": f"{app}.tasks.sweep",
        "schedule": float(SWEEP_SECONDS),
        "options": {"expires": SWEEP_SECONDS - 1},
    }
    for app in SWEEPS
}

# --- Files --------------------------------------------------------------------------------
MEDIA_ROOT = ENV.folder("MEDIA_UPLOAD_DIR", DATA_DIR / "files")
MEDIA_URL = ""  # nothing is served by path: downloads are views that check who asks
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
AWS_STORAGE_BUCKET_NAME = ENV.text("AWS_S3_BUCKET")
AWS_ACCESS_KEY_ID = ENV.text("AWS_ACCESS_KEY_ID") or None
AWS_SECRET_ACCESS_KEY = ENV.text("AWS_SECRET_ACCESS_KEY") or None
AWS_S3_REGION_NAME = ENV.text("AWS_REGION", "us-east-1")
_S3_ENDPOINT = ENV.url("S3_ENDPOINT", schemes=("http", "https"))  # as the persona API calls it
AWS_S3_ENDPOINT_URL = ENV.url("AWS_S3_ENDPOINT_URL", _S3_ENDPOINT, schemes=("http", "https")) or None
AWS_QUERYSTRING_EXPIRE = 300  # seconds a presigned download lives
AWS_DEFAULT_ACL = None
AWS_S3_FILE_OVERWRITE = True  # our keys carry ids: writing one again must not make a second object
STORAGES = {
    "default": (
        {"BACKEND": "config.storage.PatientS3Storage"}
        if AWS_STORAGE_BUCKET_NAME
        else {"BACKEND": "config.storage.PrivateFolderStorage"}
    ),
    "staticfiles": {"BACKEND": "config.storage.HashedStaticFiles"},
}
if TESTING:  # static files are read where they were written: nothing is collected, names have no hash
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440  # bytes of a body that is not a file
FILE_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
MAX_DOCUMENT_BYTES = ENV.whole("RAPPORT_MAX_DOCUMENT_MB", 50, least=1, most=500) * 1024 * 1024

# --- Words and times ----------------------------------------------------------------------
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("de", "Deutsch"), ("pl", "Polski"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
FORMAT_MODULE_PATH = ["config.formats"]  # short dates, 24 hours
USE_TZ = True
TIME_ZONE = ENV.zone("TIME_ZONE", "UTC")

# --- The API --------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "config.api.authentication.ApiKeyAuthentication",
        "config.api.authentication.DemoAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["config.api.permissions.HasScope"],
    "DEFAULT_THROTTLE_CLASSES": ["config.api.throttling.CallerThrottle"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": [
        "config.api.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_PAGINATION_CLASS": "config.api.pagination.KeysetPagination",
    "PAGE_SIZE": 50,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "config.api.handler.handle_exception",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Rapport",
    "DESCRIPTION": "Invite people, talk with them, and remember what they said.",
    "VERSION": VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "TalkStatusEnum": "crm.models.Conversation.Status",
        "ReadStatusEnum": "crm.api.persona_described.STATUSES",
        "PersonaStatusEnum": "personas.models.Persona.Status",
        "ReceivedConversationStatusEnum": "voice.models.ReceivedConversation.Status",
        "UploadTypeEnum": "crm.api.media.UPLOAD_TYPES",
        **SCHEMA_NAMES,
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.api.openapi.add_errors",
    ],
}
# Requests per minute and per second of one caller (an API key, or an address without one).
RATE_LIMIT_PER_MINUTE = ENV.whole("RAPPORT_RATE_PER_MINUTE", 100, least=1)
RATE_LIMIT_PER_SECOND = ENV.whole("RAPPORT_RATE_PER_SECOND", 10, least=1)
# How long a session of a chat user lasts (crm/sessions.py) unless it is prolonged.
CHAT_SESSION_HOURS = ENV.whole("RAPPORT_CHAT_SESSION_HOURS", 24, least=1, most=720)

# --- Browsers: nothing inline, nothing from other hosts -------------------------------------
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        "media-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    }
}

# --- How lower apps act through higher ones (docs/architecture.md) ---------------------------
CHANNELS = {"email": "campaigns.email_channel.EmailChannel"}
INVITER = "campaigns.standing.interview_with"  # makes the interview that another program asks for
PERSONAL_DATA = [
    "campaigns.personal_data",
    "interviews.personal_data",
    "voice.personal_data",
    "knowledge.personal_data",
    "crm.personal_data",
    # The last: figures that were counted again before the messages went would hold them again.
    "config.system.personal_data",
]
SOCKET_AUTHENTICATORS = [
    "crm.authentication.access_link_from_cookie",
    "crm.authentication.staff_from_session",
]

# --- Email: into the embedded outbox unless an account has an SMTP server ---------------------
# Seconds a server may take altogether: to connect, encrypt and sign in; for MAIL, RCPT and DATA; for its
# last word after the final dot. Their sum and the 20 s in which a task begins emails stay below a minute.
SMTP_CONNECT_SECONDS = ENV.whole("RAPPORT_SMTP_CONNECT_SECONDS", 8, least=1, most=10)
SMTP_REPLY_SECONDS = ENV.whole("RAPPORT_SMTP_REPLY_SECONDS", 8, least=1, most=8)
SMTP_FINAL_SECONDS = ENV.whole("RAPPORT_SMTP_FINAL_SECONDS", 20, least=1, most=20)
OUTBOX_API = RAPPORT_ENV in ("demo", "test")
# An address at a bare number or at "localhost" is no address; .invalid (RFC 2606) never reaches anybody.
MAIL_DOMAIN = PUBLIC_HOST if re.search(r"\.[A-Za-z]", PUBLIC_HOST) else "rapport.invalid"
# Who is asked for SPF, DKIM and DMARC by the pre-flight; empty: the machine's own servers.
DNS_SERVERS = ENV.hosts("RAPPORT_DNS_SERVERS", port=53)
DEFAULT_FROM_EMAIL = ENV.text("RAPPORT_FROM_EMAIL", f"rapport@{MAIL_DOMAIN}")
# What arrives: how much of one email is read, how long its raw form is kept to be read anew, and after how
# many emails in a row that bounced for now an address counts as dead.
INBOUND_MAX_BYTES = ENV.whole("RAPPORT_INBOUND_MAX_MB", 5, least=1, most=50) * 1024 * 1024
INBOUND_RAW_DAYS = ENV.whole("RAPPORT_INBOUND_RAW_DAYS", 30, least=1, most=3650)
MAILBOX_SECONDS = ENV.whole("RAPPORT_MAILBOX_SECONDS", 60, least=5, most=3600)  # between two readings
SOFT_BOUNCES = ENV.whole("RAPPORT_SOFT_BOUNCES", 3, least=1, most=100)

# --- Logs: to standard error, without tokens ---------------------------------------------------
LOG_LEVEL = ENV.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "config.logs.RedactingFormatter",
            "format": "{asctime} {levelname} {name}: {message}",
            "style": "{",
        }
    },
    "handlers": {
        "console": {"class": "logging.StreamHandler", "stream": sys.stderr, "formatter": "line"},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        "django.request": {"level": "ERROR"},
        # Whoever scans the net asks by number; the answer itself says what is wrong.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "httpx": {"level": "WARNING"},
        "httpx2": {"level": "WARNING"},
        "twilio": {"level": "WARNING"},  # it would log the address of every request
    },
}
PASSWORD_HASHERS = (
    ["django.contrib.auth.hashers.MD5PasswordHasher"]
    if TESTING
    else ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
)
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
# SECURE_SSL_REDIRECT: the proxy that ends TLS redirects
SILENCED_SYSTEM_CHECKS = ["security.W008"]
