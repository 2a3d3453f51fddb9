"""Queries of the hottest paths, whose SQL is made once.

Django makes the SQL of a query anew at each run, and for a row by its key that takes ten times as long as
running it. A turn of a chat asks a dozen such queries while other chats wait for the interpreter, so those
are built once, with a `Given` where a value comes later:

    called = PreparedRows(lambda: Contact.objects.filter(name=given(Contact, "name")))
    called(name="Ada")

Everything else is an ordinary queryset: this is worth its words only where every chat passes.
"""

import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, Generic, TypeVar, cast

from django.db import DEFAULT_DB_ALIAS, connection, connections, transaction
from django.db.models import (
    BooleanField,
    CharField,
    Expression,
    F,
    Field,
    Func,
    IntegerField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.query import get_related_populators  # type: ignore[attr-defined]
from django.db.models.sql import InsertQuery, Query, UpdateQuery

M = TypeVar("M", bound=Model)
ROWS = 500  # of one INSERT


class Given(Expression):
    """The place of a value that is given when the query runs; it is written as `field` writes it."""

    def __init__(self, name: str, field: "Field[Any, Any]") -> None:
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        return "%s", [self]

    def written(self, value: Any) -> Any:
        return self.output_field.get_db_prep_save(value, connection)


def given(model: type[Model], field: str, *, name: str = "") -> Any:
    """The place of a value for a field, called like it unless it is given a name of its own."""
    return Given(name or field, cast("Field[Any, Any]", model._meta.get_field(field)))


class _GivenList(Given):
    def written(self, values: Any) -> Any:
        return list_parameter(self.output_field, values)


def list_parameter(field: "Field[Any, Any]", values: Iterable[Any]) -> Any:
    """Many values of a field as one parameter, for `in_list`."""
    own = own_connection()
    written = [field.get_db_prep_save(one, own) for one in values]
    return written if own.vendor == "postgresql" else json.dumps(written)


def own_connection() -> Any:
    """This thread's. Django's `connection` looks for it at each use, which is felt when every value asks."""
    return connections[DEFAULT_DB_ALIAS]


def in_list(field: "Field[Any, Any]") -> str:
    """SQL after a column: it is one of the values in a `list_parameter`. The same for any number of them."""
    if connection.vendor != "postgresql":
        return "IN (SELECT value FROM json_each(%s))"
    return f"= ANY({array_of(field)})"


def array_of(field: "Field[Any, Any]") -> str:
    """The place of many values of a field as one parameter, in PostgreSQL's SQL."""
    # varchar(20)[] would cut longer values off.
    kind = "text" if isinstance(field, CharField) else field.db_type(connection)
    return f"%s::{kind}[]"


class _Among(Func):
    def __init__(self, column: Any, values: _GivenList) -> None:
        super().__init__(column, output_field=BooleanField())
        self.values = values

    def as_sql(self, compiler: Any, connection: Any, *_words: Any, **_more: Any) -> Any:
        column, parameters = compiler.compile(self.source_expressions[0])
        return f"{column} {in_list(self.values.output_field)}", [*parameters, self.values]


def among(model: type[Model], field: str, *, name: str) -> Any:
    """A condition: the field is one of many values that are given together when the query runs."""
    return _Among(F(field), _GivenList(name, cast("Field[Any, Any]", model._meta.get_field(field))))


class _Converters:
    """From what the database gives to what fields hold. They know a connection: each thread has its own."""

    def __init__(self, columns: Sequence[Any]) -> None:
        self._columns = columns
        self._made = threading.local()

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        try:
            return iter(self._made.value)
        except AttributeError:
            compiler = Query(None).get_compiler(connection=connection)
            self._made.value = list(compiler.get_converters(self._columns).items())
            return iter(self._made.value)


@dataclass(frozen=True, slots=True)
class _Statement:
    sql: str
    parameters: tuple[Any, ...]
    names: frozenset[str]

    @classmethod
    def of(cls, sql: str, parameters: Iterable[Any]) -> "_Statement":
        places = tuple(parameters)
        return cls(sql, places, frozenset(place.name for place in places if isinstance(place, Given)))

    def filled(self, values: Mapping[str, Any]) -> list[Any]:
        if values.keys() != self.names:
            raise TypeError(f"This query is given {sorted(self.names)}, not {sorted(values)}.")
        return [
            place.written(values[place.name]) if isinstance(place, Given) else place
            for place in self.parameters
        ]


@dataclass(frozen=True, slots=True)
class _Select:
    """What is left of a queryset once its SQL is made. All threads share it, so it holds no connection."""

    statement: _Statement
    model: Any
    converters: _Converters
    populators: Sequence[Any]
    start: int
    end: int
    names: Sequence[str]  # of the model's fields; none where plain values are asked for
    annotations: Sequence[tuple[str, int]]  # name, column

    @classmethod
    def of(cls, rows: "QuerySet[Any, Any]") -> "_Select":
        compiler = rows.query.get_compiler(connection=connection)
        statement = _Statement.of(*compiler.as_sql())
        converters = _Converters([column[0] for column in compiler.select])
        info = compiler.klass_info
        if rows._fields is not None:  # type: ignore[attr-defined]
            return cls(statement, rows.model, converters, (), 0, 0, (), ())
        start, end = info["select_fields"][0], info["select_fields"][-1] + 1
        names = [column[0].target.attname for column in compiler.select[start:end]]
        populators = cast(Any, get_related_populators)(info, compiler.select, connection.alias)
        annotations = tuple(compiler.annotation_col_map.items())
        return cls(statement, info["model"], converters, populators, start, end, names, annotations)

    def read(self, values: Mapping[str, Any]) -> list[list[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(self.statement.sql, self.statement.filled(values))
            found = [list(row) for row in cursor.fetchall()]
        own = own_connection()
        for place, (converters, expression) in self.converters:
            for row in found:
                for convert in converters:
                    row[place] = convert(row[place], expression, own)
        return found


class PreparedRows(Generic[M]):
    """The rows of a queryset of models, as a list. What it follows by `select_related` comes along."""

    def __init__(self, build: "Callable[[], QuerySet[M]]") -> None:
        self._select = cache(lambda: _Select.of(build()))

    def __call__(self, **values: Any) -> list[M]:
        select = self._select()
        made = []
        for row in select.read(values):
            one = select.model.from_db(connection.alias, select.names, row[select.start : select.end])
            for populator in select.populators:
                populator.populate(row, one)
            for name, place in select.annotations:
                setattr(one, name, row[place])
            made.append(one)
        return made

    def first(self, **values: Any) -> M | None:
        """Of a query that finds one row at most, or is limited to one."""
        return next(iter(self(**values)), None)


class PreparedValues:
    """The rows of a queryset's `values_list`."""

    def __init__(self, build: "Callable[[], QuerySet[Any, Any]]") -> None:
        self._select = cache(lambda: _Select.of(build()))

    def __call__(self, **values: Any) -> list[list[Any]]:
        return self._select().read(values)


class PreparedUpdate:
    """`rows.update(**fields)`; the number of rows changed."""

    def __init__(self, build: "Callable[[], tuple[QuerySet[Any], dict[str, Any]]]") -> None:
        self._statement = cache(lambda: self._made(*build()))

    @staticmethod
    def _made(rows: "QuerySet[Any]", fields: dict[str, Any]) -> _Statement:
        query = cast(Any, rows.query.chain(UpdateQuery))
        query.add_update_values(fields)
        return _Statement.of(*query.get_compiler(connection=connection).as_sql())

    def __call__(self, **values: Any) -> int:
        statement = self._statement()
        with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.filled(values))
            return int(cursor.rowcount)


# Text, numbers, yes and no are stored as they are; Django asks each of their fields five questions first.
_AS_THEY_ARE: dict[Any, type] = {CharField: str, TextField: str, IntegerField: int, BooleanField: bool}


def _written_by(field: "Field[Any, Any]") -> Callable[[Model, Any], Any]:
    """How the value of a new row's field is stored on a connection, as `save` would."""
    own: Any = type(field)
    usual = own.pre_save is Field.pre_save and not field.has_db_default()  # type: ignore[attr-defined]
    plain = next((kind for of, kind in _AS_THEY_ARE.items() if own.get_prep_value is of.get_prep_value), None)
    name = field.attname

    def write(row: Model, on: Any) -> Any:
        value = getattr(row, name) if usual else field.pre_save(row, add=True)
        return value if plain is type(value) else field.get_db_prep_save(value, on)

    return write


def insert_rows(start: str, places: str, rows: Sequence[Sequence[Any]], *, end: str = "") -> None:
    """`INSERT … VALUES` with many rows: `start` up to VALUES, `places` of one row, `end` what follows.

    SQLite takes them one by one by a statement that it reads once; to PostgreSQL each statement is a journey.
    """
    if not rows:
        return
    with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.executemany(f"{start} {places}{end}", rows)
            return
        for first in range(0, len(rows), ROWS):
            part = rows[first : first + ROWS]
            cursor.execute(f"{start} {', '.join([places] * len(part))}{end}", list(chain.from_iterable(part)))


class PreparedInsert(Generic[M]):
    """Stores a new object. No `save` of its own, no signal and no default of the database is looked at."""

    def __init__(self, model: type[M]) -> None:
        self._model = model
        self._makes_key = model._meta.auto_field is not None
        self._fields = [
            field
            for field in model._meta.local_concrete_fields
            if field is not model._meta.auto_field and not field.generated  # type: ignore[attr-defined]
        ]
        self._write = [_written_by(field) for field in self._fields]
        self._sql = cache(lambda: self._made(returning=self._makes_key))
        self._parts = cache(lambda: self._made(returning=False).partition("VALUES"))

    def _made(self, *, returning: bool) -> str:
        query = InsertQuery(self._model)
        query.insert_values(self._fields, [self._model()], raw=False)
        compiler: Any = query.get_compiler(connection=connection)
        compiler.returning_fields = [self._model._meta.auto_field] if returning else []
        ((sql, _parameters),) = compiler.as_sql()
        return str(sql)

    def __call__(self, row: M) -> M:
        own = own_connection()
        values = [write(row, own) for write in self._write]
        with transaction.mark_for_rollback_on_error(connection.alias), connection.cursor() as cursor:
            cursor.execute(self._sql(), values)
            if self._makes_key:
                row.pk = cursor.fetchone()[0]
        row._state.adding, row._state.db = False, connection.alias
        return row

    def many(self, rows: Iterable[M]) -> None:
        """Stores them in this order. Keys that the database makes are not told."""
        made = list(rows)
        own = own_connection()
        start, values, places = self._parts()
        insert_rows(start + values, places, [[write(row, own) for write in self._write] for row in made])
        for row in made:
            row._state.adding, row._state.db = False, connection.alias
