"""Rate limits: one atomic counter in Redis, the same for API, pages, webhooks and sockets."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.retry import Retry
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from config.api import metadata
from config.api.addresses import client_address, ident_of_address
from config.api.errors import ApiError, RateLimitedError, UnavailableError
from config.api.gathering import Gathered

if TYPE_CHECKING:
    # REST framework imports this module while it makes APIView.
    from rest_framework.views import APIView

TIMEOUT_SECONDS = 0.5  # to connect, to be answered, and to wait for a free connection
# After a failure nobody asks Redis again for this long: one slow request a while, not all of them.
REST_SECONDS = 2.0
MOST_CONNECTIONS = 32  # of one process
MOST_LOCAL_WINDOWS = 20_000
WINDOW_NAMES = {1: "per_second", 60: "per_minute", 3600: "per_hour"}

# Each window begins with its first request and counts only what was allowed. All windows are
# looked at before any is counted, so that a request refused by one costs nothing in another.
# KEYS: a counter per window. ARGV: limit and milliseconds of each. Answers with the number of the
# window that refused (0: none), then count and milliseconds left of each.
STEP = """
local refused, left = 0, {}
for i = 1, #KEYS do
  local count = tonumber(redis.call('GET', KEYS[i]) or '0')
  if count >= tonumber(ARGV[2 * i - 1]) and refused == 0 then refused = i end
