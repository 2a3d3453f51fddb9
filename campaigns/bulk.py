"""Many rows of one table in one statement, without an object for each.

bulk_create makes an object and asks each of its fields three questions, which is most of the time that an
import of a hundred thousand people takes. Here what is the same for all rows is asked once.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection, transaction
from django.db.models import AutoField, Field, Model

from config.api.prepared import ROWS, array_of, insert_rows, own_connection

Row = Sequence[Any]


def insert(
    model: type[Model],
    names: Sequence[str],
    rows: Iterable[Row],
    *,
    same: Mapping[str, Any],
    is_lenient: bool = False,
) -> None:
    """New rows with these columns (`contact_id`, not `contact`); all others from `same` and the defaults.

    `is_lenient` leaves out rows that a unique constraint refuses; else they raise IntegrityError.
    """
    given = [_field(model, name) for name in names]
    # One object, for its defaults and its automatic times.
    pattern = model(**same)
    constant = {
        field: field.get_db_prep_save(field.pre_save(pattern, True), connection)
        for field in model._meta.concrete_fields
        if field not in given and not isinstance(field, AutoField)
    }
    fields = [*given, *constant]
    values = list(constant.values())
    columns = ", ".join(_column(field) for field in fields)
    insert_rows(
        f"INSERT INTO {_quoted(model._meta.db_table)} ({columns}) VALUES",
        f"({', '.join(['%s'] * len(fields))})",
        [[*_prepared(given, row), *values] for row in rows],
        end=" ON CONFLICT DO NOTHING" if is_lenient else "",
    )


def update(model: type[Model], names: Sequence[str], rows: Iterable[Row]) -> None:
    """New values of these columns; the last value of each row is its key."""
    fields = [*(_field(model, name) for name in names), model._meta.pk]
    values = [_prepared(fields, row) for row in rows]
    if not values:
        return
    sql = _update_of_all(model, fields) if connection.vendor == "postgresql" else _update(model, fields)
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.executemany(sql, values)
            return
        for start in range(0, len(values), ROWS):
            cursor.execute(sql, [list(column) for column in zip(*values[start : start + ROWS], strict=True)])


def save_each(objects: Sequence[Model], names: Sequence[str]) -> None:
    """These fields of objects that are stored already, as Django's bulk_update does in ten times the time."""
    if objects:
        rows = ([getattr(one, name) for name in (*names, "pk")] for one in objects)
        update(type(objects[0]), names, rows)


def _update(model: type[Model], fields: Sequence[Any]) -> str:
    *changed, key = fields
    changes = ", ".join(f"{_column(field)} = %s" for field in changed)
    return f"UPDATE {_quoted(model._meta.db_table)} SET {changes} WHERE {_column(key)} = %s"  # noqa: S608 (names of our own models)


def _update_of_all(model: type[Model], fields: Sequence[Any]) -> str:
    """One statement for many rows, a parameter for each column."""
    *changed, key = fields
    changes = ", ".join(f"{_column(field)} = given.{_column(field)}" for field in changed)
    places, columns = ", ".join(map(array_of, fields)), ", ".join(map(_column, fields))
    return (
        f"UPDATE {_quoted(model._meta.db_table)} AS held SET {changes} "  # noqa: S608 (names of our own models)
        f"FROM unnest({places}) AS given ({columns}) WHERE held.{_column(key)} = given.{_column(key)}"
    )


def _field(model: type[Model], name: str) -> "Field[Any, Any]":
    return next(field for field in model._meta.concrete_fields if field.attname == name)


def _prepared(fields: Sequence[Any], row: Row) -> list[Any]:
    own = own_connection()
    return [field.get_db_prep_save(value, own) for field, value in zip(fields, row, strict=True)]


def _column(field: Any) -> str:
    return _quoted(field.column)


def _quoted(name: str) -> str:
    return str(connection.ops.quote_name(name))
