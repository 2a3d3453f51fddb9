"""The installation as its operators see it: how well it is, what it runs with, and nothing secret."""

import inspect
import os
import platform
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from config.api.metadata import timestamp
from config.system import health, heartbeats, providers_probe
from config.system.models import Heartbeat, ProviderProbe, RequestFigure
from knowledge.chunking import CHUNK_WORDS, OVERLAP_WORDS
from knowledge.models import Chunk
from knowledge.search import passages_for
from personas.models import Persona

MEGABYTE, GIGABYTE = 1024**2, 1024**3
STALE = timedelta(minutes=5)  # a look at a provider that is older says nothing about now
# From these shares on, in percent, a person should look.
MEMORY_FULL, DISK_FULL = 95.0, 90.0
MOST_PASSAGES: int = inspect.signature(passages_for).parameters["limit"].default
RECENT_ERRORS = 10  # minutes
PROCESS_STARTED = datetime.fromtimestamp(psutil.Process().create_time(), tz=timezone.get_fixed_timezone(0))


@dataclass(frozen=True, slots=True)
class Share:
    """How much of something is used, in bytes."""

    used: int
    total: int

    @property
    def percentage(self) -> float:
        return round(100 * self.used / self.total, 1) if self.total else 0.0


def started_at() -> datetime:
    """When the oldest web process that is alive began; this process's own start where none beats."""
    fresh = Heartbeat.objects.filter(part="web", at__gte=timezone.now() - heartbeats.FRESH)
    try:
        first = fresh.order_by("started_at").values_list("started_at", flat=True).first()
    except DatabaseError:
        first = None
    return first or PROCESS_STARTED


