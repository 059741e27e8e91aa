"""Reading records as plain rows: lists, single rows, sums, counts. Everything starts from what the actor may see.

A row is a dict of field slug → native value. RELATION and MEMBER are ids; when expanded a dict with ``id``, ``type``,
``title`` and the fields of the other row, or None when the actor may not see it. LINKS are dicts with ``id``, ``role``
and ``title``, REFERENCE a dict with ``type``, ``id`` and ``title``, REFERENCES a list of these. No statement is run a
row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, Func, JSONField, OuterRef, Q, QuerySet, Sum, Value
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _

from crm.records.access.targets import MEMBER_TYPE, target_rows, target_type, titles
from crm.records.access.visibility import (
    Trashed,
    ViewScopes,
    allows,
    get_record,
    hidden_slugs,
    readable_fields,
    reader_values,
    require_field,
    require_scope,
    rows_allowing,
    stand_in_reader,
    view_scopes,
    visible,
)
from crm.records.errors import BadQuery, NotFound
from crm.records.query import language, paging, search_text
from crm.records.read.currencies_used import money_sum
from crm.records.read.search import Hit, search_all
from crm.records.schema.record_type import MEMBER_TARGET, SYSTEM_FIELDS, Field, Kind, RecordType, nearest, registry
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

type Row = dict[str, Any]
type Expansions = Mapping[str, "Expansions"]

SYSTEM_COLUMNS = ("id", "created_at", "updated_at", "created_by", "version", "deleted_at", "is_sample")
ALWAYS = ("id", "version")
EXPANDABLE = {Kind.RELATION, Kind.MEMBER, Kind.LINKS, Kind.REFERENCE, Kind.REFERENCES}
SETTLED = paging.SortKey("settled", False, None, False, Kind.DATETIME)
UNTYPED = {Kind.REFERENCE, Kind.REFERENCES}
MAX_HOPS = 2


class ToJson(Func):
    function = "to_jsonb"
    arity = 1
    output_field = JSONField()


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


@dataclass(frozen=True, slots=True)
class Plan:
    """Which columns of a type are read, and what has to be done to make rows of them.

    ``slugs`` are the keys of a row, each at the place of its column; ``references`` say where a REFERENCE's id is,
    ``lists`` are the REFERENCES, ``links`` where a LINKS field's JSON is, ``partial_values`` what is not shown whole to
    all.
    """

    record_type: RecordType
    slugs: tuple[str, ...]
    columns: tuple[str, ...]
    references: tuple[tuple[str, int], ...]
    lists: tuple[str, ...]
    links: tuple[tuple[Field, int], ...]
    partial_values: tuple[Field, ...]


NOTHING: frozenset[str] = frozenset()


@lru_cache(maxsize=512)
def plan_for(rt_slug: str, fields: tuple[str, ...] | None, links: bool, hidden: frozenset[str] = NOTHING) -> Plan:
    """``hidden`` are the fields that the reader's role hides: for them they are not there."""
    record_type = target_type(rt_slug)
    readable = {one.slug: one for one in record_type.shown_fields if one.slug not in hidden}
    system = ("id",) if record_type is MEMBER_TYPE else SYSTEM_COLUMNS
    if fields is None:
        chosen = [*system, *readable]
    else:
        chosen = list(dict.fromkeys((*(slug for slug in ALWAYS if slug in system), *fields)))
    slugs, columns, wanted_links, references, lists = [], [], [], [], []
    for slug in chosen:
        one = readable.get(slug) or (SYSTEM_FIELDS[slug] if slug in system and slug != "id" else None)
        if one is None and slug != "id":
            known = [*system, *readable]
            raise BadQuery(
                _("%(noun)s have no field “%(field)s”.")
                % {"noun": str(record_type.label_plural), "field": slug if len(slug) <= 60 else f"{slug[:59]}…"},
                param="fields",
                nearest=nearest(slug, known),
                code="unknown_field",
            )
        if one is not None and one.kind is Kind.LINKS:
            wanted_links.append(one)
        elif one is not None and one.kind is Kind.REFERENCE:
            slugs.append(slug)
            columns.append(f"{slug}_type")
            references.append(slug)
        else:
            slugs.append(slug)
            columns.append(one.column if one else "id")
            if one is not None and one.kind is Kind.REFERENCES:
                lists.append(slug)
    places = tuple((slug, len(columns) + index) for index, slug in enumerate(references))
    columns += [f"{slug}_id" for slug in references]
    link_places = tuple((one, len(columns) + index) for index, one in enumerate(wanted_links)) if links else ()
    columns += [f"links_{one.slug}" for one, _place in link_places]
    partial_values = tuple(one for one in record_type.fields if one.partial_value and one.slug in slugs)
    return Plan(record_type, tuple(slugs), tuple(columns), places, tuple(lists), link_places, partial_values)


def expansions(actor: Actor, record_type: RecordType, paths: Iterable[str]) -> Expansions:
    """Paths such as ``company.owner`` as a tree. Raises BadQuery for one that is no relation or goes too far, and
    MissingScope for one that leads to what a key may not read."""
    tree: dict[str, Any] = {}
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_HOPS:
            raise BadQuery(
                _("“%(path)s” goes further than %(most)d relations.") % {"path": path[:80], "most": MAX_HOPS},
                param="expand",
                code="too_deep",
            )
        here, at = record_type, tree
        for place, step in enumerate(steps):
            require_field(actor, here, step)
            known = {one.slug: one for one in readable_fields(actor, here) if one.kind in EXPANDABLE}
            if here is not MEMBER_TYPE:
                known["created_by"] = SYSTEM_FIELDS["created_by"]
            found = known.get(step)
            if found is None or (found.kind in UNTYPED and place + 1 < len(steps)):
                raise BadQuery(
                    _("“%(path)s” cannot be expanded.") % {"path": path[:80]},
                    param="expand",
                    nearest=nearest(step, known),
                    code="unknown_field",
                )
            at = at.setdefault(step, {})
            if found.kind not in UNTYPED:
                require_scope(actor, found.target)
                here = target_type(found.target)
    return tree


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


