"""What a stage asks of a deal that wants to come in: a condition in the query language, and the stages before it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.records import filtering, query, targets
from crm.records.authoring import added, condition_problem, parts_of, whole_of
from crm.records.batch import Batch, Draft
from crm.records.errors import BadQuery
from crm.records.query import conditions_of
from crm.records.row_values import snapshot
from crm.records.types import SYSTEM_FIELDS, Divided, Field, Kind, RecordType, registry
from crm.records.visibility import hidden_slugs
from crm.sales.models import Stage
from crm.workspace.selectors import system_actor
from tenants.actors import Actor

NEW = "new"
"""Stands in ``enter_from`` for deals that begin in the stage."""


def judging(actor: Actor) -> Actor:
    """Who a rule is judged as: it holds for everybody alike, whatever each may see; ``me`` is who acts."""
    return replace(system_actor(actor.tenant), member_id=actor.member_id, time_zone=actor.time_zone)


def problem_of(actor: Actor, tree: Mapping[str, Any], standing: Mapping[str, Any]) -> str:
    """Why the actor cannot make this a stage's condition in place of the ``standing`` one, or an empty text."""
    new = added(parts_of(standing), parts_of(tree))
    problem = condition_problem(actor, registry.get("deal"), new)
    if problem:
        return problem
    try:
        parsed = query.parse(judging(actor), registry.get("deal"), tree)
    except BadQuery as error:
        return str(error.message)
    if any(one.hop and one.place.field.kind is Kind.LINKS for one in conditions_of(parsed)):
        return _("A rule cannot look at the links of a related record.")
    return ""


