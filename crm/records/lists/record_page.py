"""What a record page holds: properties in groups, related records, and the parts that higher floors put on it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.urls import reverse

from crm.records.access.visibility import may_read, may_write, readable_fields
from crm.records.display.presenting import (
    Cell,
    Line,
    cell,
    expanded,
    lines,
    may_edit,
    needed_columns,
    reach_url,
    row_subtitle,
    row_title,
    shown_fields,
)
from crm.records.lists.list_address import chosen_columns
from crm.records.read import reading
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tenants.registration import Table

RELATED_LIMIT = 5
REACH_ICONS = {Kind.PHONES: "phone", Kind.EMAILS: "mail"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a record page made by a higher floor: its template gets ``part.context`` as ``part``."""

    template: str
    context: Mapping[str, Any]


type MakePart = Callable[[Actor, RecordType, Mapping[str, Any]], Part | None]
type Slot = Literal["header", "centre"]


@dataclass(frozen=True, slots=True)
class RegisteredPart:
    slot: Slot
    order: int
    make: MakePart


registered = Table[RegisteredPart]("part of a record page")


def part_register(name: str, make: MakePart, *, slot: Slot, order: int) -> None:
    """Have ``make`` be asked for a part of each record's page, None for nothing to show; an app registers in its
    ``ready()``. In a slot those of the lowest order come first. Raises ImproperlyConfigured when the name is taken."""
    registered.add(name, RegisteredPart(slot, order, make))


@dataclass(frozen=True, slots=True)
class Related:
    """Records that point at this one, or that it points at, of one type."""

    record_type: RecordType
    lines: list[Line]
    has_more: bool
    list_url: str
    new_url: str
    edit_field: str = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """A way to call or write to somebody at once."""

    icon: str
    label: str
    url: str


@dataclass(frozen=True, slots=True)
class RecordPage:
    """``text`` is the whole of a text of which the title is but the beginning."""

    record_type: RecordType
    row: Mapping[str, Any]
    title: str
    title_cell: Cell
    text: Cell | None
    subtitle: str
    reach: list[Reach]
    highlights: list[Cell]
    properties: list[Cell]
    may_edit: bool
    may_trash: bool
    url: str

    @property
    def id(self) -> UUID:
        return self.row["id"]  # type: ignore[no-any-return]


def record_row(actor: Actor, record_type: RecordType, record_id: UUID, *, trashed: bool = False) -> Mapping[str, Any]:
    """Every field of a record with the titles of what it points at. Raises NotFound."""
    fields = needed_columns(
        record_type,
        [
            *readable_fields(actor, record_type),
            record_type.field("created_by"),
            record_type.field("created_at"),
            record_type.field("updated_at"),
        ],
    )
    return reading.get_row(actor, record_type, record_id, fields=fields, expand=expanded(record_type, fields))


