import asyncio
import threading

import pytest
from django.db import connection

from config.api import threads
from config.api.models import Account
from config.api.threads import in_database
from tests.factories import make_account

pytestmark = pytest.mark.django_db(transaction=True)


def who():
    return threading.current_thread().name


async def test_work_runs_on_the_pool_and_sees_committed_rows():
    await in_database(make_account, "acme")
    assert await in_database(Account.objects.filter(slug="acme").count) == 1
    assert (await in_database(who)).startswith("database")


async def test_more_work_than_threads_waits_its_turn(settings):
    names = await asyncio.gather(*(in_database(who) for _ in range(100)))
    assert len(set(names)) <= settings.DATABASE_THREADS


async def test_an_exception_comes_back_to_who_asked():
    with pytest.raises(Account.DoesNotExist):
        await in_database(Account.objects.get, slug="nobody")


def end_all_other_connections():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )


@pytest.mark.skipif(connection.vendor == "sqlite", reason="a SQLite file has no server that ends connections")
async def test_connections_that_the_server_ended_are_replaced(settings):
    await asyncio.gather(*(in_database(Account.objects.count) for _ in range(settings.DATABASE_THREADS * 4)))
    await in_database(end_all_other_connections)
    counts = await asyncio.gather(*(in_database(Account.objects.count) for _ in range(50)))
    assert counts == [0] * 50


async def test_all_connections_can_be_closed_from_outside():
    await asyncio.gather(*(in_database(Account.objects.count) for _ in range(20)))
    held = list(threads._connections)
    assert any(one.connection is not None for one in held)
    await asyncio.to_thread(threads.close_connections)
    assert all(one.connection is None for one in held)
    assert await in_database(Account.objects.count) == 0
