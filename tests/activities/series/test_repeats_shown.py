"""Repeats that have no record yet, on the calendar and in the feed that other calendars read."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from dateutil.rrule import rruleset, rrulestr
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from icalendar import Calendar

from crm.activities.calendar.feeds import feed_make
from crm.activities.models import Meeting, Task
from crm.activities.series.ahead import repeats
from crm.activities.series.following import series_follow
from crm.activities.services import activity_done, meeting_reply, occurrence_skip, series_end
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor, TenantRef
from tenants.workspaces.hosts import tenant_host

TASK, CALL, MEETING = registry.get("task"), registry.get("call"), registry.get("meeting")


def soon(actor: Actor) -> datetime:
    day = timezone.now().astimezone(actor.time_zone) + timedelta(days=3)
    return day.replace(hour=10, minute=0, second=0, microsecond=0)


def plan(actor: Actor, noun: str, **values: Any) -> Any:
    when = {"task": "due_at", "call": "starts_at", "meeting": "starts_at"}[noun]
    return gate.create(actor, registry.get(noun), {"name": "Round", when: soon(actor), **values}).record


def member_of(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def days_ahead(actor: Actor, first: datetime, days: int) -> list[date]:
    start = first.replace(hour=0)
    found = repeats(
        actor, start, start + timedelta(days=days), [member_of(actor)], nouns=("task", "call", "meeting"), limit=500
    )
    return sorted(row.at.astimezone(actor.time_zone).date() for row in found if row.at)


# -- the calendar ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("noun", ["task", "call"])
def test_the_repeats_of_a_task_stand_on_the_calendar(seller: Actor, browser_client: Any, noun: str) -> None:
    plan(seller, noun, repeat="FREQ=DAILY")
    begin = soon(seller)
    assert days_ahead(seller, begin, 4) == [(begin + timedelta(days=one)).date() for one in (1, 2, 3)]
    page = browser_client(seller).get(f"/calendar/?span=day&date={(begin + timedelta(days=2)).date()}").content.decode()
    assert "Round" in page
    assert "is-ahead" in page
    assert "data-move=" not in page


def test_distant_meetings_stand_there_where_and_as_their_series_has_them(seller: Actor, browser_client: Any) -> None:
    plan(seller, "meeting", repeat="FREQ=WEEKLY")
    last = Meeting.objects.order_by("-occurrence")[0]
    gate.update(seller, MEETING, last.pk, {"name": "Farewell"})
    far = soon(seller) + timedelta(weeks=60)
    page = browser_client(seller).get(f"/calendar/?span=week&date={far.date()}").content.decode()
    assert page.count("is-ahead") == 1
    assert "Farewell" not in page
    assert days_ahead(seller, far, 1) == [far.date()]
    occurrence_skip(seller, noun="meeting", id=last.pk)
    series_end(seller, noun="meeting", id=Meeting.objects.filter(deleted_at=None).order_by("-occurrence")[0].pk)
    assert days_ahead(seller, far, 7) == []


def test_an_end_is_an_end_in_the_calendar_too(seller: Actor) -> None:
    plan(seller, "task", repeat="FREQ=DAILY;COUNT=3")
    begin = soon(seller)
    assert days_ahead(seller, begin, 30) == [(begin + timedelta(days=one)).date() for one in (1, 2)]


def test_series_of_others_are_not_mine(seller: Actor, seller_two: Actor) -> None:
    task = plan(seller, "task", repeat="FREQ=DAILY")
    assert days_ahead(seller_two, soon(seller), 5) == []
    gate.update(seller, TASK, task.pk, {"assignee": seller_two.member_id})
    assert days_ahead(seller_two, soon(seller), 5) == []
    assert len(days_ahead(seller, soon(seller), 5)) == 4


def test_a_year_in_the_far_future_costs_no_more_queries_and_no_time(seller: Actor, browser_client: Any) -> None:
    client = browser_client(seller)
    address = f"/calendar/?span=month&date={(soon(seller) + timedelta(days=40 * 365)).date()}"
    plan(seller, "task", repeat="FREQ=DAILY")
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    for _more in range(20):
        plan(seller, "task", repeat="FREQ=DAILY")
    client.get(address)
    begun = datetime.now()
    with CaptureQueriesContext(connection) as many:
        page = client.get(address).content.decode()
    assert len(many) == len(few)
    assert page.count("is-ahead") > 100
    assert (datetime.now() - begun).total_seconds() < 20


# -- the feed ----------------------------------------------------------------------------------------------------------


type Feed = Callable[[Actor], list[Any]]


@pytest.fixture
def feed(tenant_a: TenantRef) -> Feed:
    """The events of a member's feed, as another calendar gets them."""

    def read(actor: Actor) -> list[Any]:
        answer = Client(headers={"host": tenant_host(tenant_a)}).get(f"/calendar/feed/{feed_make(actor)}.ics")
        assert answer.status_code == 200
        return list(Calendar.from_ical(answer.content).walk("VEVENT"))

    return read


def instances(every: list[Any], until: datetime) -> list[tuple[datetime, str]]:
    """What a calendar that understands rules, exceptions and replacements shows of a feed."""
    replaced = {(str(one["uid"]), one.decoded("recurrence-id")) for one in every if "recurrence-id" in one}
    shown: list[tuple[datetime, str]] = []
    for one in every:
        start, title = one.decoded("dtstart"), str(one["summary"])
        if "rrule" not in one:
            shown.append((start, title))
            continue
        rule = rruleset()
        rule.rrule(rrulestr(one["rrule"].to_ical().decode(), dtstart=start))  # type: ignore[arg-type]
        out = one.get("exdate", [])
        for left_out in out if isinstance(out, list) else [out]:
            for at in left_out.dts:
                rule.exdate(at.dt)
        for at in rule:
            if at > until:
                break
            if (str(one["uid"]), at) not in replaced:
                shown.append((at, title))
    return sorted(shown)