end
local answer = {refused}
for i = 1, #KEYS do
  local count
  if refused == 0 then
    count = redis.call('INCR', KEYS[i])
    if count == 1 then redis.call('PEXPIRE', KEYS[i], ARGV[2 * i]) end
  else
    count = tonumber(redis.call('GET', KEYS[i]) or '0')
  end
  answer[#answer + 1] = count
  answer[#answer + 1] = redis.call('PTTL', KEYS[i])
end
return answer
"""

logger = logging.getLogger("rapport.throttling")


@dataclass(frozen=True, slots=True)
class Window:
    limit: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """`limit`, `remaining` and `reset_seconds` are those of the longest window that has a name in headers."""

    allowed: bool
    limit: int
    remaining: int
    reset_seconds: int
    retry_after: int = 0
    limit_type: str = "per_minute"
    refused_limit: int = 0
    # True when Redis did not answer, and the caller without a credential is refused for that alone.
    is_away: bool = False
    # (name, limit, remaining) of every window, for APIs that tell them all.
    windows: tuple[tuple[str, int, int], ...] = ()

    def headers(self) -> dict[str, str]:
        headers = {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(time.time()) + self.reset_seconds),
        }
        return headers if self.allowed else {**headers, "Retry-After": str(self.retry_after)}

    def refusal(self) -> ApiError:
        if self.is_away:
            return UnavailableError(
                "We cannot take requests without a key right now. Please try again in a few seconds.",
                retry_after_seconds=self.retry_after,
            )
        return RateLimitedError(
            limit=self.refused_limit, limit_type=self.limit_type, retry_after_seconds=self.retry_after
        )


def windows_of(per_minute: int | None, per_second: int | None, per_hour: int | None) -> tuple[Window, ...]:
    """None is the setting's limit (per hour: none); 0 is no limit of that kind."""
    minute = settings.RATE_LIMIT_PER_MINUTE if per_minute is None else per_minute
    second = settings.RATE_LIMIT_PER_SECOND if per_second is None else per_second
    pairs = ((minute, 60), (second, 1), (per_hour or 0, 3600))
    return tuple(Window(limit, seconds) for limit, seconds in pairs if limit > 0)


def take(
    ident: str,
    *,
    bucket: str = "api",
    per_minute: int | None = None,
    per_second: int | None = None,
    per_hour: int | None = None,
) -> Allowance:
    """One atomic step of a rate limit.

    An ident that starts with `ip:` is a caller without a credential. While Redis is away such
    callers are refused, and the others are counted in this process alone.
    """
    return take_each([Step.of(ident, bucket, windows_of(per_minute, per_second, per_hour))])[0]


@dataclass(frozen=True, slots=True)
class Step:
    """What one request takes of its limit: the windows with their counters' keys."""

    keys: tuple[str, ...]
    windows: tuple[Window, ...]
    has_credential: bool

    @classmethod
    def of(cls, ident: str, bucket: str, windows: tuple[Window, ...]) -> "Step":
        keys = tuple(f"rapport:rate:{bucket}:{ident}:{window.seconds}" for window in windows)
        return cls(keys, windows, has_credential=not ident.startswith("ip:"))


def take_each(steps: Sequence[Step]) -> list[Allowance]:
    """The steps of requests that came at the same time: one question to Redis."""
    limited = [step for step in steps if step.windows]
    answers = iter(_counted_in_redis(limited) if limited else [])
    return [_allowance(step, next(answers) if step.windows else None) for step in steps]


def _allowance(step: Step, counted: list[int] | None) -> Allowance:
    """`counted` is None where Redis is away, or where nothing limits."""
    if not step.windows:
        return Allowance(True, limit=0, remaining=0, reset_seconds=0)
    if counted is not None:
        return allowance_of(step.windows, counted)
    if not step.has_credential:
        wait = math.ceil(REST_SECONDS)
        return Allowance(False, step.windows[0].limit, 0, wait, retry_after=wait, is_away=True)
    return allowance_of(step.windows, _local.step(step.keys, step.windows))


def allowance_of(windows: Sequence[Window], counted: Sequence[int]) -> Allowance:
    refused, *figures = counted
    counts, left = figures[::2], [max(0, milliseconds) for milliseconds in figures[1::2]]
    culprit = windows[refused - 1] if refused else None
    return Allowance(
        allowed=not refused,
        limit=windows[0].limit,
        remaining=max(0, windows[0].limit - counts[0]),
        reset_seconds=math.ceil(left[0] / 1000),
        retry_after=max(1, math.ceil(left[refused - 1] / 1000)) if refused else 0,
        limit_type=WINDOW_NAMES[(culprit or windows[0]).seconds],
        refused_limit=culprit.limit if culprit else 0,
        windows=tuple(
            (WINDOW_NAMES[window.seconds], window.limit, max(0, window.limit - count))
            for window, count in zip(windows, counts, strict=True)
        ),
    )


@lru_cache(maxsize=2)
def _script(url: str) -> Script:
    """One bounded pool of connections per process; redis-py drops inherited ones after a fork."""
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=MOST_CONNECTIONS,
        timeout=TIMEOUT_SECONDS,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        # A connection that Redis closed while it was idle is opened again, once; nothing else is retried.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        health_check_interval=0,
    )
    return redis.Redis(connection_pool=pool).register_script(STEP)


class _Rest:
    """Remembers that Redis failed a moment ago."""

    until = 0.0


def _counted_in_redis(steps: Sequence[Step]) -> Sequence[list[int] | None]:
    """The script's answer to each; None for all when Redis is away."""
    nothing = [None] * len(steps)
    if time.monotonic() < _Rest.until:
        return nothing
    try:
        answers = _asked(_script(settings.REDIS_URL), steps)
    except (redis.RedisError, OSError) as error:
        _Rest.until = time.monotonic() + REST_SECONDS
        logger.error("Rate limits work without Redis: %s", type(error).__name__)
        return nothing
    return [[int(figure) for figure in answer] for answer in answers]


def _asked(script: Script, steps: Sequence[Step]) -> list[Any]:
    if len(steps) == 1:
        return [script(keys=list(steps[0].keys), args=_arguments(steps[0]))]
    with cast(redis.Redis, script.registered_client).pipeline(transaction=False) as pipe:
        for step in steps:
            script(keys=list(step.keys), args=_arguments(step), client=pipe)
        return pipe.execute()


def _arguments(step: Step) -> list[int]:
    return [figure for window in step.windows for figure in (window.limit, window.seconds * 1000)]


class _LocalCounters:
    """The same step in this process alone, bounded in memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[int, float]] = {}

    def step(self, keys: Sequence[str], windows: Sequence[Window]) -> list[int]:
        now = time.monotonic()
        with self._lock:
            self._forget_ended(now)
            found = [self._open(key, window, now) for key, window in zip(keys, windows, strict=True)]
            full = [count >= window.limit for (count, _), window in zip(found, windows, strict=True)]
            refused = full.index(True) + 1 if any(full) else 0
            if not refused:
                found = [(count + 1, end) for count, end in found]
                self._windows.update(zip(keys, found, strict=True))
        return [refused, *(figure for count, end in found for figure in (count, round((end - now) * 1000)))]

    def _open(self, key: str, window: Window, now: float) -> tuple[int, float]:
        count, end = self._windows.get(key, (0, 0.0))
        return (count, end) if end > now else (0, now + window.seconds)

    def _forget_ended(self, now: float) -> None:
        if len(self._windows) < MOST_LOCAL_WINDOWS:
            return
        self._windows = {key: value for key, value in self._windows.items() if value[1] > now}
        if len(self._windows) >= MOST_LOCAL_WINDOWS:
            self._windows.clear()


_local = _LocalCounters()


@lru_cache(maxsize=1)
def _threads() -> ThreadPoolExecutor:
    # Its own few threads: a Redis that does not answer must not hold up database work.
    return ThreadPoolExecutor(4, thread_name_prefix="throttle")


async def atake(
    ident: str,
    *,
    bucket: str = "api",
    per_minute: int | None = None,
    per_second: int | None = None,
    per_hour: int | None = None,
) -> Allowance:
    """`take` for async code. One pool per process serves every event loop."""
    return await _together(Step.of(ident, bucket, windows_of(per_minute, per_second, per_hour)))


async def _on_threads(work: Callable[[list[Step]], Sequence[Allowance]], steps: list[Step]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work, steps)


_together = Gathered[Step, Allowance](take_each, run=_on_threads)


def note_headers(allowance: Allowance) -> None:
    """The figures reach the response through RequestMetadataMiddleware."""
    if allowance.limit and (facts := metadata.current()):
        facts.headers.update(allowance.headers())


class CallerThrottle(BaseThrottle):
    """The limit of whoever was authenticated (`request.auth.ident`), else of the client's address.

    A view may set `throttle_bucket`, `throttle_per_minute`, `throttle_per_second` and
    `throttle_per_hour`, or list no throttle at all.
    """

    def allow_request(self, request: Request, view: "APIView") -> bool:
        known = getattr(request.auth, "ident", "")
        ident = known or ident_of_address(client_address(request._request))
        allowance = take(
            ident,
            bucket=getattr(view, "throttle_bucket", "api"),
            per_minute=getattr(view, "throttle_per_minute", None),
            per_second=getattr(view, "throttle_per_second", None),
            per_hour=getattr(view, "throttle_per_hour", None),
        )
        note_headers(allowance)
        if not allowance.allowed:
            raise allowance.refusal()
        return True