def in_words(span: timedelta) -> str:
    """Like "5 days, 12 hours, 30 minutes"; clients read it so, hence not translated."""
    minutes = max(0, int(span.total_seconds())) // 60
    parts = ((minutes // 1440, "day"), (minutes // 60 % 24, "hour"), (minutes % 60, "minute"))
    return ", ".join(f"{number} {word}{'' if number == 1 else 's'}" for number, word in parts)


def memory() -> Share:
    found = psutil.virtual_memory()
    return Share(used=found.total - found.available, total=found.total)


def disk() -> Share:
    """Of the volume with the data folder; what is kept for the system counts as used."""
    found = shutil.disk_usage(settings.DATA_DIR)
    return Share(used=found.total - found.free, total=found.total)


# --- GET /admin/health/detailed ---------------------------------------------------------------
def terse_health() -> dict[str, Any]:
    """What anybody may know."""
    return {"status": health.check().status, "timestamp": timestamp()}


def detailed_health() -> dict[str, Any]:
    found = health.check()
    components = {
        "database": database_component(found.part("database")),
        "vector_db": search_component(),
        "openai_api": provider_component(),
        "memory_usage": share_component(memory(), unit=MEGABYTE, name="MB", full=MEMORY_FULL),
        "disk_space": share_component(disk(), unit=GIGABYTE, name="GB", full=DISK_FULL),
        "redis": part_component(found.part("redis")),
        "worker": part_component(found.part("worker")),
        "mail": part_component(found.part("mail")),
    }
    return {
        "status": overall(found, components),
        "timestamp": timestamp(),
        "uptime": in_words(timezone.now() - started_at()),
        "version": settings.VERSION,
        "components": components,
    }


def overall(found: health.Health, components: dict[str, dict[str, Any]]) -> str:
    if found.status == "unhealthy":
        return "unhealthy"
    well = {"healthy", "not_configured"}
    return "healthy" if all(one["status"] in well for one in components.values()) else "degraded"


def part_component(part: health.Part, details: str = "") -> dict[str, Any]:
    return {
        "status": "healthy" if part.is_up else "unhealthy",
        "response_time": seconds(part.latency_ms),
        "details": details or ("Answers." if part.is_up else "Does not answer."),
    }


def seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else round(milliseconds / 1000, 6)


def database_component(part: health.Part) -> dict[str, Any]:
    name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(connection.vendor, connection.vendor)
    return part_component(part, f"{name} {'answers' if part.is_up else 'does not answer'}.")


def search_component() -> dict[str, Any]:
    """Reads one passage, as every search does."""
    return part_component(health.timed("search", search_answers))


def search_answers() -> bool:
    try:
        Chunk.objects.order_by("pk").values_list("terms", flat=True).first()
    except DatabaseError:
        return False
    return True


def provider_component() -> dict[str, Any]:
    """The last background look at the first provider that is set up; no request waits for a vendor."""
    wanted = providers_probe.addresses()
    if not wanted:
        return not_probed("not_configured", "No AI provider is set up; the offline mode answers.")
    probes = {probe.provider: probe for probe in ProviderProbe.objects.filter(provider__in=wanted)}
    looked = [probes[name] for name in wanted if name in probes]
    if not looked or timezone.now() - looked[0].at > STALE:
        return not_probed("degraded", "Not looked at in the last minutes: is the worker running?")
    first = looked[0]
    return {
        "status": "healthy" if first.is_reachable else "unhealthy",
        "response_time": seconds(first.milliseconds),
        "details": "; ".join(f"{probe.provider} {probe.detail}" for probe in looked),
        "checked_at": timestamp(first.at),
    }


def not_probed(status: str, details: str) -> dict[str, Any]:
    return {"status": status, "response_time": None, "details": details, "checked_at": None}


def share_component(share: Share, *, unit: int, name: str, full: float) -> dict[str, Any]:
    digits = 0 if unit == MEGABYTE else 1
    return {
        "status": "healthy" if share.percentage < full else "degraded",
        "used": f"{share.used / unit:.{digits}f} {name}",
        "total": f"{share.total / unit:.{digits}f} {name}",
        "percentage": share.percentage,
    }


# --- GET /admin/settings ------------------------------------------------------------------------
def current_settings() -> dict[str, Any]:
    """What the installation runs with. Of secrets, only whether there is one."""
    name = settings.DEFAULT_PROVIDER_CHAIN[0]
    provider = settings.PROVIDERS.get(name, {})
    temperature, tokens = persona_default("temperature"), persona_default("max_tokens")
    return {
        "api_config": {"host": settings.HOST, "port": settings.PORT, "debug": settings.DEBUG},
        "ai_config": {
            "provider": name,
            "model": provider.get("MODEL") or name,
            "temperature": temperature,
            "max_tokens": tokens,
            "api_key_configured": bool(provider.get("API_KEY")),
            "embedding_model": embedding_model(),
        },
        "rag_config": {
            "chunk_size": CHUNK_WORDS,
            "chunk_overlap": OVERLAP_WORDS,
            "max_retrieval_docs": MOST_PASSAGES,
            "unit": "words",
        },
        "system_info": {
            "version": settings.VERSION,
            "python_version": platform.python_version(),
            "start_time": timestamp(started_at()),
        },
        "database_config": {"url": f"{connection.vendor}://***", "chroma_db_path": None},
        "chat_config": {"default_temperature": temperature, "max_tokens": tokens},
        "security_config": {
            "algorithm": "SHA-256",
            "access_token_expire_minutes": session_minutes(),
            "secret_key_configured": bool(settings.SECRET_KEY),
        },
    }


def persona_default(field: str) -> Any:
    """What a new persona or agent begins with; staff change it for each."""
    return Persona._meta.get_field(field).default  # type: ignore[union-attr]


def embedding_model() -> str | None:
    provider = settings.PROVIDERS.get(settings.EMBEDDING_PROVIDER, {})
    return provider.get("EMBEDDING_MODEL") or None


def session_minutes() -> int:
    return int(settings.CHAT_SESSION_HOURS) * 60


# --- GET /admin/overview ------------------------------------------------------------------------
def overview() -> dict[str, Any]:
    found = detailed_health()
    parts = found["components"]
    return {
        "system_health": {
            "overall": found["status"],
            "database": parts["database"]["status"],
            "vector_store": parts["vector_db"]["status"],
            "openai": parts["openai_api"]["status"],
            "last_check": found["timestamp"],
        },
        "resource_usage": resource_usage(),
        "recent_errors": recent_errors(),
        "uptime": found["uptime"],
        "version_info": {
            "app_version": settings.VERSION,
            "python_version": platform.python_version(),
            "platform": platform.system(),
            "build_date": None,
        },
    }


def resource_usage() -> dict[str, Any]:
    used, volume = memory(), disk()
    return {
        "cpu_percent": cpu_percent(),
        "memory": {
            "total_mb": round(used.total / MEGABYTE),
            "available_mb": round((used.total - used.used) / MEGABYTE),
            "used_mb": round(used.used / MEGABYTE),
            "percent": used.percentage,
        },
        "disk": {
            "total_gb": round(volume.total / GIGABYTE, 2),
            "free_gb": round((volume.total - volume.used) / GIGABYTE, 2),
            "used_gb": round(volume.used / GIGABYTE, 2),
            "percent": volume.percentage,
        },
    }


def cpu_percent() -> float:
    """The load of the last minute, as a share of the processors: measuring it anew would take a second."""
    return round(min(100.0, 100 * os.getloadavg()[0] / (os.cpu_count() or 1)), 1)


def recent_errors() -> list[dict[str, Any]]:
    """The last minutes in which requests failed (5xx) within a day."""
    since = timezone.now() - timedelta(days=1)
    rows = RequestFigure.objects.filter(minute__gte=since, errors__gt=0).order_by("-minute")
    return [
        {"timestamp": timestamp(row.minute), "errors": row.errors, "requests": row.requests}
        for row in rows[:RECENT_ERRORS]
    ]
