"""Reading records as plain rows: lists, single rows, sums, counts. Everything starts from what the actor may see.

A row is a dict of field slug → native value. RELATION and MEMBER are ids; when expanded a dict with ``id``, ``type``,
``title`` and the fields of the other row, or None when the actor may not see it. LINKS are dicts with ``id``, ``role``
and ``title``, REFERENCE a dict with ``type``, ``id`` and ``title``. No statement is run a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, JSONField, OuterRef, QuerySet, Sum, Value
from django.db.models.functions import JSONObject
from django.utils.translation import gettext as _

from crm.records import paging, query
from crm.records.errors import BadQuery, NotFound
from crm.records.query import MEMBER_TYPE, target_rows, target_type
from crm.records.search import Hit, search_all
from crm.records.types import MEMBER_TARGET, SYSTEM_FIELDS, Field, Kind, RecordType, nearest, registry
from crm.records.visibility import Trashed, allows, get_record, in_trash, reach, visible
from tenants.actors import Actor
from tenants.prepared import Prepared, prepare

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
    "reach",
    "search_all",
    "sums",
    "visible",
]

type Row = dict[str, Any]
type Expansions = Mapping[str, "Expansions"]

SYSTEM_COLUMNS = ("id", "created_at", "updated_at", "created_by", "version", "deleted_at", "is_sample")
ALWAYS = ("id", "version")
EXPANDABLE = {Kind.RELATION, Kind.MEMBER, Kind.LINKS, Kind.REFERENCE}
MAX_HOPS = 2


class ToJson(Func):
    function = "to_jsonb"
    arity = 1
    output_field = JSONField()


@dataclass(frozen=True, slots=True)
class Query:
    """What a list shows. ``sort`` are field slugs, with ``-`` for descending; empty means the type's own order.

    ``fields`` None means all; ``id`` and ``version`` always come along. ``expand`` are paths of at most two relations.
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


@dataclass(frozen=True, slots=True)
class Page:
    rows: list[Row]
    next_cursor: str | None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Which columns of a type are read, and what has to be done to make rows of them.

    ``slugs`` are the keys of a row, each at the place of its column; ``references`` say where a REFERENCE's id is,
    ``links`` where a LINKS field's JSON is.
    """

    rt: RecordType
    slugs: tuple[str, ...]
    columns: tuple[str, ...]
    references: tuple[tuple[str, int], ...]
    links: tuple[tuple[Field, int], ...]


@lru_cache(maxsize=512)
def plan_for(rt_slug: str, fields: tuple[str, ...] | None, links: bool) -> Plan:
    rt = target_type(rt_slug)
    readable = {one.slug: one for one in rt.fields if not one.hidden}
    system = ("id",) if rt is MEMBER_TYPE else SYSTEM_COLUMNS
    if fields is None:
        chosen = [*system, *readable]
    else:
        chosen = list(dict.fromkeys((*(slug for slug in ALWAYS if slug in system), *fields)))
    slugs, columns, wanted_links, references = [], [], [], []
    for slug in chosen:
        one = readable.get(slug) or (SYSTEM_FIELDS[slug] if slug in system and slug != "id" else None)
        if one is None and slug != "id":
            known = [*system, *readable]
            raise BadQuery(
                _("%(noun)s have no field “%(field)s”.")
                % {"noun": str(rt.label_plural), "field": slug if len(slug) <= 60 else f"{slug[:59]}…"},
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
    places = tuple((slug, len(columns) + index) for index, slug in enumerate(references))
    columns += [f"{slug}_id" for slug in references]
    link_places = tuple((one, len(columns) + index) for index, one in enumerate(wanted_links)) if links else ()
    columns += [f"links_{one.slug}" for one, _place in link_places]
    return Plan(rt, tuple(slugs), tuple(columns), places, link_places)


def expansions(rt: RecordType, paths: Iterable[str]) -> Expansions:
    """Paths such as ``company.owner`` as a tree. Raises BadQuery for one that is no relation or goes too far."""
    tree: dict[str, Any] = {}
    for path in paths:
        steps = path.split(".")
        if len(steps) > MAX_HOPS:
            raise BadQuery(
                _("“%(path)s” goes further than %(most)d relations.") % {"path": path[:80], "most": MAX_HOPS},
                param="expand",
                code="too_deep",
            )
        here, at = rt, tree
        for place, step in enumerate(steps):
            known = {one.slug: one for one in here.fields if one.kind in EXPANDABLE and not one.hidden}
            if here is not MEMBER_TYPE:
                known["created_by"] = SYSTEM_FIELDS["created_by"]
            found = known.get(step)
            if found is None or (found.kind is Kind.REFERENCE and place + 1 < len(steps)):
                raise BadQuery(
                    _("“%(path)s” cannot be expanded.") % {"path": path[:80]},
                    param="expand",
                    nearest=nearest(step, known),
                    code="unknown_field",
                )
            at = at.setdefault(step, {})
            if found.kind is not Kind.REFERENCE:
                here = target_type(found.target)
    return tree


# -- lists -------------------------------------------------------------------------------------------------------------


def matching(actor: Actor, rt: RecordType, wanted: Query) -> QuerySet[Any]:
    """The visible rows of a query's filter, search and ``deleted``, in no order and without a limit."""
    rows = visible(actor, rt, trashed=wanted.deleted)
    if wanted.filter:
        rows = rows.filter(query.compile(actor, rt, wanted.filter))
    if wanted.search.strip():
        rows = rows.filter(query.search_q(wanted.search))
    return rows