def condition_split(actor: Actor, tree: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """The parts of a condition that name only fields the actor may read, and the others."""
    unseen = [part for part in parts_of(tree) if not shows(actor, part)] if actor.permissions.fields else []
    if not unseen:
        return tree, {}
    return whole_of([part for part in parts_of(tree) if part not in unseen]), whole_of(unseen)


def condition_join(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any]:
    return whole_of([*parts_of(one), *parts_of(other)])


def shows(actor: Actor, part: Mapping[str, Any]) -> bool:
    """Whether the actor may read all fields that a part of a condition names; not what cannot be judged."""
    try:
        return reads_all_of(actor, query.parse(judging(actor), registry.get("deal"), part))
    except BadQuery:
        return False


def slugs_split(actor: Actor, slugs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Of a list of the deal's fields, those the actor may read, and the others."""
    hidden = hidden_slugs(actor, registry.get("deal"))
    return [slug for slug in slugs if slug not in hidden], [slug for slug in slugs if slug in hidden]


def slugs_join(one: Sequence[str], other: Sequence[str]) -> list[str]:
    return [*one, *other]


CONDITION = Divided(condition_split, condition_join)
SLUGS = Divided(slugs_split, slugs_join)


def words(actor: Actor, tree: Mapping[str, Any]) -> list[str]:
    """The parts of a condition as a person says them."""
    deal, nodes = registry.get("deal"), parts_of(tree)
    titles = filtering.titles_of(actor, deal, nodes)
    return [" ".join(text for text in filtering.describe(deal, node, titles) if text) for node in nodes]


def hold_entry(batch: Batch, entering: Iterable[tuple[Draft, Stage]]) -> None:
    """Refuse deals that the stage they come into does not take. A change that is undone was lawful when it was made."""
    if batch.change_set.undo_of_id is not None:
        return
    came = [(draft, stage) for draft, stage in entering if stage.entry_condition or stage.enter_from]
    for draft, stage in came:
        came_from = str(draft.before["stage"]) if draft.before.get("stage") else NEW
        if stage.enter_from and came_from not in stage.enter_from:
            draft.error("stage", "entry_from", _wrong_way(stage))
    _hold_conditions(batch, [(draft, stage) for draft, stage in came if stage.entry_condition])


def _wrong_way(stage: Stage) -> str:
    names = [_("new deals")] if NEW in stage.enter_from else []
    ids = [one for one in stage.enter_from if one != NEW]
    names += [
        f"“{name}”" for name in Stage.objects.filter(pk__in=ids).order_by("position").values_list("name", flat=True)
    ]
    return _("Deals come into “%(stage)s” only from: %(stages)s.") % {"stage": stage.name, "stages": ", ".join(names)}


def _hold_conditions(batch: Batch, came: list[tuple[Draft, Stage]]) -> None:
    deal, judge = registry.get("deal"), judging(batch.actor)
    parsed: dict[UUID, list[tuple[Mapping[str, Any], query.Group | query.Condition]]] = {}
    for draft, stage in came:
        if stage.pk not in parsed:
            try:
                parsed[stage.pk] = [
                    (part, query.parse(judge, deal, part, now=batch.at)) for part in parts_of(stage.entry_condition)
                ]
            except BadQuery as error:
                parsed[stage.pk] = []
                draft.error("stage", "entry_rule", _broken(stage, str(error.message)))
    related = RelatedRows(came, parsed)
    for draft, stage in came:
        seen = Seen(draft)
        for part, node in parsed[stage.pk]:
            if not query.judge(node, seen, related):
                if not reads_all_of(batch.actor, node):
                    message = _("“%(stage)s” does not take this deal for something that your role does not show.")
                    draft.error("", "entry_rule", message % {"stage": stage.name})
                    continue
                said = words(batch.actor, part)
                message = _("“%(stage)s” takes only deals where: %(rule)s.") % {
                    "stage": stage.name,
                    "rule": f" {_('and')} ".join(said),
                }
                draft.error(_field_to_mend(draft, node), "entry_rule", message)


def reads_all_of(actor: Actor, node: query.Group | query.Condition) -> bool:
    """Whether the actor may read every field that this looks at."""
    for condition in conditions_of(node):
        deal, hop, field = registry.get("deal"), condition.hop, condition.place.field
        if hop is not None and hop.slug in hidden_slugs(actor, deal):
            return False
        if field.slug in hidden_slugs(actor, targets.target_type(hop.target) if hop else deal):
            return False
    return True


def _broken(stage: Stage, problem: str) -> str:
    return _(
        "The entry rule of “%(stage)s” cannot be judged: %(problem)s Somebody who may change it has to mend it."
    ) % {
        "stage": stage.name,
        "problem": problem,
    }


def _field_to_mend(draft: Draft, node: query.Group | query.Condition) -> str:
    """The one field of the deal that could be filled in to satisfy this, if there is one."""
    slugs = {condition.hop.slug if condition.hop else condition.place.field.slug for condition in conditions_of(node)}
    over = any(condition.hop for condition in conditions_of(node))
    slug = slugs.pop() if len(slugs) == 1 else ""
    one = draft.batch.rt.by_slug.get(slug)
    if one is None or not one.editable or (over and draft.after[slug]):
        return ""
    return slug


class Seen(Mapping[str, Any]):
    """A draft as it would be after the write, with the fields that every record has."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def __getitem__(self, slug: str) -> Any:
        draft = self.draft
        if slug in draft.batch.rt.by_slug:
            return draft.after[slug]
        if draft.record is not None:
            return getattr(draft.record, {"id": "pk", "created_by": "created_by_id"}.get(slug, slug))
        return {"created_at": draft.at, "updated_at": draft.at, "created_by": draft.batch.actor.member_id}.get(slug)

    def __iter__(self) -> Iterator[str]:
        return iter(self.draft.batch.rt.by_slug)

    def __len__(self) -> int:
        return len(self.draft.batch.rt.by_slug)


@dataclass
class RelatedRows:
    """What conditions over a relation look at: one query a type for the whole batch, asked when it is first needed."""

    came: list[tuple[Draft, Stage]]
    parsed: Mapping[UUID, list[tuple[Mapping[str, Any], query.Group | query.Condition]]]
    read: dict[str, dict[UUID, Mapping[str, Any]]] = field(default_factory=dict)

    def __call__(self, hop: Field, id: UUID) -> Mapping[str, Any] | None:
        if hop.target not in self.read:
            self.read[hop.target] = self._rows(hop.target)
        return self.read[hop.target].get(id)

    def _rows(self, target: str) -> dict[UUID, Mapping[str, Any]]:
        hops = {
            condition.hop
            for nodes in self.parsed.values()
            for _part, node in nodes
            for condition in conditions_of(node)
            if condition.hop and condition.hop.target == target
        }
        ids = {id for draft, _stage in self.came for hop in hops for id in ids_in(hop, Seen(draft).get(hop.slug))}
        rt: RecordType = targets.target_type(target)
        rows = targets.target_rows(judging(self.came[0][0].batch.actor), rt).filter(pk__in=ids)
        return {row.pk: _as_seen(rt, row) for row in rows}


def _as_seen(rt: RecordType, row: Any) -> dict[str, Any]:
    system = {"id": row.pk}
    if rt is not targets.MEMBER_TYPE:
        system |= {slug: getattr(row, one.column) for slug, one in SYSTEM_FIELDS.items()}
    return snapshot(rt, row) | system


def ids_in(hop: Field, value: Any) -> list[UUID]:
    if hop.kind is Kind.LINKS:
        return [link["id"] for link in value or ()]
    return [value] if value else []
