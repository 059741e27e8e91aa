"""What a stage asks of a deal that wants to come in: a condition in the query language, and the stages before it."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _

from crm.records.errors import BadQuery
from crm.records.lists import filtering
from crm.records.query import language
from crm.records.query.authoring import parts_of
from crm.records.query.language import conditions_of
from crm.records.schema.registry import registry
from crm.records.write.batch import Batch, Draft
from crm.records.write.evaluate import DraftValues, RelatedRows, judging, reads_all_of
from crm.sales.models import Stage
from tenants.actors import Actor

NEW = "new"
"""Stands in ``enter_from`` for deals that begin in the stage."""


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
    parsed: dict[UUID, list[tuple[Mapping[str, Any], language.Group | language.Condition]]] = {}
    for draft, stage in came:
        if stage.pk not in parsed:
            try:
                parsed[stage.pk] = [
                    (part, language.parse(judge, deal, part, now=batch.at)) for part in parts_of(stage.entry_condition)
                ]
            except BadQuery as error:
                parsed[stage.pk] = []
                draft.error("stage", "entry_rule", _broken(stage, str(error.message)))
    nodes = [node for parts in parsed.values() for _part, node in parts]
    related = RelatedRows(judge, [draft for draft, _stage in came], nodes)
    for draft, stage in came:
        seen = DraftValues(draft)
        for part, node in parsed[stage.pk]:
            if not language.judge(node, seen, related):
                if not reads_all_of(batch.actor, deal, node):
                    message = _("“%(stage)s” does not take this deal for something that your role does not show.")
                    draft.error("", "entry_rule", message % {"stage": stage.name})
                    continue
                said = words(batch.actor, part)
                message = _("“%(stage)s” takes only deals where: %(rule)s.") % {
                    "stage": stage.name,
                    "rule": f" {_('and')} ".join(said),
                }
                draft.error(_field_to_mend(draft, node), "entry_rule", message)


def _broken(stage: Stage, problem: str) -> str:
    return _(
        "The entry rule of “%(stage)s” cannot be judged: %(problem)s Somebody who may change it has to mend it."
    ) % {
        "stage": stage.name,
        "problem": problem,
    }


def _field_to_mend(draft: Draft, node: language.Group | language.Condition) -> str:
    """The one field of the deal that could be filled in to satisfy this, if there is one."""
    slugs = {condition.hop.slug if condition.hop else condition.place.field.slug for condition in conditions_of(node)}
    over = any(condition.hop for condition in conditions_of(node))
    slug = slugs.pop() if len(slugs) == 1 else ""
    one = draft.batch.record_type.by_slug.get(slug)
    if one is None or not one.editable or (over and draft.after[slug]):
        return ""
    return slug
