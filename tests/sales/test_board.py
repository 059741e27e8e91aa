"""The board: columns with all that is in them summed, the first cards, and only what one may see."""

from collections import defaultdict
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm.records import reading, writing
from crm.records.errors import BadCursor, NotFound
from crm.records.types import registry
from crm.sales.models import Stage
from crm.sales.selectors import Column, board, board_card, board_column, deals_in_need, my_day, my_numbers
from crm.sales.services import deal_move
from tenants.actors import Actor
from tenants.scopes import tenant_scope
from tests import factories
from tests.activities.test_tasks import seeing_own

DEAL = registry.get("deal")


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True)


def column(actor: Actor, name: str, **query: object) -> Column:
    return next(one for one in board(actor, **query).columns if one.stage.name == name)  # type: ignore[arg-type]


def test_columns_stand_in_their_order_with_won_and_lost_last(seller: Actor, admin: Actor) -> None:
    late = factories.stage(admin, pipeline=stage("New").pipeline_id, name="Late addition")
    assert late.position > stage("Lost").position
    assert [one.stage.name for one in board(seller).columns] == [
        "New",
        "Qualified",
        "Proposal",
        "Negotiation",
        "Late addition",
        "Won",
        "Lost",
    ]


def test_a_column_counts_and_sums_by_currency(seller: Actor) -> None:
    for amount, currency in (("1000", "CHF"), ("100", "EUR"), ("50.50", "EUR"), ("1000", "JPY"), (None, "")):
        factories.deal(seller, stage=stage("Proposal").pk, amount=amount, currency=currency)
    found = column(seller, "Proposal")
    assert found.count == 5
    assert found.sums == {"EUR": Decimal("150.50"), "CHF": Decimal(1000), "JPY": Decimal(1000)}
    assert next(iter(found.sums)) == seller.tenant.currency
    assert found.weighted == {"EUR": Decimal("75.25"), "CHF": Decimal(500), "JPY": Decimal(500)}


def test_a_card_says_what_the_deal_waits_for(seller: Actor, admin: Actor) -> None:
    now = timezone.now()
    acme = factories.company(seller, name="Acme")
    deal = factories.deal(seller, company=acme.pk, amount="10")
    about = {"type": "deal", "id": deal.pk}
    card = board_card(seller, deal.pk)
    assert (card.company_name, card.owner_name, card.next_state, card.stale) == ("Acme", "Seller", "none", False)

    factories.task(seller, about=about)
    assert board_card(seller, deal.pk).next_state == "undated"
    factories.task(seller, about=about, due_at=now + timedelta(days=2))
    assert board_card(seller, deal.pk).next_state == "planned"
    late = factories.task(seller, about=about, due_at=now - timedelta(days=2))
    assert (board_card(seller, deal.pk).next_state, board_card(seller, deal.pk).next_at) == ("late", late.due_at)
    writing.update(seller, registry.get("task"), late.pk, {"done": True})
    assert board_card(seller, deal.pk).next_state == "planned"


def test_a_deal_that_stays_too_long_is_stale(seller: Actor) -> None:
    limit = stage("New").stale_days
    assert limit is not None
    for days in (limit, limit + 1):
        at = timezone.now() - timedelta(days=days, hours=1)
        deal = writing.create(seller, DEAL, {"name": "Old"}, source="import", at=at).record
        assert board_card(seller, deal.pk).stale == (days > limit)


