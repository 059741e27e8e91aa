"""Where things stand on a calendar: whole periods, the clock on the wall, nothing on top of another."""

from datetime import UTC, date, datetime, timedelta
from itertools import combinations
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from crm.activities.calendar.layout import SLOTS, SPANS, TRACKS, Period, arranged, slots_of

BERLIN = ZoneInfo("Europe/Berlin")
days = st.dates(date(1990, 1, 1), date(2090, 12, 31))
periods = st.builds(Period.around, st.sampled_from(SPANS), days, st.integers(0, 6))
spans = st.tuples(st.integers(0, SLOTS - 2), st.integers(2, 20))


@given(periods, st.integers(0, 6))
def test_a_period_holds_its_day_and_begins_where_weeks_begin(period: Period, weekday: int):
    assert period.first <= period.anchor < period.end
    if period.span != "day":
        again = Period.around(period.span, period.anchor, weekday)
        assert again.first.weekday() == weekday
        assert len(again.days) % 7 == 0


@given(periods)
def test_forward_and_back_is_the_period_again(period: Period):
    there = Period.around(period.span, period.turned(1), period.first.weekday())
    back = Period.around(period.span, there.turned(-1), period.first.weekday())
    assert (back.first, back.end) == (period.first, period.end)
    assert there.first > period.first


def test_the_31st_turns_to_the_last_day_of_a_shorter_month():
    assert Period.around("month", date(2026, 1, 31)).turned(1) == date(2026, 2, 28)


def test_a_day_with_an_hour_left_out_is_placed_by_the_clock_on_the_wall():
    day = date(2026, 3, 29)
    start = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert slots_of(day, start, start + timedelta(hours=1), BERLIN) == (14, 4)


def test_what_begins_the_day_before_and_ends_the_day_after_fills_the_day():
    start = datetime(2026, 11, 20, 22, tzinfo=BERLIN)
    assert slots_of(date(2026, 11, 21), start, start + timedelta(days=2), BERLIN) == (0, SLOTS)


def test_the_shortest_can_be_seen_even_at_the_end_of_a_day():
    start = datetime(2026, 11, 20, 23, 59, tzinfo=BERLIN)
    assert slots_of(date(2026, 11, 20), start, start, BERLIN) == (SLOTS - 2, 2)


@given(st.lists(spans, max_size=TRACKS))
def test_nothing_stands_on_top_of_another(wanted: list[tuple[int, int]]):
    stands = arranged(wanted)
    assert [(one.first_slot, one.slots) for one in stands] == wanted
    assert all(one.first_track + one.tracks <= TRACKS for one in stands)
    for one, other in combinations(stands, 2):
        apart_in_time = (
            one.first_slot + one.slots <= other.first_slot or other.first_slot + other.slots <= one.first_slot
        )
        apart_across = (
            one.first_track + one.tracks <= other.first_track or other.first_track + other.tracks <= one.first_track
        )
        assert apart_in_time or apart_across


@given(st.lists(spans, max_size=60))
def test_more_than_fit_beside_each_other_still_stand_in_the_day(wanted: list[tuple[int, int]]):
    assert all(0 <= one.first_track < one.first_track + one.tracks <= TRACKS for one in arranged(wanted))


def test_what_stands_alone_has_the_whole_width():
    assert [one.tracks for one in arranged([(0, 4), (4, 4)])] == [TRACKS, TRACKS]