# -- rows --------------------------------------------------------------------------------------------------------------


def rows_of(actor: Actor, plan: Plan, found: Sequence[Sequence[Any]], tree: Expansions) -> list[Row]:
    """Tuples of the plan's columns as rows, with their links, references and expansions."""
    slugs = plan.slugs
    rows: list[Row] = [dict(zip(slugs, values, strict=False)) for values in found]
    if not rows:
        return rows
    for slug, place in plan.references:
        for row, values in zip(rows, found, strict=True):
            row[slug] = {"type": row[slug], "id": values[place]} if values[place] else None
    for slug in plan.lists:
        for row in rows:
            row[slug] = [{**entry, "id": UUID(entry["id"])} for entry in row[slug]]
    for one in plan.partial_values:
        for row in rows:
            row[one.slug] = one.redact(actor, row[one.slug])
    for expanded in (False, True):
        single = [row[slug] for slug, _place in plan.references if (slug in tree) is expanded for row in rows]
        listed = [entry for slug in plan.lists if (slug in tree) is expanded for row in rows for entry in row[slug]]
        references_fill(actor, [*filter(None, single), *listed], expanded=expanded)
    for one, place in plan.links:
        links_fill(actor, one, place, rows, found, tree.get(one.slug))
    relations_expand(actor, plan, rows, tree)
    return rows


@dataclass(slots=True)
class Wanted:
    """Rows of one type to be fetched for expansions, and where they go."""

    target: RecordType
    tree: Expansions
    ids: set[UUID] = field(default_factory=set)
    slugs: list[str] = field(default_factory=list)


def relations_expand(actor: Actor, plan: Plan, rows: list[Row], tree: Expansions) -> None:
    """Put related rows in the place of ids: one query for each type that they are of."""
    jobs: dict[str, Wanted] = {}
    for slug, inner in tree.items():
        one = plan.record_type.field(slug)
        if one.kind not in {Kind.RELATION, Kind.MEMBER} or slug not in plan.slugs:
            continue
        job = jobs.setdefault(f"{one.target}:{inner}", Wanted(target_type(one.target), inner))
        job.slugs.append(slug)
        job.ids.update(row[slug] for row in rows if row[slug])
    for job in jobs.values():
        others = fetched(actor, job.target, job.ids, job.tree)
        for slug in job.slugs:
            for row in rows:
                row[slug] = others.get(row[slug])


def fetched(actor: Actor, target: RecordType, ids: Iterable[UUID], tree: Expansions) -> dict[UUID, Row]:
    """Other rows by id, as far as the actor may see them, each with its type and title."""
    wanted = list(ids)
    if not wanted:
        return {}
    plan = plan_for(target.slug, None, False, hidden_slugs(actor, target))
    found = list(target_rows(actor, target).filter(pk__in=wanted).values_list(*plan.columns))
    rows = rows_of(actor, plan, found, tree)
    return {row["id"]: {"type": target.slug, "title": row[target.title], **row} for row in rows}


def with_links(plan: Plan, rows: QuerySet[Any], seen: Callable[[RecordType], QuerySet[Any]]) -> QuerySet[Any]:
    """The rows with their links to rows ``seen`` as JSON, so that these cost no statement of their own."""
    for one, _place in plan.links:
        target = target_type(one.target)
        others = seen(target)
        if others.query.is_empty():
            rows = rows.annotate(**{f"links_{one.slug}": Value([], JSONField())})
            continue
        links = (
            apps.get_model(one.through)
            ._default_manager.filter(**{plan.record_type.slug: OuterRef("pk")})
            .filter(**{f"{one.target}__in": others})
            .order_by("pk")
            .values_list(JSONObject(id=f"{one.target}_id", role="role", title=f"{one.target}__{target.title}"))
        )
        rows = rows.annotate(**{f"links_{one.slug}": ToJson(ArraySubquery(links))})
    return rows


def links_fill(
    actor: Actor, one: Field, place: int, rows: list[Row], found: Sequence[Sequence[Any]], tree: Expansions | None
) -> None:
    """The links of all rows; with ``tree`` the linked rows too, in one query."""
    for row, values in zip(rows, found, strict=True):
        row[one.slug] = [{**link, "id": UUID(link["id"])} for link in values[place]]
    if tree is None:
        return
    others = fetched(actor, target_type(one.target), {link["id"] for row in rows for link in row[one.slug]}, tree)
    for row in rows:
        row[one.slug] = [{**others.get(link["id"], {}), **link} for link in row[one.slug]]


def references_fill(actor: Actor, entries: list[Row], *, expanded: bool) -> None:
    """What references lead to: one query for each type among them. A title of None stands for what is not visible."""
    by_type: dict[str, set[UUID]] = {}
    for entry in entries:
        by_type.setdefault(entry["type"], set()).add(entry["id"])
    found: dict[tuple[str, UUID], Row] = {}
    for name, ids in by_type.items():
        if name not in registry and name != MEMBER_TARGET:
            continue
        target = target_type(name)
        if expanded:
            require_scope(actor, name)
            found |= {(name, pk): row for pk, row in fetched(actor, target, ids, {}).items()}
        else:
            titles = target_rows(actor, target).filter(pk__in=ids).values_list("pk", target.title)
            found |= {(name, pk): {"title": title} for pk, title in titles}
    for entry in entries:
        entry.update({"title": None, **found.get((entry["type"], entry["id"]), {}), **entry})


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