def test_a_series_is_one_rule_with_what_is_left_out_and_what_is_otherwise(
    seller: Actor, seller_two: Actor, feed: Feed
) -> None:
    begin = soon(seller)
    plan(seller, "meeting", repeat="FREQ=WEEKLY", reminder=15, place="Kiel")
    rows = list(Meeting.objects.order_by("occurrence"))
    assert rows[1].starts_at is not None
    gate.update(seller, MEETING, rows[1].pk, {"starts_at": rows[1].starts_at + timedelta(hours=2)})
    gate.update(seller, MEETING, rows[2].pk, {"name": "Review"})
    occurrence_skip(seller, noun="meeting", id=rows[3].pk)
    activity_done(seller, noun="meeting", id=rows[0].pk)
    every = feed(seller)
    (master,) = [one for one in every if "rrule" in one]
    assert master["rrule"]["FREQ"] == ["WEEKLY"]
    assert "exdate" in master
    assert len([one for one in every if "recurrence-id" in one]) == 3
    assert len(every) == 4
    assert {str(one["uid"]) for one in every} == {str(master["uid"])}
    (alarm,) = master.walk("VALARM")
    assert alarm.decoded("trigger") == timedelta(minutes=-15)
    shown = instances(feed(seller), begin + timedelta(weeks=60))
    expected = [
        (begin, "✓ Round"),
        (begin + timedelta(weeks=1, hours=2), "Round"),
        (begin + timedelta(weeks=2), "Review"),
        *((begin + timedelta(weeks=one), "Round") for one in range(4, 61)),
    ]
    assert shown == expected


@pytest.mark.parametrize("noun", ["task", "call"])
def test_a_repeated_task_is_a_rule_with_what_is_done(seller: Actor, noun: str, feed: Feed) -> None:
    first = plan(seller, noun, repeat="FREQ=DAILY;COUNT=5", reminder=10)
    activity_done(seller, noun=noun, id=first.pk)
    begin = soon(seller)
    shown = instances(feed(seller), begin + timedelta(days=30))
    assert shown == [(begin, "✓ Round"), *((begin + timedelta(days=one), "Round") for one in range(1, 5))]
    (master,) = [one for one in feed(seller) if "rrule" in one]
    assert len(master.walk("VALARM")) == 1


def test_whole_days_repeat_as_days(seller: Actor, feed: Feed) -> None:
    day = soon(seller).date()
    gate.create(seller, TASK, {"name": "Report", "due_on": day, "repeat": "FREQ=WEEKLY", "reminder": 60})
    (master,) = [one for one in feed(seller) if "rrule" in one]
    assert master.decoded("dtstart") == day
    (alarm,) = master.walk("VALARM")
    assert alarm.decoded("trigger") == timedelta(hours=8)


def test_a_series_that_was_changed_from_one_time_on_is_two_rules(seller: Actor, feed: Feed) -> None:
    plan(seller, "meeting", repeat="FREQ=WEEKLY")
    rows = list(Meeting.objects.order_by("occurrence"))
    begin = soon(seller)
    series_follow(seller, noun="meeting", id=rows[2].pk, values={"starts_at": begin + timedelta(weeks=2, hours=1)})
    shown = instances(feed(seller), begin + timedelta(weeks=30))
    assert shown == [
        *((begin + timedelta(weeks=one), "Round") for one in range(2)),
        *((begin + timedelta(weeks=one, hours=1), "Round") for one in range(2, 30)),
    ]


def test_who_is_asked_to_one_time_only_has_that_one(seller: Actor, seller_two: Actor, feed: Feed) -> None:
    plan(seller, "meeting", repeat="FREQ=WEEKLY")
    second = Meeting.objects.get(occurrence=2)
    guest = [{"type": "member", "id": str(seller_two.member_id)}]
    gate.update(seller, MEETING, second.pk, {"guests": guest})
    assert [at for at, _title in instances(feed(seller_two), soon(seller) + timedelta(weeks=30))] == [second.starts_at]


def test_what_i_declined_does_not_block_my_time_and_does_not_ring(seller: Actor, seller_two: Actor, feed: Feed) -> None:
    guest = [{"type": "member", "id": str(seller_two.member_id)}]
    plan(seller, "meeting", repeat="FREQ=WEEKLY", reminder=15, guests=guest)
    second = Meeting.objects.get(occurrence=2)
    meeting_reply(seller_two, id=second.pk, reply="declined")
    (other,) = [one for one in feed(seller_two) if "recurrence-id" in one]
    assert (str(other["transp"]), other.walk("VALARM")) == ("TRANSPARENT", [])


def test_a_feed_needs_no_more_queries_for_more_series(seller: Actor, feed: Feed) -> None:
    plan(seller, "meeting", repeat="FREQ=WEEKLY")
    plan(seller, "task", repeat="FREQ=DAILY")
    feed(seller)
    with CaptureQueriesContext(connection) as few:
        feed(seller)
    for _more in range(5):
        plan(seller, "meeting", repeat="FREQ=WEEKLY")
        plan(seller, "task", repeat="FREQ=DAILY")
    with CaptureQueriesContext(connection) as many:
        feed(seller)
    assert len(many) == len(few)
    assert Task.objects.count() == 6
