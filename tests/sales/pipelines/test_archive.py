"""A pipeline is archived with a move of its deals, copied, put in order; and two at once lose nothing."""

import threading
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from crm.records.errors import Forbidden, Invalid, NotFound, UndoConflict
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales import services
from crm.sales.board.columns import board
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.pipelines.impact import pipeline_archive_preview
from crm.sales.provisioning import provision
from crm.sales.rules import deals, locks
from crm.sales.selectors import pipeline_options, pipelines, stage_options, stages
from crm.sales.services import (
    deal_move,
    deals_move,
    lost_reasons_order,
    pipeline_archive,
    pipeline_copy,
    pipeline_create,
    pipeline_restore,
    pipelines_order,
    stage_remove,
)
from tenants.actors import Actor, TenantRef
from tests import factories
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for

PIPELINE, STAGE, DEAL = registry.get("pipeline"), registry.get("stage"), registry.get("deal")

type Really = Callable[[Callable[[], Any]], Any]


def default() -> Pipeline:
    return Pipeline.objects.get(is_default=True)


def stage(name: str, pipeline: Any = None) -> Stage:
    return Stage.objects.get(name=name, pipeline=pipeline or default(), deleted_at=None)


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


@pytest.fixture
def service(admin: Actor) -> Any:
    return pipeline_create(admin, name="Service").record


def test_archiving_moves_open_deals_keeps_closed_ones_and_can_be_undone(admin: Actor, service: Any) -> None:
    moving = factories.deal(admin, stage=stage("Proposal", service).pk, amount="10")
    done = factories.deal(admin, stage=stage("Won", service).pk)
    moves = {stage("Proposal", service).pk: stage("Qualified").pk}
    change = pipeline_archive(admin, pipeline_id=service.pk, moves=moves)
    assert Deal.objects.get(pk=moving.pk).pipeline_id == default().pk
    assert Deal.objects.get(pk=done.pk).pipeline_id == service.pk
    assert [one.name for one in pipelines(admin)] == ["Sales"]
    assert [one.name for one in pipelines(admin, archived=True)] == ["Service"]
    assert [card.id for column in board(admin, service.pk).columns for card in column.cards] == [done.pk]
    undo.undo(admin, change.change_set.pk)
    assert Deal.objects.get(pk=moving.pk).stage_id == stage("Proposal", service).pk
    assert len(pipelines(admin)) == 2


def test_won_and_lost_deals_may_move_too(admin: Actor, service: Any) -> None:
    done = factories.deal(admin, stage=stage("Won", service).pk)
    closed_on = done.closed_on
    pipeline_archive(admin, pipeline_id=service.pk, moves={stage("Won", service).pk: stage("Won").pk})
    moved = Deal.objects.get(pk=done.pk)
    assert (moved.pipeline_id, moved.closed_on) == (default().pk, closed_on)


def test_archiving_needs_a_place_for_open_deals(admin: Actor, service: Any) -> None:
    factories.deal(admin, stage=stage("New", service).pk)
    other = pipeline_create(admin, name="Old").record
    pipeline_archive(admin, pipeline_id=other.pk, moves={})
    wrong = [stage("Won", service).pk, stage("New", other).pk]
    for target, code in ((None, "move_to_needed"), *((one, "move_to_wrong") for one in wrong)):
        moves = {stage("New", service).pk: target} if target else {}
        with pytest.raises(Invalid) as refused:
            pipeline_archive(admin, pipeline_id=service.pk, moves=moves)
        assert codes(refused) == {("", code)}
    with pytest.raises(Invalid) as refused:
        gate.update(admin, PIPELINE, service.pk, {"archived": True})
    assert codes(refused) == {("archived", "pipeline_in_use")}
    with pytest.raises(Invalid) as refused:
        pipeline_archive(admin, pipeline_id=default().pk, moves={})
    assert ("archived", "default_needed") in codes(refused)
    with pytest.raises(Invalid) as refused:
        gate.update(admin, PIPELINE, other.pk, {"is_default": True})
    assert codes(refused) == {("archived", "default_needed")}


