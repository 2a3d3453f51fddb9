"""Is the installation well? One set of checks; every path renders it as its clients expect."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from config.system import heartbeats

State = Literal["up", "down"]
REDIS_TIMEOUT = 2  # seconds
# What takes tasks, by the names of their heartbeats: the worker of everything, and the one that sends email.
WORKERS = ("worker", "mail")


@dataclass(frozen=True, slots=True)
class Part:
    """One part and how it answered. `latency_ms` is None when it did not."""

    name: str
    state: State
    latency_ms: float | None = None

    @property
    def is_up(self) -> bool:
        return self.state == "up"


@dataclass(frozen=True, slots=True)
class Health:
    """What was found at one moment."""

    parts: tuple[Part, ...]

    @property
    def is_ready(self) -> bool:
        return all(part.is_up for part in self.parts)

    @property
    def status(self) -> str:
        """`unhealthy` without the database, `degraded` without another part."""
        if self.is_ready:
            return "healthy"
        return "degraded" if self.part("database").is_up else "unhealthy"

    @property
    def http_status(self) -> int:
        return 503 if self.status == "unhealthy" else 200

    def part(self, name: str) -> Part:
        return next(part for part in self.parts if part.name == name)


def check() -> Health:
    """Ask the database, Redis and both workers' heartbeats. No vendor is called: that would cost money."""
    database = timed("database", database_answers)
    workers = [worker_part(name) if database.is_up else Part(name, "down") for name in WORKERS]
    return Health((database, timed("redis", redis_answers), *workers))


def worker_part(name: str) -> Part:
    return timed(name, lambda: beats(name))


def timed(name: str, works: Callable[[], bool]) -> Part:
    started = time.perf_counter()
    if not works():
        return Part(name, "down")
    return Part(name, "up", round((time.perf_counter() - started) * 1000, 2))


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return cursor.fetchone() == (1,)
    except DatabaseError:
        return False


def redis_answers() -> bool:
    try:
        return bool(redis_client().ping())
    except (redis.RedisError, OSError):
        return False


@lru_cache(maxsize=1)
def redis_client() -> redis.Redis:
    return redis.Redis.from_url(
        settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
    )


def beats(part: str) -> bool:
    try:
        return heartbeats.alive(part)
    except DatabaseError:
        return False


def now() -> str:
    return timezone.now().strftime("%Y-%m-%dT%H:%M:%SZ")
