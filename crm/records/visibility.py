"""What an actor may see, and what of that he may change."""

from typing import Any, Literal
from uuid import UUID

from django.db.models import Model, QuerySet

from crm.records.errors import Forbidden, NotFound
from crm.records.types import Field, RecordType, own_rows
from tenants.actors import Actor, Scope

type Trashed = Literal["exclude", "include", "only"]


def visible(actor: Actor, rt: RecordType, *, trashed: Trashed = "exclude") -> QuerySet[Any]:
    """The rows the actor may see: where every selector starts. Nothing for an actor who may not view the type."""
    return in_trash(rt.visible_to(actor), trashed)


def in_trash(rows: QuerySet[Any], trashed: Trashed) -> QuerySet[Any]:
    return rows if trashed == "include" else rows.filter(deleted_at__isnull=trashed == "exclude")


def readable_fields(actor: Actor, rt: RecordType) -> tuple[Field, ...]:
    """The declared fields this actor may read, condition on and sort by."""
    return tuple(one for one in rt.fields if not one.hidden)


def reach(actor: Actor, rt: RecordType, action: str, *, trashed: Trashed = "exclude") -> QuerySet[Any]:
    """Of the rows the actor may see, those he may do ``action`` (view, edit, delete) to."""
    rows = visible(actor, rt, trashed=trashed)
    scope = actor.scope(rt.slug, action)
    if scope is Scope.NONE:
        return rows.none()
    if action == "view" or scope is Scope.ALL:
        return rows
    return own_rows(rows, actor.member_id, rt.own_field)


def allows(actor: Actor, rt: RecordType, record: Model, action: str) -> bool:
    """Whether the actor may do ``action`` to a record that he can see."""
    scope = actor.scope(rt.slug, action)
    if scope is Scope.OWN and action != "view":
        return actor.member_id is not None and getattr(record, rt.field(rt.own_field).column) == actor.member_id
    return scope is not Scope.NONE


def get_record(
    actor: Actor, rt: RecordType, id: UUID | str, *, action: str = "view", trashed: Trashed = "exclude"
) -> Any:
    """One record as an instance. Raises NotFound when there is none to be seen, Forbidden when only to be looked at."""
    try:
        wanted = id if isinstance(id, UUID) else UUID(str(id))
    except ValueError:
        raise NotFound from None
    record = visible(actor, rt, trashed=trashed).filter(pk=wanted).first()
    if record is None:
        raise NotFound
    if not allows(actor, rt, record, action):
        raise Forbidden
    return record
