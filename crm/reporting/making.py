"""The reporting views are derived: dropped before migrations run, made anew after them.

SQLite rebuilds a table to change it, and refuses while a view reads it; PostgreSQL refuses to change a
column's type under a view, and drops the view with a column (docs/decisions/0007-…). So views are no
migration of their own. They are there when every migration is applied, and only then.
"""

import hashlib
import logging
from typing import Any

from django.db import ProgrammingError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.executor import MigrationExecutor

from crm.reporting.views import DIALECTS, NAMES, SCHEMA, statements, view_name

logger = logging.getLogger(__name__)
NOT_ALLOWED = "42501"  # SQLSTATE insufficient_privilege


def before_migrations(using: str, plan: Any = None, **kwargs: Any) -> None:
    """Receives pre_migrate."""
    if plan and connections[using].vendor in DIALECTS:
        drop(connections[using])


def after_migrations(using: str, plan: Any = None, **kwargs: Any) -> None:
    """Receives post_migrate. Django sends it without a plan too, when it emptied the tables of a test."""
    connection = connections[using]
    if plan is None or connection.vendor not in DIALECTS or are_there(connection):
        return
    if all_are_applied(connection):
        make(connection)


def all_are_applied(connection: BaseDatabaseWrapper) -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())


def digest(vendor: str) -> str:
    return hashlib.sha256("\n".join(statements(vendor).values()).encode()).hexdigest()[:16]


def are_there(connection: BaseDatabaseWrapper) -> bool:
    """Whether all are, as this release words them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                "SELECT name, sql FROM sqlite_master WHERE type = 'view' AND name LIKE 'v!_%' ESCAPE '!'"
            )
            return dict(cursor.fetchall()) == statements("sqlite")
        cursor.execute(
            "SELECT (SELECT count(*) FROM pg_views WHERE schemaname = %s),"
            " obj_description(to_regnamespace(%s), 'pg_namespace')",
            [SCHEMA, SCHEMA],
        )
        return cursor.fetchone() == (len(NAMES), digest(connection.vendor))


def drop(connection: BaseDatabaseWrapper) -> None:
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for name in reversed(NAMES):
            cursor.execute(f"DROP VIEW IF EXISTS {view_name(connection.vendor, name)}")


def make(connection: BaseDatabaseWrapper) -> None:
    """All of them or none. On PostgreSQL, whose role may not make the schema, none, and a warning."""
    try:
        with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
            for statement in _making(connection):
                cursor.execute(statement)
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", "") != NOT_ALLOWED:
            raise
        logger.warning(
            "The reporting views were not made (docs/dashboards.md): %s", str(error).splitlines()[0]
        )


def _making(connection: BaseDatabaseWrapper) -> list[str]:
    vendor = connection.vendor
    dropped = [f"DROP VIEW IF EXISTS {view_name(vendor, name)}" for name in reversed(NAMES)]
    made = list(statements(vendor).values())
    if vendor == "sqlite":
        return [*dropped, *made]
    noted = f"COMMENT ON SCHEMA {SCHEMA} IS '{digest(vendor)}'"
    # IF NOT EXISTS asks for the right to make it even where it is there.
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s) IS NOT NULL", [SCHEMA])
        is_there = cursor.fetchone()[0]
    return [*([] if is_there else [f"CREATE SCHEMA {SCHEMA}"]), *dropped, *made, noted]
