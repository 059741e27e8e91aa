"""Reading records as plain rows: lists, single rows, sums, counts. Everything starts from what the actor may see.

A row is a dict of field slug → native value. RELATION and MEMBER are ids; when expanded a dict with ``id``, ``type``,
``title`` and the fields of the other row, or None when the actor may not see it. LINKS are dicts with ``id``, ``role``
and ``title``, REFERENCE a dict with ``type``, ``id`` and ``title``, REFERENCES a list of these. No statement is run a
row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet, Sum
from django.utils.translation import gettext as _

from crm.records.access.targets import target_rows, target_type, titles
from crm.records.access.visibility import (
    Trashed,
    ViewScopes,
    allows,
    get_record,
    hidden_slugs,
    readable_fields,
    reader_values,
    require_scope,
    rows_allowing,
    stand_in_reader,
    view_scopes,
    visible,
)
from crm.records.errors import BadQuery, NotFound
from crm.records.query import language, paging, search_text
from crm.records.read.currencies_used import money_sum
from crm.records.read.plan import Plan, Row, expansions, plan_for
from crm.records.read.rows import rows_of, with_links
from crm.records.read.search import Hit, search_all
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.settling import settled_until
from crm.records.write.statements import any_of, named
from tenants.actors import Actor
from tenants.db.prepared import NotPreparable, Prepared, prepare

__all__ = [
    "Hit",
    "Page",
    "Query",
    "allows",
    "count",
    "get_record",
    "get_row",
    "matching",
    "page",
    "rows_allowing",
    "search_all",
    "sums",
    "titles",
    "visible",
]

SETTLED = paging.SortKey("settled", False, None, False, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shows. ``sort`` are field slugs, with ``-`` for descending; empty means the type's own order.

    ``fields`` None means all; ``id`` and ``version`` always come along. ``expand`` are paths of at most two relations.
    ``settled`` is for who keeps a copy: nothing that changed after the oldest writer now at work began, and the pages
    that follow go no further than the first.
    """

    filter: Mapping[str, Any] | None = None
    sort: tuple[str, ...] = ()
    search: str = ""
    limit: int = 50
    cursor: str | None = None
    fields: tuple[str, ...] | None = None
    expand: tuple[str, ...] = ()
    deleted: Trashed = "exclude"
    count: bool = False
    settled: bool = False
    changed_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row]
    next_cursor: str | None
    count: int | None = None


# -- lists -------------------------------------------------------------------------------------------------------------


def matching(actor: Actor, record_type: RecordType, wanted: Query) -> QuerySet[Any]:
    """The visible rows of a query's filter, search and ``deleted``, in no order and without a limit."""
    require_scope(actor, record_type.slug)
    rows = visible(actor, record_type, trashed=wanted.deleted)
    if wanted.filter:
        rows = rows.filter(language.compile(actor, record_type, wanted.filter))
    if wanted.search.strip():
        rows = rows.filter(search_text.search_q(actor, record_type, wanted.search))
    return rows.filter(updated_at__lt=wanted.changed_before) if wanted.changed_before else rows


def page(actor: Actor, record_type: RecordType, wanted: Query) -> Page:
    """One page of a list. Raises BadQuery and BadCursor."""
    hidden = hidden_slugs(actor, record_type)
    plan = plan_for(record_type.slug, wanted.fields, True, hidden)
    tree = expansions(actor, record_type, wanted.expand)
    keys = paging.sort_keys(record_type, wanted.sort, hidden)
    limit = max(1, min(wanted.limit, paging.MAX_LIMIT))
    bound_to = paging.binding(
        actor.tenant.schema_name,
        record_type.slug,
        wanted.filter or None,
        wanted.search.strip(),
        wanted.sort or record_type.default_sort,
        wanted.deleted,
        *([SETTLED.slug] if wanted.settled else ()),
    )
    marks = [*keys, SETTLED] if wanted.settled else keys
    after = paging.decode(wanted.cursor, marks, bound_to) if wanted.cursor else None
    if wanted.settled:
        wanted = replace(wanted, changed_before=after.pop() if after else settled_until())
    types = paging.value_types(keys) if after else ()
    worded = None
    if not (wanted.filter or wanted.search.strip() or wanted.settled) and types is not None:
        worded = page_prepared(
            view_scopes(actor),
            record_type.slug,
            wanted.fields,
            hidden,
            tuple(wanted.sort),
            wanted.deleted,
            limit,
            types,
        )
    if worded is None:
        rows, places = selected(
            with_links(plan, matching(actor, record_type, wanted), partial(target_rows, actor)), plan, keys
        )
        found = list(paging.ordered(rows, keys, after)[: limit + 1])
    else:
        prepared, places = worded
        found = prepared.rows(*(after or ()), *reader_values(actor))
    more = len(found) > limit
    del found[limit:]
    until = [wanted.changed_before] if wanted.settled else []
    next_cursor = paging.encode([*(found[-1][place] for place in places), *until], bound_to) if more else None
    total = count(actor, record_type, wanted) if wanted.count else None
    return Page(rows_of(actor, plan, found, tree), next_cursor, total)


