"""One sum: home, the board, a list's footer, its groups, what a member has, and the API say the same of any amounts.

The judgement here is made in plain Python, over the deals as they were entered. An example asks every place, so that a
dozen of them take a few seconds.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from crm.records.jobs.ownership_transfer import portions
from crm.records.lists.footers import footers
from crm.records.lists.grouping import groups
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.board.columns import board
from crm.sales.models import Stage
from crm.sales.my_day import my_numbers
from crm.workspace.models import ExchangeRate
from tenants.actors import Actor
from tests import factories
from tests.depth import examples

DEAL = registry.get("deal")
PLACES = {"EUR": 2, "USD": 2, "JPY": 0, "KWD": 3}
WEIGHTS = {"New": Decimal(10), "Qualified": Decimal(25), "Won": Decimal(100)}


@dataclass(frozen=True)
class Entered:
    """A deal as somebody typed it: without an amount for None, without a currency for a blank."""

    stage: str
    currency: str
    units: int | None

    @property
    def code(self) -> str:
        return self.currency or "EUR"

    @property
    def amount(self) -> Decimal | None:
        return None if self.units is None else Decimal(self.units).scaleb(-PLACES[self.code])


entered = st.builds(
    Entered,
    st.sampled_from(list(WEIGHTS)),
    st.sampled_from(["", *PLACES]),
    st.one_of(st.none(), st.just(0), st.integers(1, 10**9)),
)
tables = st.dictionaries(
    st.sampled_from(["USD", "JPY", "KWD"]), st.decimals("0.0001", "100", places=6, allow_nan=False).filter(bool)
)


@dataclass
class Expected:
    rows: int
    sums: dict[str, Decimal]
    amount: Decimal | None
    missing: set[str]
    missing_count: int


def expected(deals: Iterable[Entered], rates: dict[str, Decimal], *, weighted: bool = False) -> Expected:
    """What the deals come to, with what has no rate left out and counted."""
    deals = list(deals)
    known = {"EUR": Decimal(1), **rates}
    by_code: dict[str, Decimal] = defaultdict(Decimal)
    for one in deals:
        if one.amount is not None:
            by_code[one.code] += one.amount * (WEIGHTS[one.stage] / 100 if weighted else 1)
    missing = {code for code, amount in by_code.items() if amount and code not in known}
    total = sum((amount * known[code] for code, amount in by_code.items() if code in known), Decimal())
    rounded = total.quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
    left_out = sum(one.amount is not None and one.code in missing for one in deals)
    return Expected(len(deals), dict(by_code), rounded if by_code else None, missing, left_out)


def check(worth: MoneySum, wanted: Expected, where: str) -> None:
    assert worth.rows == wanted.rows, where
    assert worth.exact == wanted.sums, where
    if wanted.amount is None:
        assert worth.total is None, where
        return
    assert worth.total is not None, where
    assert (worth.total.amount, set(worth.total.missing), worth.total.missing_count) == (
        wanted.amount,
        wanted.missing,
        wanted.missing_count,
    ), where
    for code in sorted(wanted.missing)[:2]:
        assert code in worth.text or {"USD": "$", "JPY": "¥"}.get(code, code) in worth.text, where


@example(deals=[Entered("New", "", 100_000), Entered("New", "", None), Entered("New", "USD", 50_000)], rates={})
@example(deals=[Entered("New", "USD", None), Entered("New", "USD", 5)], rates={"USD": Decimal(2)})
@settings(max_examples=examples(8), suppress_health_check=list(HealthCheck))
@given(deals=st.lists(entered, max_size=9), rates=tables)
def test_every_sum_is_the_same(
    owner: Actor, seller: Actor, api: Any, deals: list[Entered], rates: dict[str, Decimal]
) -> None:
    with transaction.atomic():
        ExchangeRate.objects.bulk_create(
            ExchangeRate(currency=code, on=date(2020, 1, 1), rate=rate) for code, rate in rates.items()
        )
        stages = {one.name: one for one in Stage.objects.filter(pipeline__is_default=True, deleted_at=None)}
        rows = [
            {"name": "Deal", "stage": stages[one.stage].pk, "amount": one.amount, "currency": one.currency}
            for one in deals
        ]
        factories.currency_used(seller, *PLACES)
        if rows:
            gate.create_many(seller, DEAL, rows)
        still_open = [one for one in deals if one.stage != "Won"]
        won = [one for one in deals if one.stage == "Won"]

        home = {figure.name: figure.worth for figure in my_numbers(seller)}
        assert bool(home) is bool(deals)
        if home:
            check(home["open"], expected(still_open, rates), "home, open")
            check(home["weighted"], expected(still_open, rates, weighted=True), "home, weighted")
            check(home["won"], expected(won, rates), "home, won")

        here = {column.stage.name: column for column in board(seller).columns}
        listed = {group.key: group for group in groups(seller, DEAL, Query(), "stage", DEAL.field("amount")).groups}
        program = api(seller).get(f"/api/v1/pipelines/{stages['New'].pipeline_id}/board").json()["stages"]
        told = {one["stage"]: one for one in program}
        for name, stage in stages.items():
            mine = [one for one in deals if one.stage == name]
            wanted, weighed = expected(mine, rates), expected(mine, rates, weighted=name in WEIGHTS)
            column = here[name]
            check(column.worth, wanted, f"board, {name}")
            assert column.weighted is not None
            check(column.weighted, weighed, f"board weighted, {name}")
            assert column.closed is not None
            check(column.closed, expected(mine if name == "Won" else (), rates), f"board this month, {name}")
            if mine:
                check(listed[str(stage.pk)].worth, wanted, f"group, {name}")
            else:
                assert str(stage.pk) not in listed
            answer = told[str(stage.pk)]
            assert {code: Decimal(text) for code, text in answer["sums"].items()} == wanted.sums
            for key, sums in (("total", wanted), ("weighted_total", weighed)):
                total = answer[key]
                assert (total and Decimal(total["amount"])) == sums.amount, f"api {key}, {name}"
                if total:
                    assert (set(total["missing"]), total["missing_count"]) == (sums.missing, sums.missing_count)

        count, feet = footers(seller, DEAL, Query(), {"amount": "sum"})
        assert feet["amount"].worth is not None
        assert count == len(deals)
        check(feet["amount"].worth, expected(deals, rates), "footer")
        assert reading.sums(seller, DEAL, Query(), "amount") == expected(deals, rates).sums
        assert seller.member_id is not None
        has = {one.record_type.slug: one.worth for one in portions(owner, seller.member_id)}
        if still_open:
            check(has["deal"], expected(still_open, rates), "what a member has")
        transaction.set_rollback(True)


@pytest.mark.parametrize("path", ["/", "/deals/board/"])
def test_what_has_no_rate_is_counted_and_shown_in_its_own_currency(
    seller: Actor, browser_client: Any, path: str
) -> None:
    for amount, currency in (("1000", "EUR"), (None, ""), ("500", "USD"), ("250", "USD")):
        factories.deal(seller, amount=amount, currency=currency)
    page = browser_client(seller).get(path).content.decode()
    assert "€1,000 + $750" in page
    assert "2 amounts have no rate" in page


def test_amounts_of_which_none_has_a_rate_are_not_zero(seller: Actor, browser_client: Any) -> None:
    factories.deal(seller, amount="500", currency="USD")
    for path in ("/", "/deals/board/", "/deals/totals/", "/deals/?group=stage"):
        page = browser_client(seller).get(path).content.decode()
        assert "$500" in page, path
        assert "€0" not in page, path
