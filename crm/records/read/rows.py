"""Tuples of a plan's columns made into rows, with their links, references and related rows.

No statement is run a row.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Func, JSONField, OuterRef, QuerySet, Value
from django.db.models.functions import JSONObject

from crm.records.access.targets import target_rows, target_type
from crm.records.access.visibility import hidden_slugs, require_scope
from crm.records.read.plan import Expansions, Plan, Row, plan_for
from crm.records.schema.field import MEMBER_TARGET, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor


class ToJson(Func):
    function = "to_jsonb"
    arity = 1
    output_field = JSONField()


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