def test_a_column_shows_25_and_goes_on_without_gap_or_repeat(seller: Actor) -> None:
    rows = [{"name": f"Deal {number}"} for number in range(60)]
    at = [timezone.now() - timedelta(minutes=number // 2) for number in range(60)]
    writing.create_many(seller, DEAL, rows, source="import", at=at)
    found = column(seller, "New")
    assert (found.count, len(found.cards)) == (60, 25)
    seen, cursor = [card.id for card in found.cards], found.next_cursor
    while cursor:
        cards, cursor = board_column(seller, found.stage.id, cursor)
        seen += [card.id for card in cards]
    assert len(seen) == len(set(seen)) == 60


@pytest.mark.parametrize(
    "cursor", ["x", "2026-01-01~x", "2026-01-01~01a20180-fc72-76f8-a39f-ceb2e5043676", "~", "a\x00b~c"]
)
def test_a_cursor_that_is_none_is_refused(seller: Actor, cursor: str) -> None:
    with pytest.raises(BadCursor):
        board_column(seller, stage("New").pk, cursor)


def test_the_board_takes_three_queries_however_much_there_is(seller: Actor) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as caught:
            board(seller)
        return len(caught)

    factories.deal(seller)
    few = queries()
    for name in ("New", "Qualified", "Proposal", "Won"):
        for _number in range(4):
            deal = factories.deal(seller, stage=stage(name).pk, company=factories.company(seller).pk, amount="1")
            factories.task(seller, about={"type": "deal", "id": deal.pk})
    assert few <= 3
    assert queries() <= 3


def test_one_sees_ones_own_board(seller: Actor, seller_two: Actor, outsider: Actor) -> None:
    factories.deal(seller, amount="100", company=factories.company(seller, name="Secret").pk)
    mine = factories.deal(seller_two, amount="7", company=factories.company(seller, name="Hidden").pk)
    narrow = seeing_own(seller_two, "deal", "company")
    found = column(narrow, "New")
    assert (found.count, found.sums, [card.id for card in found.cards]) == (1, {"EUR": Decimal(7)}, [mine.pk])
    assert found.cards[0].company_name is None
    pipeline_id = stage("New").pipeline_id
    with tenant_scope(outsider.tenant), pytest.raises(NotFound):
        board(outsider, pipeline_id)


def test_the_board_can_be_filtered_and_searched(seller: Actor) -> None:
    small = factories.deal(seller, name="Small attic", amount="10")
    big = factories.deal(seller, name="Big barn", amount="10000")
    found = column(seller, "New", tree={"field": "amount", "op": "gte", "value": "5000"})
    assert (found.count, [card.id for card in found.cards]) == (1, [big.pk])
    assert [card.id for card in column(seller, "New", search="attic").cards] == [small.pk]


amounts = st.lists(
    st.tuples(
        st.sampled_from(["New", "Qualified", "Won"]),
        st.sampled_from(["EUR", "JPY", "KWD"]),
        st.integers(min_value=0, max_value=10**9),
    ),
    max_size=12,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=amounts)
def test_the_boards_sums_are_those_of_the_list(seller: Actor, drawn: list[tuple[str, str, int]]) -> None:
    from django.db import transaction

    decimals = {"EUR": 2, "JPY": 0, "KWD": 3}
    with transaction.atomic():
        rows = [
            {
                "name": "Deal",
                "stage": stage(name).pk,
                "currency": currency,
                "amount": Decimal(n).scaleb(-decimals[currency]),
            }
            for name, currency, n in drawn
        ]
        if rows:
            writing.create_many(seller, DEAL, rows)
        total: dict[str, Decimal] = defaultdict(Decimal)
        for one in board(seller).columns:
            listed = [
                row
                for row in reading.page(seller, DEAL, reading.Query(limit=500)).rows
                if row["stage"] == one.stage.id and row["amount"] is not None
            ]
            expected: dict[str, Decimal] = defaultdict(Decimal)
            for row in listed:
                assert isinstance(row["amount"], Decimal)
                expected[row["currency"]] += row["amount"]
            assert one.sums == expected
            for currency, amount in one.sums.items():
                total[currency] += amount
        assert total == reading.sums(seller, DEAL, reading.Query(), "amount")
        transaction.set_rollback(True)


def test_my_day_names_the_deals_that_need_something(seller: Actor, seller_two: Actor) -> None:
    yesterday = (timezone.now() - timedelta(days=1)).date()
    long_ago = timezone.now() - timedelta(days=60)
    overdue = factories.deal(seller, expected_close=yesterday)
    stale = writing.create(seller, DEAL, {"name": "Old"}, source="import", at=long_ago).record
    idle = factories.deal(seller)
    fine = factories.deal(seller)
    for deal in (overdue, stale, fine):
        factories.task(seller, about={"type": "deal", "id": deal.pk}, due_at=timezone.now() + timedelta(days=1))
    factories.deal(seller_two)
    factories.deal(seller, stage=stage("Won").pk)
    needs = {need.card.id: need.reason for need in deals_in_need(seller)}
    assert needs == {overdue.pk: "late_close", stale.pk: "stale", idle.pk: "no_task"}
    day = my_day(seller)
    assert {need.card.id for need in day.deals} == needs.keys()
    assert day.recent


def test_my_numbers_are_mine_and_of_this_month(seller: Actor, seller_two: Actor) -> None:
    today = timezone.now().astimezone(seller.time_zone).date()
    factories.deal(seller, amount="100")
    factories.deal(seller, stage=stage("Won").pk, amount="70")
    factories.deal(seller, stage=stage("Won").pk, amount="70", closed_on=today.replace(day=1) - timedelta(days=1))
    factories.deal(seller_two, amount="1000")
    numbers = my_numbers(seller)
    assert [(one.currency, one.open_count, one.open_sum, one.weighted) for one in numbers] == [
        ("EUR", 1, Decimal(100), Decimal(10))
    ]
    assert [(one.won_count, one.won_sum) for one in numbers] == [(1, Decimal(70))]


def test_a_moved_deal_comes_to_the_top_of_its_column(seller: Actor) -> None:
    deals = [factories.deal(seller) for _number in range(3)]
    for deal in deals:
        deal_move(seller, deal_id=deal.pk, stage_id=stage("Qualified").pk)
    deal_move(seller, deal_id=deals[0].pk, stage_id=stage("New").pk)
    deal_move(seller, deal_id=deals[0].pk, stage_id=stage("Qualified").pk)
    assert column(seller, "Qualified").cards[0].id == deals[0].pk