def selected(
    rows: QuerySet[Any], plan: Plan, keys: Sequence[paging.SortKey]
) -> tuple[QuerySet[Any, tuple[Any, ...]], list[int]]:
    """The rows as tuples of the plan's columns and whatever they are sorted by, and where that is."""
    columns = list(plan.columns)
    places = []
    for index, key in enumerate(keys):
        name = key.column or f"sort_{index}"
        if name not in columns:
            if not key.column:
                rows = rows.annotate(**{name: key.expression})
            columns.append(name)
        places.append(columns.index(name))
    return rows.values_list(*columns), places


@lru_cache(maxsize=512)
def page_prepared(
    scopes: ViewScopes,
    rt_slug: str,
    fields: tuple[str, ...] | None,
    hidden: frozenset[str],
    sort: tuple[str, ...],
    trashed: Trashed,
    limit: int,
    types: tuple[type, ...],
) -> tuple[Prepared, list[int]] | None:
    """A page for readers of these scopes, and where its sort keys are; with ``types``, the page after such values;
    None where a page has to be worded for each reader."""
    plan = plan_for(rt_slug, fields, True, hidden)
    keys = paging.sort_keys(plan.record_type, sort, hidden)
    reader = stand_in_reader(scopes)
    seen = with_links(plan, visible(reader, plan.record_type, trashed=trashed), partial(target_rows, reader))
    rows, places = selected(seen, plan, keys)
    try:
        prepared = prepare(
            lambda *values: paging.ordered(rows, keys, values or None)[: limit + 1], *types, spare=reader_values(reader)
        )
    except NotPreparable:
        return None
    return prepared, places


@lru_cache(maxsize=512)
def row_prepared(
    scopes: ViewScopes, rt_slug: str, fields: tuple[str, ...] | None, hidden: frozenset[str], trashed: Trashed
) -> Prepared | None:
    """One row by its id, for readers of these scopes; None where that has to be worded for each reader."""
    plan = plan_for(rt_slug, fields, True, hidden)
    reader = stand_in_reader(scopes)
    rows = with_links(plan, visible(reader, plan.record_type, trashed=trashed), partial(target_rows, reader))
    try:
        return prepare(lambda id: rows.filter(pk=id).values_list(*plan.columns), UUID, spare=reader_values(reader))
    except NotPreparable:
        return None


def get_row(
    actor: Actor,
    record_type: RecordType,
    id: UUID,
    *,
    fields: tuple[str, ...] | None = None,
    expand: tuple[str, ...] = (),
    deleted: Trashed = "exclude",
) -> Row:
    """One record as a row. Raises NotFound and BadQuery."""
    hidden = hidden_slugs(actor, record_type)
    plan = plan_for(record_type.slug, fields, True, hidden)
    tree = expansions(actor, record_type, expand)
    prepared = row_prepared(view_scopes(actor), record_type.slug, fields, hidden, deleted)
    if prepared is None:
        rows = with_links(plan, visible(actor, record_type, trashed=deleted).filter(pk=id), partial(target_rows, actor))
        found = list(rows.values_list(*plan.columns))
    else:
        found = prepared.rows(id, *reader_values(actor))
    if not found:
        raise NotFound
    return rows_of(actor, plan, found, tree)[0]


def count(actor: Actor, record_type: RecordType, wanted: Query) -> int:
    """How many rows the query has on all its pages."""
    return matching(actor, record_type, wanted).count()


def sums(actor: Actor, record_type: RecordType, wanted: Query, slug: str) -> dict[str, Decimal] | Decimal | None:
    """The sum of a number field over all rows of the query; of a MONEY field by currency."""
    one = next((one for one in readable_fields(actor, record_type) if one.slug == slug), None)
    if one is None or one.kind not in {Kind.MONEY, Kind.DECIMAL, Kind.INTEGER}:
        raise BadQuery(_("“%(field)s” cannot be summed.") % {"field": slug[:60]}, param="field", code="unknown_field")
    rows = matching(actor, record_type, wanted).order_by()
    if one.kind is Kind.MONEY:
        return money_sum(actor, rows, one).sums
    total = rows.aggregate(total=Sum(slug))["total"]
    return None if total is None else Decimal(total)


def in_trash_of(actor: Actor, types: Sequence[RecordType]) -> list[RecordType]:
    """Of these types, those of which the actor sees something in the trash."""
    one_each = [
        named(visible(actor, record_type, trashed="only").order_by(), record_type.slug)[:1] for record_type in types
    ]
    found = {slug for slug, _id in any_of(one_each)} if one_each else set()
    return [record_type for record_type in types if record_type.slug in found]


def owner_of(record_type: str, record_id: UUID) -> UUID | None:
    """The member whose own a record is, whoever asks; None for what is no record or nobody's."""
    if record_type not in registry:
        return None
    declared = registry.get(record_type)
    found: UUID | None = (
        declared.rows.filter(pk=record_id).values_list(declared.field(declared.own_field).column, flat=True).first()
    )
    return found


def visible_q(actor: Actor) -> Q:
    """Of rows with ``record_type`` and ``record_id``: those of no record, and those of one that ``titles`` names."""
    targets = [*registry.all(), target_type(MEMBER_TARGET)]
    condition = Q(record_type="") | Q(
        record_id=None, record_type__in=[one.slug for one in targets if actor.can(one.slug, "view")]
    )
    for target in targets:
        condition |= Q(Exists(target.visible_to(actor).filter(pk=OuterRef("record_id"))), record_type=target.slug)
    return condition
