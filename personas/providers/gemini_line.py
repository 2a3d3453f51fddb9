"""The connection of one synchronous call, so that a reader who leaves can hang it up from another thread.

Each thread of the pool keeps one `requests` session, and with it its connections: what a thread holds open is
used by its own call alone, and hanging up never cuts another's.
"""

import socket
import threading
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


class HungUp(Exception):  # noqa: N818
    """Nobody waits for this call any more."""


class Line:
    """One call, from its making until `end`, which the thread that runs it calls last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Any = None
        self._is_over = False

    def use(self, connection: Any) -> None:
        """The thread is about to ask over this connection. Raises HungUp."""
        with self._lock:
            if self._is_over:
                raise HungUp
            self._connection = connection

    def hang_up(self) -> None:
        """Wakes the thread wherever it waits: it finds its connection closed."""
        with self._lock:
            self._is_over = True
            opened = getattr(self._connection, "sock", None)
            if opened is not None:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """From now on the connection is the next call's."""
        with self._lock:
            self._connection = None


class _Here(threading.local):
    """What belongs to this thread."""

    line: Line | None = None
    session: requests.Session | None = None


_here = _Here()


def take(line: Line | None) -> None:
    """The call that this thread now works for."""
    _here.line = line


class _Tells:
    """A connection that tells its thread's call of itself before each request."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        if _here.line is not None:
            _here.line.use(self)
        super().request(*args, **kwargs)  # type: ignore[misc]


class _Plain(_Tells, HTTPConnection):
    pass


class _Encrypted(_Tells, HTTPSConnection):
    pass


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _EncryptedPool(HTTPSConnectionPool):
    ConnectionCls = _Encrypted


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _PlainPool, "https": _EncryptedPool}


def session() -> requests.Session:
    """This thread's. It keeps connections, and nothing of one account that another could get."""
    if _here.session is None:
        _here.session = requests.Session()
        _here.session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            _here.session.mount(scheme, _Adapter())
    return _here.session
