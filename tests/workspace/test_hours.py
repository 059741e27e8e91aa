"""Digests and quiet hours in a member's own zone, on days that are an hour shorter or longer."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from crm.workspace.hours import Calendar

BERLIN = ZoneInfo("Europe/Berlin")
ALL_DAYS = range(7)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("2026-03-27T12:00", "2026-03-28T07:00"),
        ("2026-03-28T12:00", "2026-03-29T06:00"),
        ("2026-10-24T12:00", "2026-10-25T07:00"),
        ("2026-10-24T05:59:59", "2026-10-24T06:00"),
        ("2026-10-24T06:00", "2026-10-25T07:00"),
    ],
)
def test_a_digest_at_eight_is_at_eight_on_the_clock_all_year(after: str, expected: str) -> None:
    assert Calendar(BERLIN, ALL_DAYS, 8).digest_after(utc(after)) == utc(expected)


def test_a_digest_in_the_hour_that_is_left_out_comes_after_it_and_in_the_hour_that_comes_twice_once() -> None:
    calendar = Calendar(BERLIN, ALL_DAYS, 2)
    assert calendar.digest_after(utc("2026-03-28T12:00")) == utc("2026-03-29T01:00")
    first = calendar.digest_after(utc("2026-10-24T12:00"))
    assert first == utc("2026-10-25T00:00")
    assert calendar.digest_after(first) == utc("2026-10-26T01:00")


def test_a_digest_comes_on_chosen_days_only() -> None:
    friday = utc("2026-11-20T12:00")
    assert Calendar(BERLIN, [0], 8).digest_after(friday) == utc("2026-11-23T07:00")
    assert Calendar(BERLIN, [4], 8).digest_after(friday) == utc("2026-11-27T07:00")
    assert Calendar(BERLIN, [], 8).digest_after(friday) is None


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-20T18:59", "2026-11-20T18:59"),
        ("2026-11-20T19:00", "2026-11-21T06:00"),
        ("2026-11-21T05:59:59", "2026-11-21T06:00"),
        ("2026-11-21T06:00", "2026-11-21T06:00"),
        ("2026-03-28T22:00", "2026-03-29T05:00"),
        ("2026-10-24T22:00", "2026-10-25T06:00"),
    ],
)
def test_quiet_from_eight_to_seven_over_midnight_and_over_the_change_of_the_clocks(at: str, expected: str) -> None:
    assert Calendar(BERLIN, quiet=(time(20), time(7))).awake(utc(at)) == utc(expected)


def test_quiet_hours_within_a_day() -> None:
    calendar = Calendar(BERLIN, quiet=(time(12), time(13)))
    assert calendar.awake(utc("2026-11-20T11:30")) == utc("2026-11-20T12:00")
    assert calendar.awake(utc("2026-11-20T12:00")) == utc("2026-11-20T12:00")


def test_quiet_hours_that_end_in_an_hour_that_comes_twice_or_never_do_end() -> None:
    calendar = Calendar(BERLIN, quiet=(time(22), time(2, 30)))
    assert calendar.awake(utc("2026-03-28T23:00")) == utc("2026-03-29T01:30")
    assert calendar.awake(utc("2026-10-24T23:00")) == utc("2026-10-25T00:30")
    assert calendar.awake(utc("2026-10-25T01:10")) == utc("2026-10-25T01:30")


def test_days_off_and_holidays_are_quiet_all_day_and_the_night_after_too() -> None:
    calendar = Calendar(BERLIN, quiet=(time(20), time(7)), off_weekdays=[5, 6], off_days=[date(2026, 11, 23)])
    assert calendar.awake(utc("2026-11-20T20:00")) == utc("2026-11-24T06:00")
    assert calendar.awake(utc("2026-11-22T12:00")) == utc("2026-11-24T06:00")
    assert Calendar(BERLIN, off_weekdays=[5, 6]).awake(utc("2026-11-21T12:00")) == utc("2026-11-22T23:00")


def test_who_is_never_awake_is_sent_mails_all_the_same() -> None:
    moment = utc("2026-11-20T12:00")
    assert Calendar(BERLIN, off_weekdays=ALL_DAYS).awake(moment) == moment
