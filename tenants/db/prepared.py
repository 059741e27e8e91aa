"""Querysets compiled once and asked often. Django takes longer to write a statement than Postgres to answer it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Self, cast
from uuid import UUID

import orjson
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import EmptyResultSet
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import BooleanField, F, Func, JSONField, Model, QuerySet, UUIDField, Value

type Converter = Callable[[Any], Any]


class Among(Func):
    """Whether something is one of a list, which is one parameter however long it is."""

    template = "(%(expressions)s))"
    arg_joiner = " = ANY("
    arity = 2
    output_field = BooleanField()

    @classmethod
    def of(cls, name: str, ids: Collection[UUID]) -> Self:
        return cls(F(name), Value(list(ids), output_field=ArrayField(UUIDField())))


@dataclass(frozen=True, slots=True)
class Prepared:
    """A statement with room for values. It knows no schema: it runs in whatever scope it is asked in."""

    sql: str
    params: tuple[Any, ...]
    places: tuple[tuple[int, int], ...]
    converters: tuple[tuple[int, Converter], ...]

    def rows(self, *values: Any) -> list[tuple[Any, ...]]:
        """The rows for the values, in the order in which ``prepare`` named their types."""
        if not self.sql:
            return []
        params: list[Any] = list(self.params)
        for place, number in self.places:
            params[place] = values[number]
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            found: list[tuple[Any, ...]] = cursor.fetchall()
        if not self.converters or not found:
            return found
        converted = [list(row) for row in found]
        for place, convert in self.converters:
            for row in converted:
                if row[place] is not None:
                    row[place] = convert(row[place])
        return [tuple(row) for row in converted]


class NotPreparable(Exception):
    """A statement whose values cannot be put in their places."""


NO_ROWS = Prepared("", (), (), ())


def prepare(
    build: Callable[..., QuerySet[Any, Any]], *kinds: type, locking: str = "", spare: tuple[Any, ...] = ()
) -> Prepared:
    """Compile ``build(*values)``, a queryset of tuples (``values_list``), for values of these types.

    ``locking`` is a clause that Django has no word for, such as FOR KEY SHARE.

    The values must reach the statement as they are, each at least once; ValueError when one does not. ``spare`` are
    stand-ins that the queryset holds already, or some of them: their values follow those of ``kinds``. Raises
    NotPreparable when one of them is inside another value, such as JSON.
    """
    asked = [stand_in(kind, number) for number, kind in enumerate(kinds)]
    queryset = build(*asked)
    stand_ins = [*asked, *spare]
    compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return NO_ROWS
    parts = [value if isinstance(value, list) else [value] for value in spare if value is not None]
    words = [str(one) for part in parts for one in part]
    for value in params:
        if value not in stand_ins and any(word in str(getattr(value, "adapted", value)) for word in words):
            raise NotPreparable
    places = tuple(
        (place, stand_ins.index(value))
        for place, value in enumerate(params)
        if value is not None and value in stand_ins
    )
    if not set(range(len(kinds))) <= {number for _place, number in places}:
        raise ValueError("A value does not reach the statement.")
    expressions = [column[0] for column in compiler.select]
    return Prepared(f"{sql} {locking}".rstrip(), tuple(params), places, tuple(converters(compiler, expressions)))


class PreparedInstances[M: Model]:
    """Like ``Prepared``, for instances together with what their foreign keys lead to."""

    def __init__(
        self,
        build: Callable[..., QuerySet[M, M]],
        *kinds: type,
        related: tuple[str, ...] = (),
        extra: tuple[str, ...] = (),
        locking: str = "",
    ) -> None:
        """``related`` are foreign keys that are never null, ``extra`` annotations, which are set as attributes."""
        self.locking = locking
        self.build = build
        self.kinds = kinds
        self.related = related
        self.extra = extra

    @cached_property
    def prepared(self) -> Prepared:
        paths = [path for part in self.parts for path in part.paths]
        return prepare(
            lambda *values: self.build(*values).values_list(*paths, *self.extra), *self.kinds, locking=self.locking
        )

    @cached_property
    def parts(self) -> list["Part"]:
        """The model, then those of its foreign keys."""
        model = self.build(*(stand_in(kind, number) for number, kind in enumerate(self.kinds))).model
        found = [Part.of("", model, 0)]
        for name in self.related:
            other = model._meta.get_field(name).related_model
            assert isinstance(other, type)
            found.append(Part.of(name, other, found[-1].end))
        return found

    def first(self, *values: Any) -> M | None:
        """The first instance for the values, or None."""
        rows = self.prepared.rows(*values)
        return self._instance(rows[0]) if rows else None

    def all(self, *values: Any) -> list[M]:
        return [self._instance(row) for row in self.prepared.rows(*values)]

    def _instance(self, row: tuple[Any, ...]) -> M:
        first, *others = self.parts
        main = first.instance(row)
        for part in others:
            main._state.fields_cache[part.name] = part.instance(row)
        for name, value in zip(self.extra, row[self.parts[-1].end :], strict=True):
            setattr(main, name, value)
        return cast(M, main)


@dataclass(frozen=True, slots=True)
class Part:
    """One model's share of a row; ``name`` is the foreign key that leads to it."""

    name: str
    model: type[Model]
    columns: list[str]
    paths: list[str]
    start: int
    end: int

    @classmethod
    def of(cls, name: str, model: type[Model], start: int) -> "Part":
        columns = [one.attname for one in model._meta.concrete_fields]
        paths = [f"{name}__{one}" if name else one for one in columns]
        return cls(name, model, columns, paths, start, start + len(columns))

    def instance(self, row: tuple[Any, ...]) -> Model:
        return self.model.from_db(DEFAULT_DB_ALIAS, self.columns, row[self.start : self.end])


def converters(compiler: Any, expressions: list[Any]) -> list[tuple[int, Converter]]:
    found: list[tuple[int, Converter]] = []
    for place, (chain, expression) in compiler.get_converters(expressions).items():
        if isinstance(expression.output_field, JSONField):
            found.append((place, orjson.loads))
            continue
        found += [(place, bound(convert, expression)) for convert in chain]
    return found


def bound(convert: Callable[..., Any], expression: Any) -> Converter:
    return lambda value: convert(value, expression, connection)


def stand_in(kind: type, number: int) -> Any:
    """A value of the type that no statement holds by itself."""
    if kind is UUID:
        return UUID(int=(0xFEED << 112) + number)
    if kind is list:
        return [UUID(int=(0xFEED << 112) + number)]
    if kind is datetime:
        return datetime(1, 2, 3, tzinfo=UTC) + timedelta(seconds=number)
    if kind is str:
        return f"\ue000{number}\ue001"
    raise ValueError(f"Values of {kind} cannot be prepared for.")
