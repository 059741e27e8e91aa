"""Deals: stages and what they demand, closing and reopening, money."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.records.errors import Forbidden, Invalid, NotFound
from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.rules.common import demandable_fields
from crm.sales.selectors import stage_times
from crm.sales.services import deal_move
from tenants.actors import Actor
from tests import factories
from tests.depth import examples

DEAL, STAGE = registry.get("deal"), registry.get("stage")


def codes(refused: pytest.ExceptionInfo[Invalid]) -> set[tuple[str, str]]:
    return {(error.field, error.code) for error in refused.value.errors}


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True)


def today(actor: Actor) -> date:
    return timezone.now().astimezone(actor.time_zone).date()


def test_a_new_deal_stands_in_the_first_stage_of_the_default_pipeline(seller: Actor) -> None:
    deal = factories.deal(seller)
    assert (deal.pipeline.is_default, deal.stage.name, deal.probability) == (True, "New", Decimal(10))
    assert deal.stage_entered_at is not None
    assert deal.owner_id == seller.member_id


def test_a_stage_brings_its_pipeline(seller: Actor, admin: Actor) -> None:
    service = factories.pipeline(admin, name="Service")
    asked = factories.stage(admin, pipeline=service.pk)
    assert factories.deal(seller, stage=asked.pk).pipeline_id == service.pk


def test_a_deal_cannot_stand_in_a_stage_of_another_pipeline(seller: Actor, admin: Actor) -> None:
    service = factories.pipeline(admin, name="Service")
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, pipeline=service.pk, stage=stage("New").pk)
    assert codes(refused) == {("stage", "stage_of_another_pipeline")}


def test_a_deal_that_changes_the_pipeline_starts_at_its_first_stage(seller: Actor, admin: Actor) -> None:
    service = factories.pipeline(admin, name="Service")
    factories.stage(admin, pipeline=service.pk, name="Second", position=2)
    first = factories.stage(admin, pipeline=service.pk, name="First", position=1)
    deal = factories.deal(seller)
    assert gate.update(seller, DEAL, deal.pk, {"pipeline": service.pk}).record.stage_id == first.pk


def test_a_stage_holds_back_a_deal_that_lacks_what_it_demands(seller: Actor, admin: Actor) -> None:
    gate.update(admin, STAGE, stage("Proposal").pk, {"required_fields": ["amount", "company", "contacts"]})
    deal = factories.deal(seller)
    with pytest.raises(Invalid) as refused:
        deal_move(seller, deal_id=deal.pk, stage_id=stage("Proposal").pk, values={"amount": "100"})
    assert codes(refused) == {("company", "required_in_stage"), ("contacts", "required_in_stage")}
    assert Deal.objects.get(pk=deal.pk).amount is None

    values = {
        "amount": "100",
        "company": factories.company(seller).pk,
        "contacts": [{"id": factories.contact(seller).pk}],
    }
    moved = deal_move(seller, deal_id=deal.pk, stage_id=stage("Proposal").pk, values=values).record
    assert moved.stage.name == "Proposal"


def test_what_the_stage_demands_cannot_be_taken_away_while_the_deal_stands_in_it(seller: Actor, admin: Actor) -> None:
    gate.update(admin, STAGE, stage("Proposal").pk, {"required_fields": ["amount"]})
    deal = factories.deal(seller, stage=stage("Proposal").pk, amount="5")
    with pytest.raises(Invalid) as refused:
        gate.update(seller, DEAL, deal.pk, {"amount": ""})
    assert codes(refused) == {("amount", "required_in_stage")}


def test_a_deal_made_in_a_demanding_stage_meets_its_demands_too(seller: Actor, admin: Actor) -> None:
    gate.update(admin, STAGE, stage("Proposal").pk, {"required_fields": ["expected_close"]})
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, stage=stage("Proposal").pk)
    assert codes(refused) == {("expected_close", "required_in_stage")}


def test_winning_closes_today_unless_a_day_is_given(seller: Actor) -> None:
    won = deal_move(seller, deal_id=factories.deal(seller).pk, stage_id=stage("Won").pk).record
    assert (won.closed_on, won.probability) == (today(seller), Decimal(100))
    earlier = {"closed_on": "2026-03-05"}
    given_day = deal_move(seller, deal_id=factories.deal(seller).pk, stage_id=stage("Won").pk, values=earlier).record
    assert given_day.closed_on == date(2026, 3, 5)


def test_a_deal_may_be_made_already_won_on_a_day_in_the_past(seller: Actor) -> None:
    assert factories.deal(seller, stage=stage("Won").pk, closed_on="2017-03-01").closed_on == date(2017, 3, 1)


def test_an_open_deal_has_no_closing_day(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, closed_on="2026-03-05")
    assert codes(refused) == {("closed_on", "only_when_closed")}


def test_losing_asks_why(seller: Actor) -> None:
    deal = factories.deal(seller)
    with pytest.raises(Invalid) as refused:
        deal_move(seller, deal_id=deal.pk, stage_id=stage("Lost").pk)
    assert codes(refused) == {("lost_reason", "required_in_stage")}
    price = LostReason.objects.get(name="Price")
    lost = deal_move(seller, deal_id=deal.pk, stage_id=stage("Lost").pk, values={"lost_reason": price.pk}).record
    assert (lost.lost_reason_id, lost.closed_on, lost.probability) == (price.pk, today(seller), Decimal(0))


def test_only_a_lost_deal_has_a_lost_reason(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, lost_reason=LostReason.objects.get(name="Price").pk)
    assert codes(refused) == {("lost_reason", "only_when_lost")}


def test_reopening_forgets_when_and_why_it_was_closed(seller: Actor) -> None:
    price = LostReason.objects.get(name="Price")
    deal = factories.deal(seller, stage=stage("Lost").pk, lost_reason=price.pk)
    reopened = deal_move(seller, deal_id=deal.pk, stage_id=stage("Qualified").pk).record
    assert (reopened.closed_on, reopened.lost_reason_id, reopened.probability) == (None, None, Decimal(25))


def test_undoing_a_loss_and_undoing_a_reopening_bring_back_exactly_what_was(seller: Actor) -> None:
    price = LostReason.objects.get(name="Price")
    deal = factories.deal(seller, amount="10", probability=33)
    entered = deal.stage_entered_at
    lost = deal_move(
        seller, deal_id=deal.pk, stage_id=stage("Lost").pk, values={"lost_reason": price.pk, "closed_on": "2026-02-03"}
    )
    reopened = deal_move(seller, deal_id=deal.pk, stage_id=stage("New").pk)
    undo.undo(seller, reopened.change_set.pk)
    again = Deal.objects.get(pk=deal.pk)
    assert (again.stage.kind, again.closed_on, again.lost_reason_id) == ("lost", date(2026, 2, 3), price.pk)
    undo.undo(seller, lost.change_set.pk)
    first = Deal.objects.get(pk=deal.pk)
    assert (first.stage.name, first.closed_on, first.lost_reason_id) == ("New", None, None)
    assert (first.probability, first.stage_entered_at) == (Decimal(33), entered)


def test_a_probability_of_ones_own_lasts_until_the_next_stage(seller: Actor) -> None:
    deal = factories.deal(seller, probability=80)
    assert gate.update(seller, DEAL, deal.pk, {"name": "Thirteen windows"}).record.probability == 80
    assert deal_move(seller, deal_id=deal.pk, stage_id=stage("Qualified").pk).record.probability == 25


def test_an_amount_without_a_currency_is_in_the_workspaces(seller: Actor) -> None:
    assert factories.deal(seller, amount="10").currency == seller.tenant.currency
    assert factories.deal(seller, amount="10", currency="CHF").currency == "CHF"


@pytest.mark.parametrize(("amount", "currency"), [("10.005", "EUR"), ("10.5", "JPY"), ("10.00001", "KWD")])
def test_an_amount_has_no_more_decimals_than_its_currency(seller: Actor, amount: str, currency: str) -> None:
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, amount=amount, currency=currency)
    assert {error.field for error in refused.value.errors} == {"amount"}


def test_a_negative_amount_is_refused(seller: Actor) -> None:
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, amount="-1")
    assert {error.field for error in refused.value.errors} == {"amount"}


@settings(max_examples=examples(10))
@given(cents=st.integers(min_value=0, max_value=10**13), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_money_comes_back_as_it_was_given(seller: Actor, cents: int, currency: str) -> None:
    decimals = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
    amount = Decimal(cents).scaleb(-decimals)
    stored = Deal.objects.values_list("amount", flat=True).get(
        pk=factories.deal(seller, amount=str(amount), currency=currency).pk
    )
    assert isinstance(stored, Decimal)
    assert (stored, stored.as_tuple().exponent) == (amount, -decimals)


def test_a_move_is_told_as_an_event_and_counts_the_days(seller: Actor) -> None:
    deal = factories.deal(seller)
    new, qualified = stage("New"), stage("Qualified")
    deal_move(seller, deal_id=deal.pk, stage_id=qualified.pk)
    told = Event.objects.get(record_id=deal.pk, type="deal.stage_changed")
    assert (told.before["stage"], told.after["stage"]) == (str(new.pk), str(qualified.pk))

    stays = stage_times(seller, deal.pk)
    assert [(stay.name, stay.left_at is None) for stay in stays] == [("New", False), ("Qualified", True)]
    assert stays[0].left_at == stays[1].entered_at


def test_time_in_stages_is_that_of_the_moves(seller: Actor) -> None:
    began = timezone.now() - timedelta(days=10)
    deal = gate.create(seller, DEAL, {"name": "Old"}, source="import", at=began).record
    for days, name in ((3, "Qualified"), (7, "New"), (8, "Qualified")):
        gate.update(seller, DEAL, deal.pk, {"stage": stage(name).pk}, source="import", at=began + timedelta(days=days))
    stays = stage_times(seller, deal.pk)
    assert [(stay.name, stay.seconds // 86400) for stay in stays] == [
        ("New", 3),
        ("Qualified", 4),
        ("New", 1),
        ("Qualified", 2),
    ]


def test_a_change_within_a_stage_is_no_move(seller: Actor) -> None:
    deal = factories.deal(seller)
    gate.update(seller, DEAL, deal.pk, {"amount": "9", "stage": deal.stage_id})
    assert not Event.objects.filter(type="deal.stage_changed", record_id=deal.pk).exists()


def test_somebody_elses_deal_is_not_moved(seller: Actor, seller_two: Actor, reader: Actor, outsider: Actor) -> None:
    deal = factories.deal(seller)
    for actor, error in ((seller_two, Forbidden), (reader, Forbidden), (outsider, NotFound)):
        with pytest.raises(error):
            in_own_workspace(actor, deal_move, deal_id=deal.pk, stage_id=stage("Qualified").pk)
    assert Deal.objects.get(pk=deal.pk).stage.name == "New"


def in_own_workspace(actor: Actor, service: Any, **values: Any) -> Any:
    from tenants.db.scopes import tenant_scope

    with tenant_scope(actor.tenant):
        return service(actor, **values)


def test_a_deal_restored_to_a_stage_that_went_stands_in_the_first(admin: Actor) -> None:
    extra = factories.stage(admin, pipeline=Pipeline.objects.get(is_default=True).pk, name="Extra")
    deal = factories.deal(admin, stage=extra.pk)
    gate.trash(admin, DEAL, deal.pk)
    gate.trash(admin, STAGE, extra.pk)
    assert gate.restore(admin, DEAL, deal.pk).record.stage.name == "New"


def test_every_field_that_a_stage_may_demand_can_be_looked_at_by_the_preview() -> None:
    from crm.sales.pipelines.impact import _is_empty

    for slug in demandable_fields():
        assert Deal.objects.none().filter(_is_empty(slug)).query is not None


# --- what is closed is certain ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "certain", "other"), [("Won", 100, "40"), ("Lost", 0, "15")])
def test_a_closed_deal_weighs_all_or_nothing(seller: Actor, name: str, certain: int, other: str) -> None:
    """However it comes there, and whatever else was sent is refused."""
    facts = {
        "stage": stage(name).pk,
        "lost_reason": LostReason.objects.get(name="Price").pk if name == "Lost" else None,
    }
    deal = factories.deal(seller)
    for refused_write in (
        lambda: gate.update(seller, DEAL, deal.pk, {**facts, "probability": other}),
        lambda: factories.deal(seller, **facts, probability=other),
        lambda: gate.update(seller, DEAL, factories.deal(seller, **facts).pk, {"probability": other}),
    ):
        with pytest.raises(Invalid) as refused:
            refused_write()
        assert codes(refused) == {("probability", "closed_is_certain")}
    for sent in ({}, {"probability": None}, {"probability": certain}):
        assert factories.deal(seller, **facts, **sent).probability == certain
        moved = gate.update(seller, DEAL, factories.deal(seller, probability=33).pk, {**facts, **sent})
        assert moved.record.probability == certain
    whole = {**facts, "probability": str(deal.probability)}
    assert gate.update(seller, DEAL, deal.pk, whole).record.probability == certain
    assert gate.update(seller, DEAL, deal.pk, {"probability": ""}).record.probability == certain


def test_a_deal_that_comes_back_from_the_trash_weighs_what_its_stage_now_says(seller: Actor, admin: Actor) -> None:
    other = factories.stage(admin, pipeline=Pipeline.objects.get(is_default=True).pk, name="Signed", kind="won")
    deal = factories.deal(seller, stage=other.pk)
    gate.trash(seller, DEAL, deal.pk)
    gate.update(admin, STAGE, other.pk, {"kind": "open", "probability": 80})
    again = gate.restore(seller, DEAL, deal.pk).record
    assert (again.probability, again.closed_on) == (80, None)
    gate.trash(seller, DEAL, deal.pk)
    gate.update(admin, STAGE, other.pk, {"kind": "won"})
    assert gate.restore(seller, DEAL, deal.pk).record.probability == 100


def test_a_deal_is_not_closed_in_the_future(seller: Actor) -> None:
    tomorrow = today(seller) + timedelta(days=1)
    with pytest.raises(Invalid) as refused:
        factories.deal(seller, stage=stage("Won").pk, closed_on=tomorrow)
    assert codes(refused) == {("closed_on", "in_the_future")}
    won = factories.deal(seller, stage=stage("Won").pk, closed_on=today(seller))
    with pytest.raises(Invalid):
        gate.update(seller, registry.get("deal"), won.pk, {"closed_on": tomorrow})
