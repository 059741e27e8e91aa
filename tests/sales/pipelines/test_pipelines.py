"""Pipelines and their stages: what a workspace starts with, and what settings may do to it."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from crm.records.errors import Forbidden, Invalid
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.pipelines.impact import pipeline_archive_preview, stage_remove_preview
from crm.sales.provisioning import provision
from crm.sales.selectors import stages
from crm.sales.services import pipeline_copy, pipeline_create, stage_create, stage_remove, stages_order
from tenants.actors import Actor, Scope
from tests import factories

PIPELINE, STAGE, DEAL = registry.get("pipeline"), registry.get("stage"), registry.get("deal")


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True, deleted_at=None)


def default() -> Pipeline:
    return Pipeline.objects.get(is_default=True)


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


def test_a_workspace_starts_with_one_pipeline_and_keeps_it_when_asked_again(admin: Actor) -> None:
    provision(admin.tenant, None)
    names = [one.name for one in stages(admin, default().pk)]
    assert names == ["New", "Qualified", "Proposal", "Negotiation", "Won", "Lost"]
    assert Pipeline.objects.count() == 1
    assert LostReason.objects.count() == 6


def test_only_one_pipeline_is_the_default(admin: Actor) -> None:
    first = default()
    other = pipeline_create(admin, name="Service").record
    gate.update(admin, PIPELINE, other.pk, {"is_default": True})
    assert default().pk == other.pk
    with pytest.raises(Invalid) as refused:
        gate.update(admin, PIPELINE, other.pk, {"is_default": False})
    assert codes(refused) == {("is_default", "default_needed")}
    assert not Pipeline.objects.get(pk=first.pk).is_default


def test_the_default_pipeline_and_one_with_deals_stay(admin: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        gate.trash(admin, PIPELINE, default().pk)
    assert codes(refused) == {("", "default_needed")}
    other = pipeline_create(admin, name="Service").record
    deal = factories.deal(admin, pipeline=other.pk)
    with pytest.raises(Invalid) as refused:
        gate.trash(admin, PIPELINE, other.pk)
    assert codes(refused) == {("", "pipeline_in_use")}
    gate.trash(admin, DEAL, deal.pk)
    gate.trash(admin, PIPELINE, other.pk)


def test_a_new_pipeline_has_stages_to_begin_with(admin: Actor) -> None:
    made = pipeline_create(admin, name="Service").record
    assert {one.kind for one in stages(admin, made.pk)} == {"open", "won", "lost"}


def test_stages_of_one_pipeline_have_different_names(admin: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        stage_create(admin, pipeline_id=default().pk, values={"name": "proposal"})
    assert codes(refused) == {("name", "not_unique")}
    other = pipeline_create(admin, name="Service").record
    stage_create(admin, pipeline_id=other.pk, values={"name": "Asked"})


def test_won_and_lost_have_their_probability(admin: Actor) -> None:
    for name, certain in (("Won", 100), ("Lost", 0)):
        with pytest.raises(Invalid) as refused:
            gate.update(admin, STAGE, stage(name).pk, {"probability": 40})
        assert codes(refused) == {("probability", "closed_is_certain")}
        assert gate.update(admin, STAGE, stage(name).pk, {"probability": ""}).record.probability == certain
    with pytest.raises(Invalid):
        stage_create(admin, pipeline_id=default().pk, values={"name": "Signed", "kind": "won", "probability": 40})
    made = stage_create(admin, pipeline_id=default().pk, values={"name": "Signed", "kind": "won"}).record
    assert made.probability == 100


def test_a_new_open_stage_weighs_something_between_those_beside_it(admin: Actor) -> None:
    def probability(name: str, **values: Any) -> Decimal:
        made = stage_create(admin, pipeline_id=default().pk, values={"name": name, **values})
        return Decimal(made.record.probability)

    assert probability("Contract") == 85
    assert probability("Signing") == 90
    assert probability("Measuring", position=2) == 35
    assert probability("Nothing", probability=0) == 0
    other = factories.pipeline(admin)
    rows = [{"name": name, "pipeline": other.pk} for name in ("One", "Two", "Three")]
    made = gate.create_many(admin, STAGE, rows).records
    assert [one.probability for one in made] == [50, 75, 85]


def test_a_stage_that_becomes_another_kind_weighs_as_that_kind_does(admin: Actor) -> None:
    made = stage_create(admin, pipeline_id=default().pk, values={"name": "Signed", "kind": "won"}).record
    assert gate.update(admin, STAGE, made.pk, {"kind": "lost"}).record.probability == 0
    assert gate.update(admin, STAGE, made.pk, {"kind": "open"}).record.probability == 85
    assert gate.update(admin, STAGE, made.pk, {"kind": "won"}).record.probability == 100
    assert gate.update(admin, STAGE, made.pk, {"kind": "open", "probability": 60}).record.probability == 60


def test_a_copied_pipeline_weighs_as_its_pattern(admin: Actor) -> None:
    copy = pipeline_copy(admin, pipeline_id=default().pk, name="Again").record
    found = [(one.name, one.probability) for one in stages(admin, copy.pk)]
    assert found == [(one.name, one.probability) for one in stages(admin, default().pk)]


def test_a_stage_demands_only_fields_that_a_deal_has(admin: Actor) -> None:
    for slug in ("colour", "stage", "name"):
        with pytest.raises(Invalid) as refused:
            gate.update(admin, STAGE, stage("New").pk, {"required_fields": ["amount", slug]})
        assert codes(refused) == {("required_fields", "unknown_field")}


def test_a_stage_does_not_change_its_pipeline(admin: Actor) -> None:
    other = pipeline_create(admin, name="Service").record
    with pytest.raises(Invalid) as refused:
        gate.update(admin, STAGE, stage("New").pk, {"pipeline": other.pk})
    assert ("pipeline", "fixed") in codes(refused)


@pytest.mark.parametrize("name", ["Won", "Lost"])
def test_a_pipeline_keeps_a_stage_of_each_kind(admin: Actor, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        stage_remove(admin, stage_id=stage(name).pk)
    assert codes(refused) == {("", "last_of_its_kind")}
    with pytest.raises(Invalid) as refused:
        gate.update(admin, STAGE, stage(name).pk, {"kind": "open"})
    assert codes(refused) == {("kind", "last_of_its_kind")}


def test_all_open_stages_cannot_go_at_once(admin: Actor) -> None:
    ids = [one.id for one in stages(admin, default().pk) if one.kind == "open"]
    with pytest.raises(Invalid) as refused:
        gate.trash(admin, STAGE, ids)
    assert ("", "last_of_its_kind") in codes(refused)


def test_a_stage_with_deals_does_not_change_its_kind_and_is_not_just_trashed(admin: Actor) -> None:
    factories.deal(admin, stage=stage("Proposal").pk)
    with pytest.raises(Invalid) as refused:
        gate.update(admin, STAGE, stage("Proposal").pk, {"kind": "won"})
    assert codes(refused) == {("kind", "stage_in_use")}
    with pytest.raises(Invalid) as refused:
        gate.trash(admin, STAGE, stage("Proposal").pk)
    assert codes(refused) == {("", "stage_in_use")}


def test_the_effect_of_removing_a_stage_is_shown_first(admin: Actor) -> None:
    gate.update(admin, STAGE, stage("Negotiation").pk, {"required_fields": ["company", "contacts"]})
    acme = factories.company(admin)
    factories.deal(admin, stage=stage("Proposal").pk, amount="10", company=acme.pk)
    factories.deal(admin, stage=stage("Proposal").pk, amount="20", contacts=[{"id": factories.contact(admin).pk}])
    effect = stage_remove_preview(admin, stage_id=stage("Proposal").pk)
    assert (effect.count, effect.sums, effect.last_of_its_kind) == (2, {"EUR": Decimal(30)}, False)
    assert "Proposal" not in [target.name for target in effect.targets]
    assert effect.lacking[stage("Negotiation").pk] == 2
    assert effect.lacking[stage("Qualified").pk] == 0
    assert Deal.objects.filter(stage=stage("Proposal")).count() == 2


def test_removing_a_stage_moves_its_deals_and_can_be_undone(admin: Actor) -> None:
    proposal, qualified = stage("Proposal"), stage("Qualified")
    deal = factories.deal(admin, stage=proposal.pk)
    for move_to, code in ((None, "move_to_needed"), (proposal.pk, "move_to_wrong")):
        with pytest.raises(Invalid) as refused:
            stage_remove(admin, stage_id=proposal.pk, move_to=move_to)
        assert codes(refused) == {("", code)}
    change = stage_remove(admin, stage_id=proposal.pk, move_to=qualified.pk)
    assert Deal.objects.get(pk=deal.pk).stage_id == qualified.pk
    assert "Proposal" not in [one.name for one in stages(admin, default().pk)]
    undo.undo(admin, change.change_set.pk)
    assert Deal.objects.get(pk=deal.pk).stage_id == proposal.pk
    assert "Proposal" in [one.name for one in stages(admin, default().pk)]


def test_deals_that_lack_what_the_other_stage_demands_hold_the_removal_back(admin: Actor) -> None:
    gate.update(admin, STAGE, stage("Qualified").pk, {"required_fields": ["company"]})
    factories.deal(admin, stage=stage("Proposal").pk)
    with pytest.raises(Invalid) as refused:
        stage_remove(admin, stage_id=stage("Proposal").pk, move_to=stage("Qualified").pk)
    assert codes(refused) == {("company", "required_in_stage")}
    assert stage("Proposal").deleted_at is None


def test_open_stages_are_put_in_a_new_order(admin: Actor) -> None:
    names = ["Negotiation", "New", "Proposal", "Qualified"]
    stages_order(admin, pipeline_id=default().pk, stage_ids=[stage(name).pk for name in names])
    assert [one.name for one in stages(admin, default().pk)] == [*names, "Won", "Lost"]
    with pytest.raises(Invalid) as refused:
        stages_order(admin, pipeline_id=default().pk, stage_ids=[stage("New").pk])
    assert codes(refused) == {("", "stages_differ")}


def test_pipelines_are_not_for_everybody(manager: Actor, seller: Actor, reader: Actor, admin: Actor) -> None:
    for actor in (manager, seller, reader):
        with pytest.raises(Forbidden):
            stage_remove(actor, stage_id=stage("Proposal").pk)
        with pytest.raises(Forbidden):
            stage_remove_preview(actor, stage_id=stage("Proposal").pk)
        with pytest.raises(Forbidden):
            pipeline_create(actor, name="Mine")
        with pytest.raises(Forbidden):
            stages_order(actor, pipeline_id=default().pk, stage_ids=[])


@pytest.mark.parametrize("narrowed", ["own", "hidden", ""])
def test_what_deals_are_worth_is_for_who_sees_all_of_it(admin: Actor, owner: Actor, narrowed: str) -> None:
    factories.deal(owner, stage=stage("Proposal").pk, amount="12", currency="EUR")
    permissions = admin.permissions
    if narrowed == "own":
        reach = {**permissions.matrix, "deal": {"view": Scope.OWN, "edit": Scope.OWN}}
        permissions = replace(permissions, matrix=reach)
    elif narrowed:
        permissions = replace(permissions, fields={"deal": {"amount": "hidden"}})
    actor = replace(admin, permissions=permissions)
    effect = stage_remove_preview(actor, stage_id=stage("Proposal").pk)
    assert effect.count == 1
    assert effect.sums == ({} if narrowed else {"EUR": Decimal(12)})
    effects = pipeline_archive_preview(actor, pipeline_id=stage("Proposal").pipeline_id).stages
    assert any(one.sums for one in effects) is (not narrowed)
