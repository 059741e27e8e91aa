"""Weeks and days that are counted from now: by whose week, and in whose time zone."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from crm.records.query import language
from crm.records.read.reading import Query, page
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.configuration import first_weekday, kept
from crm.workspace.models import Member
from crm.workspace.settings.services import formats_update
from crm.workspace.text.formats import week_start
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import Tenant

TASK = registry.get("task")
WEDNESDAY = datetime(2026, 12, 2, 12, tzinfo=UTC)


def due(actor: Actor, *days: str) -> None:
    for day in days:
        gate.create(actor, TASK, {"name": day, "due_on": day})


def found(actor: Actor, op: str) -> set[str]:
    condition = language.compile(actor, TASK, {"field": "due_on", "op": op}, now=WEDNESDAY)
    return set(TASK.rows.filter(condition).values_list("name", flat=True))


@pytest.mark.parametrize(
    ("first", "last_week", "this_week", "next_week"),
    [
        (0, {"2026-11-28", "2026-11-29"}, {"2026-11-30", "2026-12-05", "2026-12-06"}, {"2026-12-07", "2026-12-12"}),
        (6, {"2026-11-28"}, {"2026-11-29", "2026-11-30", "2026-12-05"}, {"2026-12-06", "2026-12-07", "2026-12-12"}),
        (5, set(), {"2026-11-28", "2026-11-29", "2026-11-30"}, {"2026-12-05", "2026-12-06", "2026-12-07"}),
    ],
)
def test_a_week_begins_where_the_workspace_begins_it(
    owner: Actor, first: int, last_week: set[str], this_week: set[str], next_week: set[str]
) -> None:
    due(owner, "2026-11-28", "2026-11-29", "2026-11-30", "2026-12-05", "2026-12-06", "2026-12-07", "2026-12-12")
    formats_update(owner, week_start=first)
    kept.clear()
    assert (found(owner, "last_week"), found(owner, "this_week"), found(owner, "next_week")) == (
        last_week,
        this_week,
        next_week,
    )


def test_without_a_choice_a_week_is_that_of_the_calendar(owner: Actor) -> None:
    due(owner, "2026-11-29", "2026-12-06")
    assert first_weekday(owner) == week_start()
    assert found(owner, "this_week") == {"2026-12-06"}


@pytest.fixture
def maker_far_away(owner: Actor) -> Actor:
    """Whose day is another than the workspace's, which lives in UTC, at any hour."""
    zone = "Pacific/Kiritimati" if timezone.now().hour >= 11 else "Pacific/Pago_Pago"
    assert owner.member_id is not None
    Member.objects.filter(pk=owner.member_id).update(time_zone=zone)
    return replace(owner, time_zone=ZoneInfo(zone))


def test_what_a_key_asks_of_today_is_asked_in_the_workspaces_zone(maker_far_away: Actor, api: Any) -> None:
    here = timezone.now().astimezone(ZoneInfo("UTC")).date()
    there = timezone.now().astimezone(maker_far_away.time_zone).date()
    assert here != there
    due(maker_far_away, here.isoformat(), there.isoformat())
    client = api(maker_far_away)
    listed = client.get("/api/v1/tasks?due_on[today]=true").json()["data"]
    assert [one["name"] for one in listed] == [here.isoformat()]
    condition = {"field": "due_on", "op": "today"}
    asked = client.post("/api/v1/tasks/query", {"filter": condition}).json()["data"]
    assert [one["name"] for one in asked] == [here.isoformat()]
    view = client.post("/api/v1/tasks/views", {"name": "Today", "filter": condition, "columns": ["name"]})
    assert view.status_code == 201, view.content
    seen = client.get(f"/api/v1/tasks?view={view.json()['id']}").json()["data"]
    assert [one["name"] for one in seen] == [here.isoformat()]
    mine = page(maker_far_away, TASK, Query(filter=condition)).rows
    assert [one["name"] for one in mine] == [there.isoformat()]


def test_a_time_that_a_key_writes_without_a_zone_is_the_workspaces(maker_far_away: Actor, api: Any) -> None:
    made = api(maker_far_away).post("/api/v1/meetings", {"name": "Round", "starts_at": "2027-02-01T09:00"}).json()
    assert made["starts_at"] == "2027-02-01T09:00:00Z"


def test_a_whole_day_that_a_key_writes_ends_where_its_assignee_lives(maker_far_away: Actor, api: Any) -> None:
    body = {"name": "Report", "due_on": "2027-02-01", "assignee": str(maker_far_away.member_id)}
    made = api(maker_far_away).post("/api/v1/tasks", body).json()
    ends = datetime(2027, 2, 1, 23, 59, 59, tzinfo=maker_far_away.time_zone)
    assert datetime.fromisoformat(made["due_at"]) == ends


def test_the_workspaces_zone_is_followed_when_it_changes(maker_far_away: Actor, api: Any) -> None:
    with shared():
        Tenant.objects.filter(pk=maker_far_away.tenant.id).update(time_zone="Asia/Tokyo")
    made = api(maker_far_away).post("/api/v1/meetings", {"name": "Round", "starts_at": "2027-02-01T09:00"}).json()
    assert datetime.fromisoformat(made["starts_at"]).astimezone(ZoneInfo("Asia/Tokyo")).hour == 9
