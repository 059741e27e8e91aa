"""Statements about one row, worded once. Most writes are of one record, and Django takes longer to word a statement
than Postgres to run it; batches go through the ORM."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Field, Model, QuerySet, Value
from psycopg2 import sql

from crm.records.models import ChangeSet, Event, Record
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.settling import CHANGED
from crm.workspace.models import Member
from tenants.db.prepared import Prepared, PreparedInstances, prepare
from tenants.db.stamped import check_stamps, schema_of_connection


@lru_cache(maxsize=64)
def locking(slug: str, live: bool) -> PreparedInstances[Any]:
    def build(id: UUID) -> QuerySet[Any]:
        rows = registry.get(slug).rows.filter(pk=id)
        return (rows.filter(deleted_at=None) if live else rows).select_for_update(of=("self",), no_key=True)

    return PreparedInstances(build, UUID)


def lock_row(record_type: RecordType, id: UUID, *, live: bool) -> Any:
    """The row, locked until the end of the transaction, or None; ``live`` leaves out what is in the trash."""
    return locking(record_type.slug, live).first(id)


def target_rows(target: str) -> QuerySet[Any]:
    """What a reference to ``target`` may lead to, as far as it does not depend on who asks."""
    if target == MEMBER_TARGET:
        return Member.objects.filter(state=Member.State.ACTIVE).order_by()
    return registry.get(target).rows.filter(deleted_at=None).order_by()


def named(rows: QuerySet[Any], target: str) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.annotate(of_type=Value(target)).values_list("of_type", "pk")
    return found


def any_of(queries: Sequence[QuerySet[Any]]) -> QuerySet[Any]:
    first, *others = queries
    return first.union(*others, all=True).order_by() if others else first


@lru_cache(maxsize=256)
def finding(targets: tuple[str, ...]) -> Prepared:
    def build(*ids: UUID) -> QuerySet[Any]:
        return any_of(
            [named(target_rows(target).filter(pk=id), target) for target, id in zip(targets, ids, strict=True)]
        )

    return prepare(build, *(UUID for _target in targets))


def find_each(wanted: Sequence[tuple[str, UUID]]) -> set[tuple[str, UUID]]:
    """Which of these (target, id) are there and not in the trash, for who sees all of them."""
    return set(finding(tuple(target for target, _id in wanted)).rows(*(id for _target, id in wanted)))


def columns_of(model: type[Model]) -> "list[Field[Any, Any]]":
    return [one for one in model._meta.concrete_fields if not one.primary_key]


@lru_cache(maxsize=64)
def inserting(model: type[Model]) -> str:
    names = [sql.Identifier(str(one.column)) for one in columns_of(model)]
    return compiled(
        sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING id, {}").format(
            sql.Identifier(model._meta.db_table),
            sql.SQL(", ").join(names),
            sql.SQL(", ").join([value_of(one.attname) for one in columns_of(model)]),
            sql.Identifier(CHANGED),
        )
    )


def value_of(name: str) -> sql.Composable:
    return sql.SQL("public.writer_stamp()") if name == CHANGED else sql.Placeholder()


@lru_cache(maxsize=512)
def updating(model: type[Model], names: tuple[str, ...]) -> str:
    columns = [(sql.Identifier(str(column(model, name).column)), value_of(name)) for name in names]
    return compiled(
        sql.SQL("UPDATE {} SET {} WHERE id = {} RETURNING {}").format(
            sql.Identifier(model._meta.db_table),
            sql.SQL(", ").join([sql.SQL("{} = {}").format(*one) for one in columns]),
            sql.Placeholder(),
            sql.Identifier(CHANGED),
        )
    )


def column(model: type[Model], name: str) -> "Field[Any, Any]":
    return cast("Field[Any, Any]", model._meta.get_field(name))


def compiled(statement: sql.Composed) -> str:
    connection.ensure_connection()
    return statement.as_string(connection.connection)


def insert_row(record: Record) -> None:
    model = type(record)
    values = values_of(record, columns_of(model))
    with connection.cursor() as cursor:
        cursor.execute(inserting(model), values)
        record.pk, record.updated_at = cursor.fetchone()
    mark_saved(record)


def update_row(record: Record, names: Sequence[str]) -> None:
    """Write the named columns of a row that is locked, when it changed among them."""
    check_stamps([record])
    model = type(record)
    values = values_of(record, [column(model, name) for name in names])
    with connection.cursor() as cursor:
        cursor.execute(updating(model, tuple(names)), [*values, record.pk])
        (record.updated_at,) = cursor.fetchone()


def values_of(record: Record, fields: "Sequence[Field[Any, Any]]") -> list[Any]:
    """What the columns get, but for the time of change, which the database says."""
    return [one.get_db_prep_save(getattr(record, one.attname), connection) for one in fields if one.attname != CHANGED]


def mark_saved(row: Record | ChangeSet | Event) -> None:
    row._state.adding = False
    row._state.db = DEFAULT_DB_ALIAS
    row._state.schema = schema_of_connection(DEFAULT_DB_ALIAS)  # type: ignore[attr-defined]
