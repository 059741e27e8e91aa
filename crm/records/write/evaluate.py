"""Conditions of the query language judged in Python on a record before it is saved: rules that hold for everybody."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.records.access import targets
from crm.records.access.visibility import hidden_slugs
from crm.records.errors import BadQuery
from crm.records.query import language
from crm.records.query.authoring import added, condition_problem, parts_of, whole_of
from crm.records.query.language import conditions_of
from crm.records.schema.field import SYSTEM_FIELDS, Field, PartialValue
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.batch import Draft
from crm.records.write.row_values import snapshot
from crm.workspace.actors import system_actor
from tenants.actors import Actor

type Node = language.Group | language.Condition


def judging(actor: Actor) -> Actor:
    """Who a rule is judged as: it holds for everybody alike, whatever each may see; ``me`` is who acts."""
    return replace(system_actor(actor.tenant), member_id=actor.member_id, time_zone=actor.time_zone)


def problem_of(actor: Actor, record_type: RecordType, tree: Mapping[str, Any], standing: Mapping[str, Any]) -> str:
    """Why the actor cannot make this a rule in place of the ``standing`` one, or an empty text."""
    new = added(parts_of(standing), parts_of(tree))
    problem = condition_problem(actor, record_type, new)
    if problem:
        return problem
    try:
        parsed = language.parse(judging(actor), record_type, tree)
    except BadQuery as error:
        return str(error.message)
    if any(one.hop and one.place.field.kind is Kind.LINKS for one in conditions_of(parsed)):
        return _("A rule cannot look at the links of a related record.")
    return ""


def reads_all_of(actor: Actor, record_type: RecordType, node: Node) -> bool:
    """Whether the actor may read every field that a condition on a record of the type looks at."""
    hidden = hidden_slugs(actor, record_type)
    for condition in conditions_of(node):
        hop, slug = condition.hop, condition.place.field.slug
        if hop is not None and hop.slug in hidden:
            return False
        if slug in (hidden_slugs(actor, targets.target_type(hop.target)) if hop else hidden):
            return False
    return True


def partial_condition(record_type: str) -> PartialValue:
    """How the value of a CONDITION on records of a type is divided: by the fields that its parts name."""

    def split(actor: Actor, tree: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        declared = registry.get(record_type)
        parts = parts_of(tree)
        unseen = [part for part in parts if not _shows(actor, declared, part)] if actor.permissions.fields else []
        if not unseen:
            return tree, {}
        return whole_of([part for part in parts if part not in unseen]), whole_of(unseen)

    return PartialValue(split, lambda one, other: whole_of([*parts_of(one), *parts_of(other)]))


def _shows(actor: Actor, record_type: RecordType, part: Mapping[str, Any]) -> bool:
    """Whether the actor may read all fields that a part of a condition names; not what cannot be judged."""
    try:
        return reads_all_of(actor, record_type, language.parse(judging(actor), record_type, part))
    except BadQuery:
        return False


def partial_slugs(record_type: str) -> PartialValue:
    """How a list of the fields of a record type is divided."""

    def split(actor: Actor, slugs: Sequence[str]) -> tuple[list[str], list[str]]:
        hidden = hidden_slugs(actor, registry.get(record_type))
        return [slug for slug in slugs if slug not in hidden], [slug for slug in slugs if slug in hidden]

    return PartialValue(split, lambda one, other: [*one, *other])


class DraftValues(Mapping[str, Any]):
    """A draft as it would be after the write, with the fields that every record has."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def __getitem__(self, slug: str) -> Any:
        draft = self.draft
        if slug in draft.batch.record_type.by_slug:
            return draft.after[slug]
        if draft.record is not None:
            return getattr(draft.record, {"id": "pk", "created_by": "created_by_id"}.get(slug, slug))
        return {"created_at": draft.at, "updated_at": draft.at, "created_by": draft.batch.actor.member_id}.get(slug)

    def __iter__(self) -> Iterator[str]:
        return iter(self.draft.batch.record_type.by_slug)

    def __len__(self) -> int:
        return len(self.draft.batch.record_type.by_slug)


@dataclass
class RelatedRows:
    """What conditions over a relation look at, of all the drafts: one query a type, asked when it is first needed."""

    judge: Actor
    drafts: Sequence[Draft]
    nodes: Sequence[Node]
    read: dict[str, dict[UUID, Mapping[str, Any]]] = field(default_factory=dict)

    def __call__(self, hop: Field, id: UUID) -> Mapping[str, Any] | None:
        if hop.target not in self.read:
            self.read[hop.target] = self._rows(hop.target)
        return self.read[hop.target].get(id)

    def _rows(self, target: str) -> dict[UUID, Mapping[str, Any]]:
        conditions = [condition for node in self.nodes for condition in conditions_of(node)]
        hops = {condition.hop for condition in conditions if condition.hop and condition.hop.target == target}
        ids = {id for draft in self.drafts for hop in hops for id in _ids_in(hop, DraftValues(draft).get(hop.slug))}
        record_type: RecordType = targets.target_type(target)
        rows = targets.target_rows(self.judge, record_type).filter(pk__in=ids)
        return {row.pk: _as_seen(record_type, row) for row in rows}


def _as_seen(record_type: RecordType, row: Any) -> dict[str, Any]:
    system = {"id": row.pk}
    if record_type is not targets.MEMBER_TYPE:
        system |= {slug: getattr(row, one.column) for slug, one in SYSTEM_FIELDS.items()}
    return snapshot(record_type, row) | system


def _ids_in(hop: Field, value: Any) -> list[UUID]:
    if hop.kind is Kind.LINKS:
        return [link["id"] for link in value or ()]
    return [value] if value else []
