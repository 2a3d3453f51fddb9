"""A pytest plugin: after each test the database connections of other threads are closed.

Async code works on the threads of `config.api.threads` and of asgiref. A connection that one of them
keeps open would stop PostgreSQL from dropping the test database.
"""

import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import pytest
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from config.api import threads

_threads: "WeakKeyDictionary[BaseDatabaseWrapper, int]" = WeakKeyDictionary()


def _note(*, connection: BaseDatabaseWrapper, **_: object) -> None:
    _threads[connection] = threading.get_ident()


def close_foreign_connections() -> None:
    threads.close_connections()
    mine = threading.get_ident()
    for connection, owner in list(_threads.items()):
        # A connection may be shared on purpose (live_server on SQLite does so): that one is left alone.
        if owner == mine or connection.allow_thread_sharing:
            continue
        connection.inc_thread_sharing()
        try:
            connection.close()
        finally:
            connection.dec_thread_sharing()


@pytest.fixture(autouse=True)
def _no_foreign_connections(request: pytest.FixtureRequest) -> Iterator[None]:
    connection_created.connect(_note, dispatch_uid="foreign connections")
    yield
    close_foreign_connections()
