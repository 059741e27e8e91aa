"""Which columns of a record type are read for the fields that a reader asked for, and what these lead on to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.utils.translation import gettext as _

from crm.records.access.targets import MEMBER_TYPE, target_type
from crm.records.access.visibility import readable_fields, require_field, require_scope
from crm.records.errors import BadQuery
from crm.records.schema.field import SYSTEM_FIELDS, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType, nearest
from tenants.actors import Actor

type Row = dict[str, Any]
type Expansions = Mapping[str, "Expansions"]
SYSTEM_COLUMNS = ("id", "created_at", "updated_at", "created_by", "version", "deleted_at", "is_sample")
ALWAYS = ("id", "version")
EXPANDABLE = {Kind.RELATION, Kind.MEMBER, Kind.LINKS, Kind.REFERENCE, Kind.REFERENCES}
UNTYPED = {Kind.REFERENCE, Kind.REFERENCES}
MAX_HOPS = 2


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