def page(actor: Actor, rt: RecordType, wanted: Query) -> Page:
    """One page of a list. Raises BadQuery and BadCursor."""
    plan = plan_for(rt.slug, wanted.fields, True)
    tree = expansions(rt, wanted.expand)
    keys = paging.sort_keys(rt, wanted.sort)
    limit = max(1, min(wanted.limit, paging.MAX_LIMIT))
    bound_to = paging.binding(
        actor.tenant.schema_name,
        rt.slug,
        wanted.filter or None,
        wanted.search.strip(),
        wanted.sort or rt.default_sort,
        wanted.deleted,
    )
    after = paging.decode(wanted.cursor, keys, bound_to) if wanted.cursor else None
    types = paging.value_types(keys) if after else ()
    if wanted.filter or wanted.search.strip() or types is None or not unrestricted(actor, plan):
        rows, places = selected(with_links(plan, matching(actor, rt, wanted), partial(target_rows, actor)), plan, keys)
        found = list(paging.ordered(rows, keys, after)[: limit + 1])
    else:
        prepared, places = page_prepared(rt.slug, wanted.fields, tuple(wanted.sort), wanted.deleted, limit, types)
        found = prepared.rows(*(after or ()))
    more = len(found) > limit
    del found[limit:]
    next_cursor = paging.encode([found[-1][place] for place in places], bound_to) if more else None
    total = count(actor, rt, wanted) if wanted.count else None
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


def unrestricted(actor: Actor, plan: Plan) -> bool:
    """Whether the actor sees every row of the type and of those it links to, so that its statement is everybody's."""
    types = (plan.rt, *(target_type(one.target) for one, _place in plan.links))
    queries = [rt.visible_to(actor).query for rt in types]
    return not any(query.where or query.combinator or query.is_sliced for query in queries)


def all_rows(rt: RecordType, trashed: Trashed = "exclude") -> QuerySet[Any]:
    """Every row, for statements of who sees them all."""
    return in_trash(rt.model_class._default_manager.all(), trashed)


@lru_cache(maxsize=256)
def page_prepared(
    rt_slug: str,
    fields: tuple[str, ...] | None,
    sort: tuple[str, ...],
    trashed: Trashed,
    limit: int,
    types: tuple[type, ...],
) -> tuple[Prepared, list[int]]:
    """A page of who sees all rows, and where its sort keys are; with ``types``, the page after such values."""
    plan = plan_for(rt_slug, fields, True)
    keys = paging.sort_keys(plan.rt, sort)
    rows, places = selected(with_links(plan, all_rows(plan.rt, trashed), all_rows), plan, keys)
    return prepare(lambda *values: paging.ordered(rows, keys, values or None)[: limit + 1], *types), places


