"""Money of several currencies as one sum: what holds whatever the amounts, rates and days are."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.workspace.currencies.convert import Rate, converted, decimals, rates_at, rounded
from crm.workspace.models import ExchangeRate
from tests.depth import examples

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("in_tenant")]

DAY = date(2026, 3, 31)
CODES = ("EUR", "USD", "JPY", "KWD", "BHD", "CHF")
quiet = settings(max_examples=examples(40))
amounts = st.decimals(min_value=-(10**12), max_value=10**12, places=3, allow_nan=False, allow_infinity=False)
rates = st.decimals(min_value="0.000001", max_value="1000000", places=12, allow_nan=False, allow_infinity=False)
tables = st.dictionaries(st.sampled_from([code for code in CODES if code != "EUR"]), rates).map(
    lambda table: {code: Rate(rate, DAY) for code, rate in table.items() if rate > 0}
)
entries = st.lists(st.tuples(st.sampled_from(CODES), amounts), max_size=12)


def unit(currency: str) -> Decimal:
    return Decimal(1).scaleb(-decimals(currency))


def summed(pairs: list[tuple[str, Decimal]]) -> dict[str, Decimal]:
    sums: dict[str, Decimal] = {}
    for code, amount in pairs:
        sums[code] = sums.get(code, Decimal(0)) + amount
    return sums


@quiet
@given(entries, tables, st.sampled_from(CODES))
def test_a_converted_sum_is_the_sum_of_what_is_converted_up_to_half_a_unit_each(pairs, table, to):
    whole = converted(summed(pairs), to=to, on=DAY, rates=table)
    parts = [converted({code: amount}, to=to, on=DAY, rates=table) for code, amount in pairs]
    if any(part.missing for part in parts):
        return
    apart = abs(whole.amount - sum(part.amount for part in parts))
    assert apart <= (len(parts) + 1) * unit(to) / 2


@quiet
@given(entries, tables, st.sampled_from(CODES), st.randoms())
def test_the_order_does_not_matter(pairs, table, to, random):
    shuffled = list(pairs)
    random.shuffle(shuffled)
    assert converted(summed(pairs), to=to, on=DAY, rates=table) == converted(
        summed(shuffled), to=to, on=DAY, rates=table
    )


@quiet
@given(amounts, rates.filter(lambda rate: Decimal("0.01") <= rate <= 100))
def test_there_and_back_is_the_same_within_the_rounding_of_both(amount, rate):
    table = {"KWD": Rate(rate, DAY)}
    start = rounded(amount, "KWD")
    there = converted({"KWD": start}, to="EUR", on=DAY, rates=table)
    back = converted({"EUR": there.amount}, to="KWD", on=DAY, rates=table)
    assert abs(back.amount - start) <= unit("EUR") / 2 / rate + unit("KWD") / 2


@quiet
@given(entries, tables, st.sampled_from(CODES))
def test_what_has_no_rate_is_named_and_adds_nothing(pairs, table, to):
    sums = summed(pairs)
    found = converted(sums, to=to, on=DAY, rates=table)
    known = {"EUR", *table}
    lacking = {code for code, amount in sums.items() if amount and code != to and not {code, to} <= known}
    assert set(found.missing) == lacking
    rest = {code: amount for code, amount in sums.items() if code not in lacking}
    assert found.amount == converted(rest, to=to, on=DAY, rates=table).amount


@quiet
@given(amounts, st.sampled_from(CODES))
def test_rounding_is_half_up_to_the_decimals_of_the_currency(amount, currency):
    found = rounded(amount, currency)
    assert found == found.quantize(unit(currency))
    assert abs(found - amount) <= unit(currency) / 2
    assert rounded(-amount, currency) == -found


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        ("0.5", "JPY", "1"),
        ("1.5", "JPY", "2"),
        ("2.5", "JPY", "3"),
        ("-2.5", "JPY", "-3"),
        ("0.0005", "KWD", "0.001"),
        ("1.0015", "BHD", "1.002"),
        ("1.005", "EUR", "1.01"),
        ("1.004999", "EUR", "1.00"),
    ],
)
def test_examples_of_rounding(amount, currency, expected):
    assert rounded(Decimal(amount), currency) == Decimal(expected)


def rate(currency: str, on: date, value: str) -> None:
    ExchangeRate.objects.create(currency=currency, on=on, rate=Decimal(value))


def test_the_latest_rate_on_or_before_the_day_holds():
    rate("USD", DAY - timedelta(days=30), "0.9")
    rate("USD", DAY, "0.8")
    rate("USD", DAY + timedelta(days=1), "0.7")
    assert rates_at(["USD"], DAY - timedelta(days=31)) == {}
    assert rates_at(["USD"], DAY - timedelta(days=1))["USD"].rate == Decimal("0.9")
    assert rates_at(["USD"], DAY)["USD"].rate == Decimal("0.8")
    assert converted({"USD": Decimal(10), "": Decimal(1)}, to="EUR", on=DAY).amount == Decimal("9.00")


def test_the_oldest_rate_used_is_told_and_the_missing_are_left_out():
    rate("USD", DAY - timedelta(days=3), "0.5")
    rate("JPY", DAY - timedelta(days=9), "0.01")
    rate("CHF", DAY - timedelta(days=99), "1")
    sums = {"USD": Decimal(10), "JPY": Decimal(1000), "EUR": Decimal(1), "KWD": Decimal(7), "CHF": Decimal(0)}
    found = converted(sums, to="EUR", on=DAY)
    assert found.amount == Decimal("16.00")
    assert found.rates_on == DAY - timedelta(days=9)
    assert found.missing == ("KWD",)


def test_one_query_and_none_without_need(django_assert_num_queries):
    rate("USD", DAY, "0.5")
    with django_assert_num_queries(1):
        converted({"USD": Decimal(1), "JPY": Decimal(1), "EUR": Decimal(1)}, to="EUR", on=DAY)
    with django_assert_num_queries(0):
        found = converted({"EUR": Decimal("1.005"), "USD": Decimal(0)}, to="EUR", on=DAY)
    assert found.is_exact
    assert found.amount == Decimal("1.01")


def test_to_another_currency_than_the_workspaces():
    rate("USD", DAY, "0.5")
    rate("JPY", DAY, "0.01")
    assert converted({"USD": Decimal(10)}, to="JPY", on=DAY).amount == Decimal(500)
    assert converted({"EUR": Decimal(10)}, to="USD", on=DAY).amount == Decimal("20.00")
    assert converted({"EUR": Decimal(10)}, to="CHF", on=DAY) == converted({"EUR": Decimal(10)}, to="CHF", on=DAY)
    assert converted({"EUR": Decimal(10)}, to="CHF", on=DAY).missing == ("EUR",)
