"""The board: columns with all that is in them summed, the first cards, and only what one may see."""

from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.records.errors import BadCursor, NotFound
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.board.columns import Asked, Column, board, board_card, board_column, quick_filters
from crm.sales.models import Stage
from crm.sales.my_day import deals_in_need, my_day, my_numbers
from crm.sales.services import deal_move
from crm.workspace.models import ExchangeRate, Member, Team
from tenants.actors import Actor
from tenants.db.scopes import tenant_scope
from tests import factories
from tests.activities.test_tasks import seeing_own
from tests.depth import examples

DEAL = registry.get("deal")


def stage(name: str) -> Stage:
    return Stage.objects.get(name=name, pipeline__is_default=True)


def column(actor: Actor, name: str, asked: Asked | None = None) -> Column:
    return next(one for one in board(actor, None, asked or Asked()).columns if one.stage.name == name)


def shown(actor: Actor, *quick: str) -> set[str]:
    found = board(actor, None, Asked(quick=quick))
    return {card.name for one in found.columns for card in one.cards}


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
    assert found.weighted is not None
    assert found.weighted.sums == {"EUR": Decimal("75.25"), "CHF": Decimal(500), "JPY": Decimal(500)}


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
    gate.update(seller, registry.get("task"), late.pk, {"done": True})
    assert board_card(seller, deal.pk).next_state == "planned"


def test_a_deal_that_stays_too_long_is_stale(seller: Actor) -> None:
    limit = stage("New").stale_days
    assert limit is not None
    for days in (limit, limit + 1):
        at = timezone.now() - timedelta(days=days, hours=1)
        deal = gate.create(seller, DEAL, {"name": "Old"}, source="import", at=at).record
        assert board_card(seller, deal.pk).stale == (days > limit)