@lru_cache(maxsize=256)
def row_prepared(rt_slug: str, fields: tuple[str, ...] | None, trashed: Trashed) -> Prepared:
    """One row by its id, of who sees all."""
    plan = plan_for(rt_slug, fields, True)
    rows = with_links(plan, all_rows(plan.rt, trashed), all_rows)
    return prepare(lambda id: rows.filter(pk=id).values_list(*plan.columns), UUID)


def get_row(
    actor: Actor,
    rt: RecordType,
    id: UUID,
    *,
    fields: tuple[str, ...] | None = None,
    expand: tuple[str, ...] = (),
    deleted: Trashed = "exclude",
) -> Row:
    """One record as a row. Raises NotFound and BadQuery."""
    plan = plan_for(rt.slug, fields, True)
    tree = expansions(rt, expand)
    if unrestricted(actor, plan):
        found = row_prepared(rt.slug, fields, deleted).rows(id)
    else:
        rows = with_links(plan, visible(actor, rt, trashed=deleted).filter(pk=id), partial(target_rows, actor))
        found = list(rows.values_list(*plan.columns))
    if not found:
        raise NotFound
    return rows_of(actor, plan, found, tree)[0]


def count(actor: Actor, rt: RecordType, wanted: Query) -> int:
    """How many rows the query has on all its pages."""
    return matching(actor, rt, wanted).count()


def sums(actor: Actor, rt: RecordType, wanted: Query, slug: str) -> dict[str, Decimal] | Decimal | None:
    """The sum of a number field over all rows of the query; of a MONEY field by currency."""
    one = rt.by_slug.get(slug)
    if one is None or one.hidden or one.kind not in {Kind.MONEY, Kind.DECIMAL, Kind.INTEGER}:
        raise BadQuery(_("“%(field)s” cannot be summed.") % {"field": slug[:60]}, param="field", code="unknown_field")
    rows = matching(actor, rt, wanted).order_by()
    if one.kind is Kind.MONEY:
        pairs = rows.filter(**{f"{slug}__isnull": False}).values_list(one.currency).annotate(Sum(slug))
        return dict(cast(Iterable[tuple[str, Decimal]], pairs))
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
        references_fill(actor, slug, rows, expanded=slug in tree)
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
        one = plan.rt.field(slug)
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
    plan = plan_for(target.slug, None, False)
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
            ._default_manager.filter(**{plan.rt.slug: OuterRef("pk")})
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


def references_fill(actor: Actor, slug: str, rows: list[Row], *, expanded: bool) -> None:
    """What references lead to: one query for each type among them. A title of None stands for what is not visible."""
    by_type: dict[str, set[UUID]] = {}
    for row in rows:
        if row[slug]:
            by_type.setdefault(row[slug]["type"], set()).add(row[slug]["id"])
    for name, ids in by_type.items():
        others: dict[UUID, Row] = {}
        if name in registry:
            target = registry.get(name)
            if expanded:
                others = fetched(actor, target, ids, {})
            else:
                titles = target_rows(actor, target).filter(pk__in=ids).values_list("pk", target.title)
                others = {pk: {"title": title} for pk, title in titles}
        for row in rows:
            if row[slug] and row[slug]["type"] == name:
                row[slug] = {**row[slug], "title": None, **others.get(row[slug]["id"], {})}


def titles(actor: Actor, wanted: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], str]:
    """What records (and members) are called, trashed ones included, as far as the actor may see them."""
    by_type: dict[str, set[UUID]] = {}
    for name, id in wanted:
        by_type.setdefault(name, set()).add(id)
    found: dict[tuple[str, UUID], str] = {}
    for name, ids in by_type.items():
        if name == MEMBER_TARGET or name in registry:
            target = target_type(name)
            rows = target.visible_to(actor).filter(pk__in=ids).values_list("pk", target.title)
            found |= {(name, pk): title for pk, title in rows}
    return found