def test_the_preview_counts_deals_and_those_that_would_be_refused(admin: Actor, service: Any) -> None:
    gate.update(
        admin,
        STAGE,
        stage("Qualified").pk,
        {"required_fields": ["company"], "entry_condition": {"field": "amount", "op": "gt", "value": 5}},
    )
    acme = factories.company(admin).pk
    for values in ({"company": acme, "amount": "9"}, {"company": acme, "amount": "4"}, {"amount": "9"}, {}):
        factories.deal(admin, stage=stage("Proposal", service).pk, **values)
    effect = pipeline_archive_preview(admin, pipeline_id=service.pk)
    by_name = {one.stage.name: one for one in effect.stages}
    assert by_name["Proposal"].target == stage("Proposal").pk
    assert (by_name["Proposal"].count, by_name["Proposal"].sums, by_name["Proposal"].refused) == (
        4,
        {"EUR": Decimal(22)},
        0,
    )
    assert by_name["Won"].target is None
    moves = {stage("Proposal", service).pk: stage("Qualified").pk}
    effect = pipeline_archive_preview(admin, pipeline_id=service.pk, moves=moves)
    refused_there = next(one.refused for one in effect.stages if one.stage.name == "Proposal")
    with pytest.raises(Invalid) as refused:
        pipeline_archive(admin, pipeline_id=service.pk, moves=moves)
    assert len({error.index for error in refused.value.errors}) == refused_there == 3
    assert not Pipeline.objects.get(pk=service.pk).archived


def test_nothing_begins_or_goes_on_in_an_archived_pipeline(admin: Actor, service: Any) -> None:
    won = factories.deal(admin, stage=stage("Won", service).pk)
    here = factories.deal(admin)
    pipeline_archive(admin, pipeline_id=service.pk, moves={})
    for write in (
        lambda: factories.deal(admin, pipeline=service.pk),
        lambda: factories.deal(admin, stage=stage("Won", service).pk),
        lambda: deal_move(admin, deal_id=here.pk, stage_id=stage("New", service).pk),
        lambda: deal_move(admin, deal_id=won.pk, stage_id=stage("New", service).pk),
    ):
        with pytest.raises(Invalid) as refused:
            write()
        assert codes(refused) == {("pipeline", "pipeline_archived")}
    gate.update(admin, DEAL, won.pk, {"amount": "7"})
    deal_move(admin, deal_id=won.pk, stage_id=stage("New").pk)
    assert service.pk not in dict(pipeline_options(admin, {}))
    assert stage("New", service).pk not in dict(stage_options(admin, {}))
    pipeline_restore(admin, pipeline_id=service.pk)
    assert factories.deal(admin, pipeline=service.pk).pipeline_id == service.pk


def test_a_copy_has_all_settings_and_none_of_the_deals(admin: Actor) -> None:
    price = LostReason.objects.get(name="Price")
    gate.update(
        admin,
        PIPELINE,
        default().pk,
        {"lost_reason_required": False, "lost_reasons": [{"id": price.pk}], "deal_fields": ["amount"]},
    )
    rules_of_entry = {"field": "amount", "op": "gt", "value": "0"}
    gate.update(
        admin,
        STAGE,
        stage("Proposal").pk,
        {
            "guidance": "Ask who decides.",
            "entry_condition": rules_of_entry,
            "enter_from": ["new", str(stage("Qualified").pk)],
            "required_fields": ["company"],
        },
    )
    factories.deal(admin)
    made = pipeline_copy(admin, pipeline_id=default().pk, name="Service").record
    assert (made.lost_reason_required, made.deal_fields, made.is_default) == (False, ["amount"], False)
    assert [link.lost_reason_id for link in made.reason_links.all()] == [price.pk]
    proposal = stage("Proposal", made)
    assert (proposal.guidance, proposal.entry_condition, proposal.required_fields) == (
        "Ask who decides.",
        rules_of_entry,
        ["company"],
    )
    assert proposal.enter_from == ["new", str(stage("Qualified", made).pk)]
    kept = ("name", "probability", "color", "kind", "stale_days")
    assert [[getattr(one, slug) for slug in kept] for one in stages(admin, made.pk)] == [
        [getattr(one, slug) for slug in kept] for one in stages(admin, default().pk)
    ]
    assert not Deal.objects.filter(pipeline=made).exists()


