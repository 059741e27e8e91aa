"""Numbers, money, days and times as each reader writes them."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from crm.workspace.text.formats import (
    DATE_FORMATS,
    NUMBER_FORMATS,
    Formats,
    date_text,
    day_text,
    moment_text,
    money_text,
    number_read,
    number_text,
    override,
    rate_text,
    typed_money,
    typed_text,
    week_start,
)

numbers = st.sampled_from(["", *NUMBER_FORMATS])
decimals = st.decimals(min_value=-(10**14), max_value=10**14, places=4, allow_nan=False, allow_infinity=False)


@given(numbers, decimals, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_what_is_written_is_read_back_the_same(chosen, value, currency):
    with override(Formats(numbers=chosen)):
        for text in (typed_text(value), typed_money(value, currency), rate_text(value)):
            assert Decimal(number_read(text)) == value


@given(numbers, st.integers(min_value=0, max_value=10**12))
def test_a_number_behind_a_zero_is_never_read_as_thousands(chosen, whole):
    with override(Formats(numbers=chosen)):
        for sign in ",. '’":
            typed = f"0{sign}{whole:03}"
            assert (read := number_read(typed)) == typed or Decimal(read) < 1


@pytest.mark.parametrize(
    ("chosen", "typed", "read"),
    [
        ("point_comma", "1.234,50", "1234.50"),
        ("point_comma", "1.234", "1234"),
        ("point_comma", "1234,5", "1234.5"),
        ("point_comma", "12.34", "12.34"),
        ("point_comma", "1234.5", "1234.5"),
        ("point_comma", ",5", ".5"),
        ("space_comma", "1 234,50", "1234.50"),
        ("space_comma", "1\u202f234,50", "1234.50"),
        ("apostrophe_point", "1'234.50", "1234.50"),
        ("apostrophe_point", "1’234.50", "1234.50"),
        ("comma_point", "1,234.50", "1234.50"),
        ("comma_point", "1,234", "1234"),
        ("comma_point", "-1,234.50", "-1234.50"),
        ("comma_point", "−7", "-7"),
        ("indian", "12,34,567.5", "1234567.5"),
        ("", "1,234.5", "1234.5"),
        ("", "1234.5", "1234.5"),
    ],
)
def test_numbers_as_people_type_them(chosen, typed, read):
    with override(Formats(numbers=chosen)):
        assert number_read(typed) == read


@pytest.mark.parametrize("chosen", NUMBER_FORMATS)
@pytest.mark.parametrize("typed", ["1,2,3", "1.2.3", "abc", "", "1..2", "1,,2", "12e3", "--5", "1.23,4.5", "€"])
def test_what_is_no_number_stays_as_it_is_for_the_gate_to_refuse(chosen, typed):
    with override(Formats(numbers=chosen)):
        assert number_read(typed) == typed


@pytest.mark.parametrize("chosen", ["", "comma_point", "indian", "apostrophe_point", "space_point"])
@pytest.mark.parametrize(
    "typed", ["0,925", "0,005", "00,925", "0 925", "0'005", "1,23,4", "12 34", "1 2 3", "1 234'567"]
)
def test_a_group_of_thousands_is_of_three_digits_and_follows_no_zero(chosen, typed):
    with override(Formats(numbers=chosen)):
        assert number_read(typed) == typed


@pytest.mark.parametrize("chosen", ["point_comma", "space_comma"])
def test_a_point_after_a_zero_is_no_group_either(chosen):
    with override(Formats(numbers=chosen)):
        assert number_read("0.925") == "0.925"
        assert number_read("0,925") == "0.925"
        assert number_read("0.925.000") == "0.925.000"


@pytest.mark.parametrize(
    ("chosen", "typed", "read"),
    [
        ("comma_point", "１，２３４．５", "1234.5"),
        ("comma_point", "\u200e1,234.5\u200f", "1234.5"),
        ("comma_point", "1\u2011234", "1\u2011234"),
        ("comma_point", "\u20117", "-7"),
        ("point_comma", "1 234 567,5", "1234567.5"),
        ("indian", "123,456", "123456"),
        ("indian", "1,00,000", "100000"),
        ("indian", "123,45,678", "123,45,678"),
        ("comma_point", "12,34,567", "12,34,567"),
    ],
)
def test_numbers_as_people_paste_them(chosen, typed, read):
    with override(Formats(numbers=chosen)):
        assert number_read(typed) == read


def test_a_comma_that_may_mean_either_is_not_guessed():
    with override(Formats(numbers="comma_point")):
        assert number_read("1,5") == "1,5"
        assert number_read("1234,56") == "1234,56"


@pytest.mark.parametrize(
    ("chosen", "euro", "yen", "dinar", "large"),
    [
        ("comma_point", "€1,234.50", "¥1,235", "KWD\u00a01.235", "€1.2M"),
        ("point_comma", "€1.234,50", "¥1.235", "KWD\u00a01,235", "€1,2M"),
        ("space_comma", "€1\u00a0234,50", "¥1\u00a0235", "KWD\u00a01,235", "€1,2M"),
        ("apostrophe_point", "€1’234.50", "¥1’235", "KWD\u00a01.235", "€1.2M"),
    ],
)
def test_money_has_the_decimals_of_its_currency_and_the_readers_separators(chosen, euro, yen, dinar, large):
    with override(Formats(numbers=chosen)):
        assert money_text(Decimal("1234.5"), "EUR") == euro
        assert money_text(Decimal("1234.5"), "JPY") == yen
        assert money_text(Decimal("1.2345"), "KWD") == dinar
        assert money_text(Decimal(1234567), "EUR", compact=True) == large


def test_short_money_has_no_cents_where_nobody_counts_them():
    with override(Formats(numbers="comma_point")):
        assert [money_text(Decimal(text), "EUR", compact=True) for text in ("9751.70", "999.5", "9751.2")] == [
            "€9,752",
            "€999.50",
            "€9,751",
        ]


def test_indian_groups_and_no_decimals_where_there_are_none():
    with override(Formats(numbers="indian")):
        assert money_text(1234567, "INR") == "₹12,34,567"
        assert number_text(1234567) == "12,34,567"


def test_the_language_decides_where_nothing_is_chosen():
    with translation.override("de"):
        assert money_text(Decimal("1234.5"), "EUR") == "1.234,50\u00a0€"
        assert number_read("1.234,5") == "1234.5"
        assert typed_text(Decimal("0.50")) == "0,5"
        with override(Formats(numbers="comma_point")):
            assert money_text(Decimal("1234.5"), "EUR") == "1,234.50\u00a0€"
    assert money_text(Decimal("1234.5"), "EUR") == "€1,234.50"


@pytest.mark.parametrize(
    ("chosen", "full"),
    [
        ("dmy_text", "9 Mar 2024"),
        ("mdy_text", "Mar 9, 2024"),
        ("dmy_dot", "09.03.2024"),
        ("dmy_slash", "09/03/2024"),
        ("mdy_slash", "03/09/2024"),
        ("ymd", "2024-03-09"),
    ],
)
def test_days_and_times(chosen, full):
    day = date(2024, 3, 9)
    with override(Formats(dates=chosen, times="24")):
        assert date_text(day) == day_text(day) == full
        assert moment_text(datetime(2024, 3, 9, 17, 5, tzinfo=UTC)) == f"{full}, 17:05"
        this_year = day_text(date.today().replace(month=3, day=9))
        assert str(date.today().year) not in this_year
    with override(Formats(dates=chosen, times="12")):
        assert moment_text(datetime(2024, 3, 9, 17, 5, tzinfo=UTC)) == f"{full}, 5:05 PM"


def test_every_date_format_has_its_test():
    assert len(DATE_FORMATS) == 6


def test_the_week_begins_where_it_was_said_to():
    assert week_start() == 6 or week_start() == 0
    with override(Formats(week_start=5)):
        assert week_start() == 5
    with translation.override("en-us"):
        assert week_start() == 6