def test_a_column_shows_25_and_goes_on_without_gap_or_repeat(seller: Actor) -> None:
    rows = [{"name": f"Deal {number}"} for number in range(60)]
    at = [timezone.now() - timedelta(minutes=number // 2) for number in range(60)]
    gate.create_many(seller, DEAL, rows, source="import", at=at)
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
    found = column(seller, "New", Asked({"field": "amount", "op": "gte", "value": "5000"}))
    assert (found.count, [card.id for card in found.cards]) == (1, [big.pk])
    assert [card.id for card in column(seller, "New", Asked(search="attic")).cards] == [small.pk]


def test_quick_filters_narrow_and_add_up(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    now = timezone.now()
    today = now.astimezone(seller.time_zone).date()
    long_ago = now - timedelta(days=400)
    gate.create(seller, DEAL, {"name": "Old"}, source="import", at=long_ago)
    busy = factories.deal(seller_two, name="Busy", expected_close=today)
    factories.task(seller_two, about={"type": "deal", "id": busy.pk})
    factories.deal(seller, name="Won", stage=stage("Won").pk, expected_close=today)
    assert shown(seller, "mine") == {"Old", "Won"}
    assert shown(seller, "stale") == {"Old"}
    assert shown(seller, "idle") == {"Old"}
    assert shown(seller, "closing") == {"Busy"}
    assert shown(seller, "closing", "mine") == set()
    assert shown(seller, "mine", "stale") == {"Old"}
    assert shown(seller, "nonsense") == {"Old", "Busy", "Won"}
    counted = column(seller, "New", Asked(quick=("stale",)))
    assert (counted.count, len(counted.cards)) == (1, 1)


def test_my_team_is_those_whose_records_i_would_reach(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    for actor in (seller, seller_two, manager):
        factories.deal(actor, name=actor.label)
    team = Team.objects.create(name="North")
    Member.objects.filter(pk__in=[seller.member_id, seller_two.member_id]).update(team=team)
    assert shown(seller, "team") == {seller.label, seller_two.label}
    assert shown(manager, "team") == {manager.label}


def test_sums_in_several_currencies_are_one_by_the_rates_of_the_day(seller: Actor) -> None:
    today = timezone.now().astimezone(seller.time_zone).date()
    ExchangeRate.objects.create(currency="CHF", on=today - timedelta(days=3), rate=Decimal("1.1"))
    for amount, currency in (("100", "EUR"), ("10", "CHF"), ("1000", "JPY")):
        factories.deal(seller, stage=stage("Proposal").pk, amount=amount, currency=currency)
    found = column(seller, "Proposal")
    assert found.total is not None
    assert found.weighted is not None
    assert found.weighted.total is not None
    assert (found.total.amount, found.total.rates_on, found.total.missing) == (
        Decimal("111.00"),
        today - timedelta(days=3),
        ("JPY",),
    )
    assert found.total.missing_count == 1
    assert found.weighted.total.amount == Decimal("55.50")


def test_closed_columns_tell_of_this_month(seller: Actor) -> None:
    before = timezone.now() - timedelta(days=70)
    gate.create(seller, DEAL, {"name": "Long won", "stage": stage("Won").pk, "amount": "5"}, source="import", at=before)
    factories.deal(seller, stage=stage("Won").pk, amount="7")
    found = column(seller, "Won")
    assert found.closed is not None
    assert (found.count, found.closed.rows, found.closed.sums) == (2, 1, {"EUR": Decimal(7)})


def test_a_role_that_hides_amounts_sees_none_on_the_board(seller: Actor) -> None:
    factories.deal(seller, amount="100", company=factories.company(seller).pk)
    rights = {"deal": {"amount": "hidden", "company": "hidden"}}
    narrow = replace(seller, permissions=replace(seller.permissions, fields=rights))
    found = column(narrow, "New")
    assert (found.count, found.sums, found.weighted, found.total) == (1, {}, None, None)
    assert found.closed is not None
    assert (found.closed.rows, found.closed.sums) == (0, {})
    card = found.cards[0]
    assert (card.amount, card.company_name) == (None, None)
    assert set(quick_filters(narrow)) == {"mine", "team", "closing", "stale", "idle"}


def test_cards_show_the_fields_of_the_view(seller: Actor) -> None:
    ada = factories.contact(seller, name="Ada Byron")
    factories.deal(
        seller,
        amount="100",
        source="website",
        company=factories.company(seller, name="Acme").pk,
        contacts=[{"id": ada.pk}],
    )
    asked = Asked(card_fields=("source", "contacts", "company", "pipeline", "expected_close"))
    card = column(seller, "New", asked).cards[0]
    assert (card.company_name, card.amount, card.owner_name) == ("Acme", None, None)
    assert card.more == {"source": "website", "contacts": ["Ada Byron"], "pipeline": "Sales", "expected_close": None}
    assert board_card(seller, card.id, asked).more == card.more


def test_the_next_cards_are_asked_for_as_the_first(seller: Actor) -> None:
    rows = [{"name": f"Deal {number}", "amount": number} for number in range(60)]
    gate.create_many(seller, DEAL, rows)
    asked = Asked({"field": "amount", "op": "lt", "value": 40}, quick=("mine",))
    found = column(seller, "New", asked)
    rest, _more = board_column(seller, found.stage.id, found.next_cursor, asked)
    assert len({card.id for card in (*found.cards, *rest)}) == found.count == 40


amounts = st.lists(
    st.tuples(
        st.sampled_from(["New", "Qualified", "Won"]),
        st.sampled_from(["EUR", "JPY", "KWD"]),
        st.integers(min_value=0, max_value=10**9),
    ),
    max_size=12,
)


@settings(max_examples=examples(8))
@given(drawn=amounts)
def test_the_boards_sums_are_those_of_the_list(seller: Actor, drawn: list[tuple[str, str, int]]) -> None:
    from django.db import transaction

    decimals = {"EUR": 2, "JPY": 0, "KWD": 3}
    with transaction.atomic():
        factories.currency_used(seller, *decimals)
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
            gate.create_many(seller, DEAL, rows)
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
    stale = gate.create(seller, DEAL, {"name": "Old"}, source="import", at=long_ago).record
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
    numbers = {one.name: (one.worth.rows, one.worth.sums["EUR"]) for one in my_numbers(seller)}
    assert numbers == {"open": (1, Decimal(100)), "weighted": (1, Decimal(10)), "won": (1, Decimal(70))}


def test_a_moved_deal_comes_to_the_top_of_its_column(seller: Actor) -> None:
    deals = [factories.deal(seller) for _number in range(3)]
    for deal in deals:
        deal_move(seller, deal_id=deal.pk, stage_id=stage("Qualified").pk)
    deal_move(seller, deal_id=deals[0].pk, stage_id=stage("New").pk)
    deal_move(seller, deal_id=deals[0].pk, stage_id=stage("Qualified").pk)
    assert column(seller, "Qualified").cards[0].id == deals[0].pk