def record_page(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> RecordPage:
    editable = row.get("deleted_at") is None and may_edit(actor, record_type, row)
    linked = {one.slug for one in record_type.relations}
    shown = shown_fields(actor, record_type)
    prominent = [
        one
        for one in shown
        if one.slug == record_type.owner_field
        or one.kind is Kind.MONEY
        or (one.slug == record_type.subtitle and one.slug in linked)
    ]
    chosen = record_type.fields_of(actor, row) if record_type.fields_of else None
    beside = [
        one
        for one in shown
        if one.slug != record_type.title and (chosen is None or one.slug in chosen or row.get(one.slug))
    ]
    title_cell = cell(actor, record_type, record_type.title_field, row, editable=editable)
    system = [record_type.field(slug) for slug in ("created_by", "created_at", "updated_at")]
    return RecordPage(
        record_type=record_type,
        row=row,
        title=row_title(record_type, row),
        title_cell=title_cell,
        text=title_cell if record_type.title_field.kind is Kind.LONG_TEXT else None,
        subtitle="" if record_type.subtitle in linked else row_subtitle(record_type, row),
        reach=[
            Reach(REACH_ICONS[one.kind], f"{one.label}: {row[one.slug][0]['value']}", url)
            for one in shown
            if one.kind in REACH_ICONS
            and row.get(one.slug)
            and (url := reach_url(one.kind, row[one.slug][0]["value"], actor))
        ],
        highlights=[cell(actor, record_type, one, row, editable=False) for one in prominent],
        properties=[cell(actor, record_type, one, row, editable=editable) for one in [*beside, *system]],
        may_edit=editable,
        may_trash=row.get("deleted_at") is None and may_edit(actor, record_type, row, "delete"),
        url=reverse("records:detail", args=[record_type.plural, row["id"]]),
    )


def parts(slot: Slot, actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> list[Part]:
    """The parts registered for a slot that have something to show for this record, in their order."""
    ordered = sorted((one for one in registered.values() if one.slot == slot), key=lambda one: one.order)
    made = (one.make(actor, record_type, row) for one in ordered)
    return [part for part in made if part is not None]


def related(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> list[Related]:
    """What belongs to a record, a page a related type; of what can be done only what is not done yet."""
    found = []
    for other in registry.all():
        if not other.in_sidebar or not other.in_related or not actor.can(other.slug, "view"):
            continue
        condition, pointing = _pointing_at(actor, record_type, other, row["id"])
        backward = [
            one for one in record_type.links if one.target == other.slug and may_read(actor, record_type, one.slug)
        ]
        if backward and not pointing:
            ids = [link["id"] for one in backward for link in row.get(one.slug) or ()]
            edited = backward[0].slug if may_write(actor, record_type, backward[0]) else ""
            found.append(_linked(actor, other, ids, edited))
        elif pointing:
            found.append(_related(actor, record_type, other, row, condition, pointing))
    return found


def _pointing_at(
    actor: Actor, record_type: RecordType, other: RecordType, record_id: UUID
) -> tuple[dict[str, Any], list[Field]]:
    conditions: list[dict[str, Any]] = []
    pointing: list[Field] = []
    for one in readable_fields(actor, other):
        if one.kind is Kind.RELATION and one.target == record_type.slug:
            conditions.append({"field": one.slug, "op": "eq", "value": str(record_id)})
        elif one.kind is Kind.LINKS and one.target == record_type.slug:
            conditions.append({"field": one.slug, "op": "has_any", "value": [str(record_id)]})
        elif one.kind is Kind.REFERENCE:
            conditions.append(
                {"field": one.slug, "op": "eq", "value": {"type": record_type.slug, "id": str(record_id)}}
            )
        elif one.kind is Kind.REFERENCES and (not one.targets or record_type.slug in one.targets):
            conditions.append(
                {"field": one.slug, "op": "has", "value": {"type": record_type.slug, "id": str(record_id)}}
            )
        else:
            continue
        pointing.append(one)
    return (conditions[0] if len(conditions) == 1 else {"any": conditions}), pointing


def _columns(actor: Actor, other: RecordType, without: set[str]) -> list[Field]:
    left_out = {other.title, other.owner_field, *without}
    return [one for one in chosen_columns(actor, other, "") if one.slug not in left_out][:2]


def _related(
    actor: Actor,
    record_type: RecordType,
    other: RecordType,
    row: Mapping[str, Any],
    condition: dict[str, Any],
    pointing: list[Field],
) -> Related:
    if other.is_done_or_open:
        condition = {"all": [condition, {"field": "done", "op": "eq", "value": False}]}
    columns = _columns(actor, other, {one.slug for one in pointing})
    lines, more = _lines(actor, other, columns, condition)
    first = pointing[0]
    value = f"{record_type.slug}:{row['id']}" if first.kind is Kind.REFERENCE else str(row["id"])
    return Related(
        record_type=other,
        lines=lines,
        has_more=more,
        list_url=_list_url(other, condition),
        new_url=_new_url(actor, other, {first.slug: value}) if may_write(actor, other, first) else "",
    )


def _linked(actor: Actor, other: RecordType, ids: list[UUID], edit_field: str) -> Related:
    shown: list[Line] = []
    if ids:
        fields = needed_columns(other, columns := _columns(actor, other, set()))
        rows = {
            one["id"]: one
            for one in reading.page(
                actor,
                other,
                reading.Query(
                    filter={"field": "id", "op": "in", "value": [str(one) for one in ids]},
                    fields=fields,
                    expand=expanded(other, fields),
                    limit=50,
                ),
            ).rows
        }
        shown = lines(actor, other, columns, [rows[one] for one in ids if one in rows])
    return Related(record_type=other, lines=shown, has_more=False, list_url="", new_url="", edit_field=edit_field)


def _lines(actor: Actor, other: RecordType, columns: list[Field], condition: dict[str, Any]) -> tuple[list[Line], bool]:
    fields = needed_columns(other, columns)
    page = reading.page(
        actor,
        other,
        reading.Query(
            filter=condition,
            sort=other.default_sort,
            limit=RELATED_LIMIT,
            fields=fields,
            expand=expanded(other, fields),
        ),
    )
    return lines(actor, other, columns, page.rows), page.next_cursor is not None


def _list_url(other: RecordType, condition: dict[str, Any]) -> str:
    return f"{reverse('records:list', args=[other.plural])}?{urlencode({'filter': orjson.dumps(condition).decode()})}"


def _new_url(actor: Actor, other: RecordType, values: dict[str, str]) -> str:
    if not actor.can(other.slug, "create"):
        return ""
    return f"{reverse('records:new', args=[other.plural])}?{urlencode(values)}"
