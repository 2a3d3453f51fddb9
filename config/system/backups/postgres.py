"""A PostgreSQL database, by its own programs: pg_dump, pg_restore and psql on the PATH."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from config.system.backups.places import BackupError, Contents

CONNECT_SECONDS = 10
LOCK_MILLISECONDS = 20_000  # that pg_dump waits for a table which a migration holds
# Django's own options of a connection; the others are the server library's.
NOT_LIBPQ = {"isolation_level", "server_side_binding", "assume_role", "pool", "cursor_factory", "context"}
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename"
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
# Everything of ours and nothing of an extension. It runs in the transaction that puts the archive in.
DROP_ALL = """
SET client_min_messages = warning;
DO $$ DECLARE one record; BEGIN
    DROP SCHEMA IF EXISTS reporting CASCADE;
    FOR one IN SELECT c.oid::regclass AS name FROM pg_class c
        WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP TABLE IF EXISTS %s CASCADE', one.name); END LOOP;
    FOR one IN SELECT p.oid::regprocedure AS name FROM pg_proc p
        WHERE p.pronamespace = current_schema()::regnamespace
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')
    LOOP EXECUTE format('DROP ROUTINE IF EXISTS %s CASCADE', one.name); END LOOP;
END $$;
"""


class PostgresDatabase:
    kind = "postgresql"
    member = "database.dump"

    def __init__(self, values: Mapping[str, Any]) -> None:
        """`values` are Django's settings of the database."""
        named = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
        given = {name: values.get(key) for name, key in named.items()}
        options = {name: v for name, v in (values.get("OPTIONS") or {}).items() if name not in NOT_LIBPQ}
        given = {"connect_timeout": CONNECT_SECONDS, **given, **options}
        self.password = str(given.pop("password", "") or values.get("PASSWORD") or "")
        self.address = make_conninfo(**{name: value for name, value in given.items() if value})

    # --- Out ---

    def save(self, copy: Path) -> Contents:
        with self._connected() as connection:
            # One snapshot for our counting and for pg_dump.
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            snapshot = _value(connection, "SELECT pg_export_snapshot()")
            found = _contents(connection)
            self._dump(copy, f"--snapshot={snapshot}")
            return found

    def _dump(self, copy: Path, *more: str) -> None:
        words = ("--format=custom", "--no-owner", "--no-privileges")
        wait = f"--lock-wait-timeout={LOCK_MILLISECONDS}"
        self._run("pg_dump", *words, wait, *more, f"--file={copy}", f"--dbname={self.address}")

    # --- In ---

    def is_empty(self) -> bool:
        with self._connected() as connection:
            return not connection.execute(TABLES).fetchall()

    def refuse_if_used(self) -> None:
        with self._connected() as connection:
            others = _value(connection, OTHERS)
        if others:
            raise BackupError(
                f"{others} connections to the database are open. Stop Rapport and whatever else reads it,"
                " then try again."
            )

    def check(self, copy: Path, contents: Contents) -> None:
        self._run("pg_restore", "--list", str(copy))

    def put(self, copy: Path, contents: Contents, aside: Path) -> None:
        """In one transaction, which counts the rows before it commits: all of it or nothing.

        What is there is put aside before, as a dump.
        """
        is_kept = self._put_aside(aside)
        try:
            self._take_place(copy, contents)
        except BackupError as error:
            # A connection that broke at the commit does not tell whether it was one: the dump stays.
            where = f" What was there is in {aside}, too." if is_kept else ""
            raise BackupError(f"{error}{where}") from None

    def _put_aside(self, aside: Path) -> bool:
        """False where there is nothing. Raises BackupError, and leaves nothing behind then."""
        if self.is_empty():
            return False
        aside.mkdir(mode=0o700)
        try:
            self._dump(aside / self.member)
        except BackupError as error:
            shutil.rmtree(aside, ignore_errors=True)
            words = "What is there could not be put aside, so nothing was changed"
            raise BackupError(f"{words}: {error}") from None
        return True

    def _take_place(self, copy: Path, contents: Contents) -> None:
        script, before, after = (copy.with_name(name) for name in ("all.sql", "before.sql", "after.sql"))
        self._run("pg_restore", "--no-owner", "--no-privileges", f"--file={script}", str(copy))
        with self._connected() as connection:
            schema = _value(connection, "SELECT quote_ident(current_schema())")
        before.write_text(DROP_ALL)
        after.write_text(_counted_again(contents, schema))
        files = [f"--file={file}" for file in (before, script, after)]
        words = (
            "--no-psqlrc",
            "--quiet",
            "--single-transaction",
            "--set=ON_ERROR_STOP=1",
            "--output=/dev/null",
        )
        self._run("psql", *words, *files, f"--dbname={self.address}")

    # --- Both ---

    def _connected(self) -> "psycopg.Connection[Any]":
        """Raises BackupError."""
        try:
            return psycopg.connect(make_conninfo(self.address, password=self.password), autocommit=True)
        except psycopg.Error as error:
            raise BackupError(f"The database does not answer: {str(error).splitlines()[0]}") from None

    def _run(self, name: str, *words: str) -> None:
        """Raises BackupError. The password goes by the environment: a command line is read by everybody."""
        program = shutil.which(name)
        if program is None:
            raise BackupError(
                f"{name} was not found. Install PostgreSQL's client programs, of the server's version or"
                " newer."
            )
        environment = {**os.environ, "PGPASSWORD": self.password} if self.password else dict(os.environ)
        done = subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)  # noqa: S603 (our own words)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
            # Notices and details may stand around what went wrong.
            wrong = next((line for line in lines if "error" in line.lower()), lines[0])
            raise BackupError(f"{name} failed: {wrong}")


def _value(connection: "psycopg.Connection[Any]", statement: str) -> Any:
    row = connection.execute(statement).fetchone()
    return row[0] if row else None


def _contents(connection: "psycopg.Connection[Any]") -> Contents:
    names = [name for (name,) in connection.execute(TABLES)]
    tables = {name: int(_value(connection, f'SELECT count(*) FROM "{name}"')) for name in names}  # noqa: S608 (the catalogue's own name)
    applied = connection.execute("SELECT app, name FROM django_migrations ORDER BY app, name")
    return Contents(tables, [f"{app}.{name}" for app, name in applied])


def _counted_again(contents: Contents, schema: str) -> str:
    """Fails the transaction when a table does not hold its rows. Names were checked with the archive."""
    tests = [
        f'IF (SELECT count(*) FROM {schema}."{table}") <> {rows} THEN'  # noqa: S608 (checked names)
        f" RAISE EXCEPTION '{table} does not hold the rows that it should'; END IF;"
        for table, rows in contents.tables.items()
    ]
    return "DO $$ BEGIN\n" + "\n".join(tests) + "\nEND $$;\n"
