"""What an actor may see, and what of that they may change."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from django.db.models import Model, QuerySet

from crm.records.errors import Forbidden, MissingScope, NotFound
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.policies import rows_within
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.permissions import HIDDEN, READ
from tenants.actors import Actor, ActorKind, Permissions, Scope, TenantRef
from tenants.ids import id_of

type Trashed = Literal["exclude", "include", "only"]


def visible(actor: Actor, record_type: RecordType, *, trashed: Trashed = "exclude") -> QuerySet[Any]:
    """The rows the actor may see: where every selector starts. Nothing for an actor who may not view the type."""
    return in_trash(record_type.visible_to(actor), trashed)


def in_trash(rows: QuerySet[Any], trashed: Trashed) -> QuerySet[Any]:
    return rows if trashed == "include" else rows.filter(deleted_at__isnull=trashed == "exclude")


def require_scope(actor: Actor, noun: str, action: str = "view") -> None:
    """Raise MissingScope where only a scope keeps an API key from doing this with a noun."""
    needed = actor.scope_needed(noun, action)
    if needed:
        raise MissingScope(needed)


def require_field(actor: Actor, record_type: RecordType, slug: str) -> None:
    """Raise MissingScope for links to records of a noun that an API key lacks the scope to read."""
    one = record_type.by_slug.get(slug)
    if one is not None and one.kind is Kind.LINKS:
        require_scope(actor, one.target)


def hidden_slugs(actor: Actor, record_type: RecordType) -> frozenset[str]:
    """The fields that are not there for the actor."""
    return frozenset(slug for slug, right in field_rights(actor, record_type).items() if right == HIDDEN)


def readable_fields(actor: Actor, record_type: RecordType) -> tuple[Field, ...]:
    """The declared fields this actor may read, condition on and sort by: what is hidden is not there for them."""
    rights = field_rights(actor, record_type)
    return (
        tuple(one for one in record_type.shown_fields if rights[one.slug] != HIDDEN)
        if rights
        else record_type.shown_fields
    )


def readable_columns(actor: Actor, record_type: RecordType, wanted: Mapping[str, str]) -> dict[str, str]:
    """Of what a card, a line or a head shows (each key by the field that it tells of), what the actor may read.

    What is no field of the type, such as when a record was made, is everybody's.
    """
    hidden = hidden_slugs(actor, record_type)
    return {key: slug for key, slug in wanted.items() if slug not in hidden}


def readable_quick_filters(actor: Actor, record_type: RecordType) -> list[str]:
    """The quick filters that go by a field that the actor may read, or by none."""
    return [name for name, slug in record_type.quick_filters.items() if not slug or may_read(actor, record_type, slug)]


def writable_fields(actor: Actor, record_type: RecordType) -> tuple[Field, ...]:
    """Of those the actor may read, the ones that they may set on the records they may add or edit."""
    return tuple(one for one in record_type.shown_fields if may_write(actor, record_type, one))


def may_write(actor: Actor, record_type: RecordType, field: Field) -> bool:
    """Whether a field is one of ``writable_fields``."""
    return field.editable and not field.hidden and not field_rights(actor, record_type).get(field.slug)


def may_read(actor: Actor, record_type: RecordType, slug: str) -> bool:
    """Whether a declared field is one of ``readable_fields``."""
    return not record_type.by_slug[slug].hidden and field_rights(actor, record_type).get(slug) != HIDDEN


def field_rights(actor: Actor, record_type: RecordType) -> Mapping[str, str]:
    """``hidden``, ``read`` or nothing for every field; empty for who is not narrowed. A currency is as its amount, and
    links to records of a noun that they may not view at all are hidden: an empty list would be untrue."""
    given = actor.permissions.fields.get(record_type.slug, {})
    beyond = [one.slug for one in record_type.links if not actor.can(one.target, "view")]
    if not given and not beyond:
        return {}
    rights = {one.slug: given.get(one.slug, "") for one in record_type.fields}
    for slug in always_shown(record_type):
        if rights[slug] == HIDDEN:
            rights[slug] = READ
    for one in record_type.fields:
        if one.companion:
            rights[one.companion] = rights[one.slug]
    return {**rights, **dict.fromkeys(beyond, HIDDEN)}


@lru_cache(maxsize=256)
def always_shown(record_type: RecordType) -> frozenset[str]:
    """The fields that no role can hide: what a record is called and about, whose it is, what lists go by."""
    sorts = (one.lstrip("-") for one in record_type.default_sort)
    named = {record_type.title, record_type.own_field, record_type.board_field, "done", *sorts}
    board = record_type.by_slug.get(record_type.board_field)
    if board is not None and board.target:
        named |= {f"{board.slug}_entered_at", *(one.slug for one in registry.get(board.target).relations)}
    return frozenset(
        one.slug for one in record_type.fields if one.slug in named or one.required or one.kind is Kind.REFERENCE
    )


# -- statements for all who see alike ----------------------------------------------------------------------------------

type ViewScopes = tuple[tuple[int, ...], bool]

STAND_IN_MEMBER = UUID(int=0xAC70 << 112)
STAND_IN_TEAM = UUID(int=0x7EA3 << 112)


def view_scopes(actor: Actor) -> ViewScopes:
    """All that visibility goes by but for who the actor and their team are: the same for all who share a statement."""
    return tuple(
        int(actor.scope(record_type.slug, "view")) for record_type in registry.all()
    ), actor.member_id is not None


def stand_in_reader(scopes: ViewScopes) -> Actor:
    """Somebody with these scopes, to word a statement for; ``reader_values`` then put the real one in their place."""
    by_noun, is_member = scopes
    matrix = {
        record_type.slug: {"view": Scope(scope)} for record_type, scope in zip(registry.all(), by_noun, strict=True)
    }
    return Actor(
        kind=ActorKind.SYSTEM,
        tenant=TenantRef(UUID(int=0), "", "", "", "", "", "", ""),
        permissions=Permissions(matrix),
        member_id=STAND_IN_MEMBER if is_member else None,
        team_members=frozenset({STAND_IN_TEAM}),
    )


def reader_values(actor: Actor) -> tuple[UUID | None, list[UUID]]:
    return actor.member_id, list(actor.team_members)


def rows_allowing(actor: Actor, record_type: RecordType, action: str, *, trashed: Trashed = "exclude") -> QuerySet[Any]:
    """Of the rows the actor may see, those they may do ``action`` (edit, delete, export, bulk) to."""
    rows = visible(actor, record_type, trashed=trashed)
    scope = actor.scope(record_type.slug, action)
    if scope is Scope.NONE:
        return rows.none()
    if action == "view" or scope is Scope.ALL:
        return rows
    return rows_within(rows, actor, scope, record_type.own_field)


def allows(actor: Actor, record_type: RecordType, record: Model, action: str) -> bool:
    """Whether the actor may do ``action`` to a record that they can see."""
    scope = actor.scope(record_type.slug, action)
    if action == "view":
        return scope is not Scope.NONE
    return actor.reaches(scope, getattr(record, record_type.field(record_type.own_field).column))


def get_record(
    actor: Actor, record_type: RecordType, id: UUID | str, *, action: str = "view", trashed: Trashed = "exclude"
) -> Any:
    """One record as an instance. Raises NotFound when there is none to be seen, Forbidden when only to be looked at,
    and MissingScope."""
    require_scope(actor, record_type.slug)
    require_scope(actor, record_type.slug, action)
    wanted = id_of(id)
    record = visible(actor, record_type, trashed=trashed).filter(pk=wanted).first() if wanted else None
    if record is None:
        raise NotFound
    if not allows(actor, record_type, record, action):
        raise Forbidden
    return record