def test_pipelines_and_reasons_are_put_in_order(admin: Actor, service: Any) -> None:
    pipelines_order(admin, pipeline_ids=[service.pk, default().pk])
    assert [one.name for one in pipelines(admin)] == ["Service", "Sales"]
    ids = list(LostReason.objects.order_by("-position").values_list("pk", flat=True))
    lost_reasons_order(admin, reason_ids=ids)
    assert list(LostReason.objects.order_by("position").values_list("pk", flat=True)) == ids
    for order in (
        lambda: pipelines_order(admin, pipeline_ids=[service.pk]),
        lambda: lost_reasons_order(admin, reason_ids=[]),
    ):
        with pytest.raises(Invalid) as refused:
            order()
        assert codes(refused) == {("", "rows_differ")}


def test_pipelines_are_for_who_may_change_settings(
    manager: Actor, seller: Actor, outsider: Actor, service: Any
) -> None:
    for actor in (manager, seller):
        for act in (
            lambda actor: pipeline_archive(actor, pipeline_id=service.pk, moves={}),
            lambda actor: pipeline_copy(actor, pipeline_id=service.pk, name="Mine"),
            lambda actor: pipeline_restore(actor, pipeline_id=service.pk),
            lambda actor: pipelines_order(actor, pipeline_ids=[]),
            lambda actor: pipeline_archive_preview(actor, pipeline_id=service.pk),
        ):
            with pytest.raises(Forbidden):
                act(actor)
    from tenants.db.scopes import tenant_scope

    with tenant_scope(outsider.tenant), pytest.raises(NotFound):
        pipeline_archive(outsider, pipeline_id=service.pk, moves={})


# -- two at once -------------------------------------------------------------------------------------------------------


def race(tenant: TenantRef, slow: Callable[[], Any], quick: Callable[[], Any]) -> list[Any]:
    """``slow`` has done its work and keeps its transaction open until ``quick`` has run into it, or past it."""
    done, past = threading.Event(), threading.Event()

    def first() -> Any:
        with transaction.atomic():
            try:
                found = slow()
            finally:
                done.set()
            until_waited_for(past)
            return found

    def second() -> Any:
        done.wait(PATIENCE)
        try:
            return quick()
        except Invalid as error:
            return {one.code for one in error.errors}
        finally:
            past.set()

    return [wait() for wait in [elsewhere(first, tenant), elsewhere(second, tenant)]]


@pytest.fixture
def shop(robot: Actor, really: Really) -> Any:
    """A committed workspace with a pipeline, and a second one."""

    def make() -> Any:
        provision(robot.tenant, None)
        return pipeline_create(robot, name="Service").id

    return really(make)


