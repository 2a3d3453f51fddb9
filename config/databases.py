"""The two databases: the embedded SQLite file, or PostgreSQL by `DATABASE_URL`."""

import os
import tempfile
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

# WAL lets readers go on while one writes; NORMAL loses nothing at a process's death, and at most the
# last commits at a power cut. IMMEDIATE takes the write lock at BEGIN, so that a transaction that
# reads and then writes waits its turn instead of failing with "database is locked".
SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,  # seconds
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;"
        "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=134217728; PRAGMA foreign_keys=ON;"
    ),
}
POSTGRES_SCHEMES = ("postgres", "postgresql")


def database_from_url(url: str, *, sqlite_file: Path, testing: bool) -> dict[str, Any]:
    """Django's settings of one database. An empty URL is the SQLite file.

    Raises ImproperlyConfigured when the URL names neither database.
    """
    scheme = url.partition("://")[0]
    if url and scheme not in (*POSTGRES_SCHEMES, "sqlite"):
        raise ImproperlyConfigured("DATABASE_URL must start with postgres:// or sqlite://.")
    if scheme in POSTGRES_SCHEMES:
        return postgres(url)
    file = url.removeprefix("sqlite://")
    if url and not file.strip("/"):
        raise ImproperlyConfigured("DATABASE_URL must name a file, like sqlite:///srv/rapport.sqlite3.")
    return sqlite(Path(file) if url else sqlite_file, testing=testing)


def postgres(url: str) -> dict[str, Any]:
    return {
        **_parts_of(url),
        "ENGINE": "django.db.backends.postgresql",
        "CONN_MAX_AGE": 60,  # seconds
        "CONN_HEALTH_CHECKS": True,
        "TEST": {"NAME": f"test_rapport_{os.getpid()}"},
    }


def _parts_of(url: str) -> dict[str, Any]:
    """The error names no part of the URL: with a stray character, any of them may be the password."""
    try:
        parts: dict[str, Any] = environ.Env.db_url_config(url)
    except ValueError:
        parts = {}
    if not parts.get("NAME"):
        raise ImproperlyConfigured(
            "DATABASE_URL must be like postgresql://user:password@host:5432/name; in user and password, "
            "/ ? % are written as %2F %3F %25."
        )
    return parts


def sqlite(file: Path, *, testing: bool) -> dict[str, Any]:
    # A file, not memory, also in tests: threads and child processes must see the same rows.
    test_file = Path(tempfile.gettempdir()) / f"rapport-test-{os.getpid()}.sqlite3"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(test_file.with_suffix(".unused") if testing else file),
        "OPTIONS": dict(SQLITE_OPTIONS),
        "CONN_MAX_AGE": None,
        "TEST": {"NAME": str(test_file)},
    }
