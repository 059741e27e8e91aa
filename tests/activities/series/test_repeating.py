"""What repeats: the laws of series, whatever the rule, the zone and the clocks do."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from hypothesis import given, settings
from hypothesis import strategies as st

from crm.activities.series import recurrence, repeat_control
from crm.activities.series.recurrence import BadRule, after, between, instant, normalised, times, words
from tests.depth import examples

ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo", "Asia/Tokyo"]
RULES = [
    "FREQ=DAILY",
    "FREQ=DAILY;INTERVAL=3",
    "FREQ=WEEKLY;BYDAY=MO,WE,FR",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=TU",
    "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1",
    "FREQ=MONTHLY;BYDAY=-1FR",
    "FREQ=MONTHLY;BYMONTHDAY=31",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
]
rules = st.sampled_from(RULES)
starts = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda one: one.replace(second=0, microsecond=0))
zones = st.sampled_from(ZONES).map(ZoneInfo)


@given(rules, starts, zones)
def test_the_clock_shows_the_same_time_at_each_one(rule: str, start: datetime, zone: ZoneInfo) -> None:
    for _number, local in islice(times(normalised(rule), start), 40):
        assert local.time() == start.time()
        shown = instant(local, zone).astimezone(zone).replace(tzinfo=None)
        exists = shown == local
        assert exists or timedelta(0) < shown - local <= timedelta(hours=1)


@given(rules, starts)
def test_they_follow_each_other_and_none_is_there_twice(rule: str, start: datetime) -> None:
    found = list(islice(times(normalised(rule), start), 60))
    assert found[0] == (1, start)
    assert [number for number, _local in found] == list(range(1, len(found) + 1))
    assert all(one < other for (_n, one), (_m, other) in pairwise(found))


@given(rules, starts, st.integers(1, 50))
def test_a_count_is_the_number_of_all(rule: str, start: datetime, count: int) -> None:
    found = list(times(normalised(f"{rule};COUNT={count}"), start))
    assert len(found) == count or found[-1][1] > start + timedelta(days=365 * 40)
    assert found == list(islice(times(normalised(rule), start), len(found)))
    assert after(normalised(f"{rule};COUNT={count}"), start, count, datetime.min) is None


@given(rules, starts, st.integers(0, 900))
def test_none_is_after_the_last_day(rule: str, start: datetime, days: int) -> None:
    last = start.date() + timedelta(days=days)
    found = list(times(normalised(f"{rule};UNTIL={last:%Y%m%d}"), start))
    assert all(local.date() <= last for _number, local in found[1:])


@settings(max_examples=examples(40))
@given(rules, starts, st.integers(1, 20), starts)
def test_the_one_after_is_the_first_that_is_later(rule: str, start: datetime, number: int, moment: datetime) -> None:
    kept = normalised(rule)
    found = after(kept, start, number, moment)
    later = [one for one in islice(times(kept, start), 6000) if one[0] > number and one[1] > moment]
    assert found == (later[0] if later else found)
    assert between(kept, start, number, start + timedelta(days=60), 100) == [
        one for one in islice(times(kept, start), 100) if one[0] > number and one[1] <= start + timedelta(days=60)
    ]


def test_a_rule_that_names_no_day_comes_to_an_end() -> None:
    assert list(times("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", datetime(2026, 1, 1, 9))) == [(1, datetime(2026, 1, 1, 9))]


@given(st.text(max_size=60) | st.from_regex(r"FREQ=[A-Z]{1,8}(;[A-Z]{1,10}=[-+,0-9A-Z]{0,8}){0,4}", fullmatch=True))
def test_what_is_no_rule_is_refused_and_the_rest_is_kept_as_it_is(text: str) -> None:
    try:
        kept = normalised(text)
    except BadRule:
        return
    assert normalised(kept) == kept
    assert len(list(islice(times(kept, datetime(2026, 3, 1, 9)), 3))) >= 1
    assert words(kept)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "WEEKLY",
        "FREQ=HOURLY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=1000",
        "FREQ=DAILY;COUNT=2;UNTIL=20270101",
        "FREQ=DAILY;UNTIL=20269999",
        "FREQ=DAILY;BYHOUR=1",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;FREQ=DAILY",
    ],
)
def test_a_bad_rule_is_refused(text: str) -> None:
    with pytest.raises(BadRule):
        normalised(text)


@pytest.mark.parametrize(
    ("zone", "local", "shown"),
    [
        ("Europe/Berlin", datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 3, 30)),
        ("Australia/Lord_Howe", datetime(2026, 10, 4, 2, 10), datetime(2026, 10, 4, 2, 40)),
        ("America/New_York", datetime(2026, 3, 8, 2, 0), datetime(2026, 3, 8, 3, 0)),
    ],
)
def test_an_hour_that_does_not_exist_is_as_much_later(zone: str, local: datetime, shown: datetime) -> None:
    assert instant(local, ZoneInfo(zone)).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == shown


def test_of_an_hour_that_is_there_twice_the_first_is_meant() -> None:
    assert instant(datetime(2026, 10, 25, 2, 30), ZoneInfo("Europe/Berlin")) == datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )


@given(st.dates(date(2020, 1, 1), date(2035, 1, 1)), zones)
def test_a_day_ends_a_second_before_the_next_begins(day: date, zone: ZoneInfo) -> None:
    ends = recurrence.day_ends(day, zone)
    assert ends + timedelta(seconds=1) == recurrence.day_begins(day + timedelta(days=1), zone)
    assert ends.astimezone(zone).date() == day


# -- the control -------------------------------------------------------------------------------------------------------

WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
ENDS = st.sampled_from([{}, {"ends": "until", "until": "2031-02-03"}, {"ends": "count", "count": "7"}])
CHOSEN = st.fixed_dictionaries(
    {
        "how": st.sampled_from(["DAILY", "WORKDAYS", "WEEKLY", "MONTHLY", "MONTHLY_NTH", "YEARLY"]),
        "interval": st.sampled_from(["1", "2", "12"]),
        "days": st.sets(st.sampled_from(WEEK)),
        "day": st.sampled_from(["", "1", "28", "29", "31", "-1"]),
        "place": st.sampled_from(["1", "4", "-1"]),
        "weekday": st.sampled_from(WEEK),
    }
)


def form(values: Mapping[str, Any]) -> QueryDict:
    data = QueryDict(mutable=True)
    for name, value in values.items():
        data.setlist(f"repeat.{name}", sorted(value) if isinstance(value, set) else [value])
    return data


@given(CHOSEN, ENDS)
def test_what_is_chosen_is_a_rule_and_is_shown_as_it_was_chosen(chosen: dict[str, Any], ends: dict[str, str]) -> None:
    rule = repeat_control.read(form({**chosen, **ends}))
    assert normalised(rule) == rule
    again = repeat_control.taken_apart(rule)
    assert again.rule == rule
    assert not again.kept
    assert "FREQ" not in words(rule)
    start = datetime(2027, 3, 1, 9)
    assert next(iter(recurrence.times(rule, start))) == (1, start)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1", "every month on the last working day"),
        ("FREQ=MONTHLY;BYMONTHDAY=1,15", "every month on days 1,15"),
        ("FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=3", "every year on May 3"),
        ("FREQ=YEARLY;BYDAY=2MO;BYMONTH=5", "FREQ=YEARLY;BYDAY=2MO;BYMONTH=5"),
        ("FREQ=WEEKLY;BYDAY=MO;WKST=SU", "FREQ=WEEKLY;BYDAY=MO;WKST=SU"),
    ],
)
def test_a_rule_that_the_control_cannot_say_is_kept_and_said_in_words(rule: str, said: str) -> None:
    shown = repeat_control.shown(rule, None)
    assert (shown.how, shown.rule) == (repeat_control.KEEP, rule)
    assert shown.hows[-1] == (repeat_control.KEEP, said)
    assert repeat_control.read(form({"how": "keep", "kept": rule})) == rule
    assert repeat_control.read(form({"how": "", "kept": rule})) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        {"how": "DAILY", "interval": "0"},
        {"how": "DAILY", "interval": ""},
        {"how": "HOURLY"},
        {"how": "MONTHLY", "day": "32"},
        {"how": "MONTHLY_NTH", "place": "1", "weekday": "XX"},
        {"how": "DAILY", "ends": "until", "until": ""},
        {"how": "DAILY", "ends": "count", "count": "often"},
    ],
)
def test_what_is_no_rule_comes_back_as_it_was_typed(wrong: dict[str, str]) -> None:
    data = form(wrong)
    with pytest.raises(BadRule):
        normalised(repeat_control.read(data) or "nothing")
    shown = repeat_control.shown("", data)
    assert {name: getattr(shown, name) for name in wrong} == wrong


@pytest.mark.parametrize(
    ("rule", "first", "days"),
    [
        ("FREQ=MONTHLY", date(2027, 1, 31), [date(2027, 1, 31), date(2027, 2, 28), date(2027, 3, 31)]),
        ("FREQ=MONTHLY", date(2027, 1, 5), [date(2027, 1, 5), date(2027, 2, 5), date(2027, 3, 5)]),
        ("FREQ=YEARLY", date(2028, 2, 29), [date(2028, 2, 29), date(2029, 2, 28), date(2030, 2, 28)]),
    ],
)
def test_a_day_that_not_every_month_has_is_its_last_one(rule: str, first: date, days: list[date]) -> None:
    found = recurrence.times(recurrence.completed(rule, first), datetime.combine(first, time(9)))
    assert [moment.date() for _number, moment in islice(found, 3)] == days


@pytest.mark.parametrize(
    ("rule", "day", "to", "then"),
    [
        ("FREQ=WEEKLY;BYDAY=MO;COUNT=3", date(2027, 3, 1), date(2027, 3, 2), "FREQ=WEEKLY;BYDAY=TU;COUNT=3"),
        ("FREQ=WEEKLY;BYDAY=MO,WE", date(2027, 3, 1), date(2027, 3, 2), None),
        ("FREQ=WEEKLY;UNTIL=20270329", date(2027, 3, 1), date(2027, 3, 2), "FREQ=WEEKLY;UNTIL=20270330"),
        ("FREQ=MONTHLY", date(2027, 3, 1), date(2027, 3, 31), "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"),
        ("FREQ=MONTHLY;BYDAY=1MO", date(2027, 3, 1), date(2027, 3, 9), "FREQ=MONTHLY;BYDAY=2TU"),
        ("FREQ=MONTHLY;BYDAY=-1WE", date(2027, 3, 31), date(2027, 3, 26), "FREQ=MONTHLY;BYDAY=-1FR"),
        ("FREQ=MONTHLY;BYMONTHDAY=3;COUNT=4", date(2027, 3, 3), date(2027, 3, 5), "FREQ=MONTHLY;BYMONTHDAY=5;COUNT=4"),
        ("FREQ=DAILY", date(2027, 3, 3), date(2027, 3, 5), "FREQ=DAILY"),
    ],
)
def test_a_series_that_is_moved_to_another_day_names_that_day(rule: str, day: date, to: date, then: str | None) -> None:
    assert recurrence.moved(rule, day, to) == then