def test_a_card_dragged_into_a_stage_that_is_being_removed_stays_where_it_was(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    deal = really(lambda: factories.deal(robot).pk)
    proposal = really(lambda: stage("Proposal").pk)
    _removed, moved = race(
        real_tenant,
        lambda: stage_remove(robot, stage_id=proposal),
        lambda: deal_move(robot, deal_id=deal, stage_id=proposal),
    )
    assert moved == {"stage_gone"}
    assert really(lambda: Deal.objects.get(pk=deal).stage.name) == "New"


def test_a_stage_that_a_card_is_being_dragged_into_is_not_removed_under_it(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    deal = really(lambda: factories.deal(robot).pk)
    proposal = really(lambda: stage("Proposal").pk)
    _moved, removed = race(
        real_tenant,
        lambda: deal_move(robot, deal_id=deal, stage_id=proposal),
        lambda: stage_remove(robot, stage_id=proposal),
    )
    assert removed == {"move_to_needed"}
    assert really(lambda: stage("Proposal").deleted_at) is None


def test_a_stage_trashed_by_the_api_meets_the_same_lock(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    deal = really(lambda: factories.deal(robot).pk)
    proposal = really(lambda: stage("Proposal").pk)
    _moved, trashed = race(
        real_tenant,
        lambda: deal_move(robot, deal_id=deal, stage_id=proposal),
        lambda: gate.trash(robot, STAGE, proposal),
    )
    assert trashed == {"stage_in_use"}


@pytest.mark.parametrize("close", ["archive", "trash"])
def test_a_deal_on_its_way_into_a_pipeline_that_closes_is_seen_or_refused(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any, close: str
) -> None:
    def closing() -> Any:
        if close == "archive":
            return pipeline_archive(robot, pipeline_id=shop, moves={})
        return gate.trash(robot, PIPELINE, shop)

    deal = really(lambda: factories.deal(robot).pk)
    theirs = really(lambda: stage("New", shop).pk)
    _moved, closed = race(real_tenant, lambda: deal_move(robot, deal_id=deal, stage_id=theirs), closing)
    assert closed == ({"move_to_needed"} if close == "archive" else {"pipeline_in_use"})

    really(lambda: deal_move(robot, deal_id=deal, stage_id=stage("New").pk))
    _closed, moved = race(real_tenant, closing, lambda: deal_move(robot, deal_id=deal, stage_id=theirs))
    assert moved == ({"pipeline_archived"} if close == "archive" else {"stage_gone"})


def test_two_who_each_remove_one_of_two_won_stages_leave_one(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    def second_won() -> Any:
        return factories.stage(robot, name="Won twice", kind="won", pipeline=default().pk).pk

    extra = really(second_won)
    won = really(lambda: stage("Won").pk)
    _first, second = race(
        real_tenant, lambda: stage_remove(robot, stage_id=won), lambda: stage_remove(robot, stage_id=extra)
    )
    assert second == {"last_of_its_kind"}


def test_a_deal_that_leaves_a_stage_being_removed_does_not_deadlock(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    deal = really(lambda: factories.deal(robot, stage=stage("Proposal").pk).pk)
    proposal, qualified = really(lambda: (stage("Proposal").pk, stage("Qualified").pk))
    _moved, _removed = race(
        real_tenant,
        lambda: deal_move(robot, deal_id=deal, stage_id=qualified),
        lambda: stage_remove(robot, stage_id=proposal),
    )
    assert really(lambda: Stage.objects.get(pk=proposal).deleted_at) is not None
    assert really(lambda: Deal.objects.get(pk=deal).stage_id) == qualified


def test_the_locks_are_what_holds_them_apart(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules alone do not: without the lock the removal sees no deal, and the deal ends in a stage that is gone."""
    monkeypatch.setattr(deals.Stages, "hold", deals.Stages.look)
    deal = really(lambda: factories.deal(robot).pk)
    proposal = really(lambda: stage("Proposal").pk)
    _removed, moved = race(
        real_tenant,
        lambda: stage_remove(robot, stage_id=proposal),
        lambda: deal_move(robot, deal_id=deal, stage_id=proposal),
    )
    assert moved != {"stage_gone"}


def test_who_moves_several_and_who_removes_their_stage_never_wait_for_each_other(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deal comes in just before the stage is closed, and just after somebody moves it again together with another."""
    one, two = really(lambda: [factories.deal(robot).pk for _number in range(2)])
    proposal, target = really(lambda: [stage(name).pk for name in ("Proposal", "Qualified")])
    movers: list[Callable[[], Any]] = []
    close = locks.stages_lock

    def close_late(ids: Any) -> None:
        if not movers:
            elsewhere(lambda: deal_move(robot, deal_id=two, stage_id=proposal), real_tenant)()
            close(ids)
            together = partial(deals_move, robot, deal_ids=[one, two], stage_id=proposal)
            movers.append(elsewhere(together, real_tenant))
            until_waited_for()
        else:
            close(ids)

    monkeypatch.setattr("crm.sales.services.stages_lock", close_late)
    elsewhere(lambda: stage_remove(robot, stage_id=proposal, move_to=target), real_tenant)()
    assert [len(wait().records) for wait in movers] == [2]
    assert really(lambda: set(Deal.objects.values_list("stage_id", flat=True))) == {target}


def test_moves_of_several_and_removals_at_once_many_times(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    deals = really(lambda: [factories.deal(robot).pk for _number in range(4)])
    new, pipeline = really(lambda: (stage("New").pk, default().pk))
    for number in range(36):
        values = {"name": f"Between {number}", "pipeline": pipeline}
        between = really(partial(lambda given: gate.create(robot, STAGE, given).id, values))

        def move(order: list[Any], to: Any = between) -> None:
            for deal in order[:2]:
                with suppress(Invalid):
                    deal_move(robot, deal_id=deal, stage_id=to)
            with suppress(Invalid):
                deals_move(robot, deal_ids=order, stage_id=to)

        work: list[Callable[[], Any]] = [
            partial(move, deals[::-1]),
            partial(stage_remove, robot, stage_id=between, move_to=new),
        ]
        for wait in [elsewhere(one, real_tenant) for one in work]:
            wait()
        left = really(lambda: set(Deal.objects.values_list("stage__deleted_at", flat=True)))
        assert left == {None}


def test_of_two_who_each_make_another_pipeline_the_default_the_later_wins(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any
) -> None:
    third = really(lambda: pipeline_create(robot, name="Repairs").id)

    def choose(pipeline: Any) -> Callable[[], Any]:
        return lambda: gate.update(robot, PIPELINE, pipeline, {"is_default": True})

    race(real_tenant, choose(shop), choose(third))
    assert really(lambda: list(Pipeline.objects.filter(is_default=True).values_list("pk", flat=True))) == [third]

    race(real_tenant, choose(shop), lambda: gate.create(robot, PIPELINE, {"name": "New", "is_default": True}))
    assert really(lambda: [one.name for one in Pipeline.objects.filter(is_default=True)]) == ["New"]


def test_an_undo_waits_for_the_stages_before_it_holds_deals(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stage went and its deals moved on; that is undone just while the stage where they are now goes as well."""
    gone, target, after = really(lambda: [stage(name).pk for name in ("Qualified", "Proposal", "Negotiation")])
    deal = really(lambda: factories.deal(robot, stage=gone).pk)
    really(lambda: gate.update(robot, STAGE, after, {"enter_from": [str(gone), str(target)]}))
    removed = really(lambda: stage_remove(robot, stage_id=gone, move_to=target))
    undoing: list[Callable[[], Any]] = []
    deals_held = services._deals_held

    def held_late(*given: Any) -> Any:
        undoing.append(elsewhere(lambda: undo.undo(robot, removed.change_set.pk), real_tenant))
        until_waited_for()
        return deals_held(*given)

    monkeypatch.setattr("crm.sales.services._deals_held", held_late)
    last = really(lambda: stage("New").pk)
    elsewhere(lambda: stage_remove(robot, stage_id=target, move_to=last), real_tenant)()
    with pytest.raises(UndoConflict):
        undoing[0]()
    assert really(lambda: Deal.objects.get(pk=deal).stage_id) == last


def test_an_undo_waits_for_the_pipelines_before_it_holds_deals(
    robot: Actor, real_tenant: TenantRef, really: Really, shop: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pipeline was archived; that is undone just while the one that took its deals is to be archived into it."""
    theirs, target = really(lambda: (stage("New", shop).pk, stage("New").pk))
    deal = really(lambda: factories.deal(robot, stage=theirs).pk)
    archived = really(lambda: pipeline_archive(robot, pipeline_id=shop, moves={theirs: target}))
    undoing: list[Callable[[], Any]] = []
    deals_held = services._deals_held

    def held_late(*given: Any) -> Any:
        undoing.append(elsewhere(lambda: undo.undo(robot, archived.change_set.pk), real_tenant))
        until_waited_for()
        return deals_held(*given)

    monkeypatch.setattr("crm.sales.services._deals_held", held_late)
    with pytest.raises(Invalid):
        elsewhere(
            lambda: pipeline_archive(robot, pipeline_id=really(lambda: default().pk), moves={target: theirs}),
            real_tenant,
        )()
    undoing[0]()
    assert really(lambda: Deal.objects.get(pk=deal).stage_id) == theirs
