"""The calendar's pages, putting things at another time, and the feed for other calendars."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from crm.activities.calendar.services import activity_move
from crm.activities.models import Call, Meeting, Task
from crm.records.errors import Forbidden, Invalid, NotFound, VersionConflict
from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.records.write import gate, undo
from crm.workspace.models import Member
from crm.workspace.people.member_services import member_deactivate
from tenants.actors import TenantRef
from tenants.workspaces.hosts import tenant_host
from tests import factories

BERLIN = ZoneInfo("Europe/Berlin")
HTMX = {"HX-Request": "true"}


def plan(actor: Any, noun: str, **values: Any) -> UUID:
    return gate.create(actor, registry.get(noun), {"done": False, **values}).id


@pytest.fixture
def berliner(owner: Any) -> Any:
    Member.objects.filter(pk=owner.member_id).update(time_zone="Europe/Berlin")
    return replace(owner, time_zone=BERLIN)


# -- putting things at another time ------------------------------------------------------------------------------------


def test_a_meeting_keeps_its_hour_by_the_clock_when_it_is_carried_over_the_change(berliner: Any):
    meeting = plan(berliner, "meeting", name="Visit", starts_at="2027-03-26T09:00", minutes=45)
    activity_move(berliner, noun="meeting", id=meeting, day=date(2027, 3, 30))
    found = Meeting.objects.get(pk=meeting)
    assert found.starts_at == datetime(2027, 3, 30, 9, tzinfo=BERLIN)
    assert found.minutes == 45


def test_the_hour_that_does_not_exist_is_refused_and_nothing_moves(berliner: Any):
    call = plan(berliner, "call", name="Call", starts_at="2027-03-26T09:00")
    with pytest.raises(Invalid) as refusal:
        activity_move(berliner, noun="call", id=call, day=date(2027, 3, 28), minute=150)
    assert refusal.value.errors[0].code == "no_such_time"
    assert Call.objects.get(pk=call).version == 1


def test_from_all_day_to_an_hour_and_back(berliner: Any):
    meeting = plan(berliner, "meeting", name="Fair", starts_on="2027-02-01", minutes=2880)
    activity_move(berliner, noun="meeting", id=meeting, day=date(2027, 2, 3), minute=600)
    found = Meeting.objects.get(pk=meeting)
    assert (found.starts_on, found.minutes) == (None, 60)
    assert found.starts_at == datetime(2027, 2, 3, 10, tzinfo=BERLIN)
    activity_move(berliner, noun="meeting", id=meeting, day=date(2027, 2, 4), all_day=True)
    found.refresh_from_db()
    assert (found.starts_on, found.minutes) == (date(2027, 2, 4), 1440)


def test_a_call_cannot_last_all_day(owner: Any):
    call = plan(owner, "call", name="Call", starts_at="2027-03-26T09:00")
    with pytest.raises(Invalid):
        activity_move(owner, noun="call", id=call, day=date(2027, 3, 27), all_day=True)


def test_moving_is_one_change_that_can_be_undone(owner: Any):
    task = plan(owner, "task", name="Offer", due_on="2027-02-01")
    before = Task.objects.get(pk=task).due_at
    change = activity_move(owner, noun="task", id=task, day=date(2027, 2, 8))
    undo.undo(owner, change.change_set.pk)
    assert Task.objects.get(pk=task).due_at == before


def test_who_moves_what_changed_meanwhile_is_told(owner: Any):
    meeting = plan(owner, "meeting", name="Visit", starts_at="2027-02-01T09:00")
    activity_move(owner, noun="meeting", id=meeting, day=date(2027, 2, 2), seen_version=1)
    with pytest.raises(VersionConflict):
        activity_move(owner, noun="meeting", id=meeting, day=date(2027, 2, 3), seen_version=1)


def test_a_colleagues_is_seen_and_not_moved(seller: Any, seller_two: Any):
    meeting = plan(seller, "meeting", name="Visit", starts_at="2027-02-01T09:00")
    with pytest.raises(Forbidden):
        activity_move(seller_two, noun="meeting", id=meeting, day=date(2027, 2, 2))
    with pytest.raises(NotFound):
        activity_move(seller_two, noun="meeting", id=uuid4(), day=date(2027, 2, 2))


# -- pages -------------------------------------------------------------------------------------------------------------


def test_by_page_it_is_moved_and_refusals_are_said(owner: Any, reader: Any, outsider: Any, browser_client: Any):
    meeting = plan(owner, "meeting", name="Visit", starts_at="2027-02-01T09:00")
    address = f"/meetings/{meeting}/when/"
    sent = {"day": "2027-02-02", "minute": "615", "minutes": "30", "version": "1"}
    answer = browser_client(owner).post(address, sent, headers=HTMX)
    assert answer.status_code == 204
    assert "undo_url" in answer["HX-Trigger"]
    found = Meeting.objects.get(pk=meeting)
    assert found.starts_at == datetime(2027, 2, 2, 10, 15, tzinfo=owner.time_zone)
    assert browser_client(owner).post(address, {**sent, "minute": "700"}, headers=HTMX).status_code == 412
    assert browser_client(owner).post(address, {"day": "soon"}).status_code == 404
    assert browser_client(owner).post(f"/companies/{meeting}/when/", sent).status_code == 404
    assert browser_client(reader).post(address, sent).status_code == 403
    assert browser_client(outsider).post(address, sent).status_code == 404


def test_who_drags_into_the_hour_that_does_not_exist_reads_why(berliner: Any, browser_client: Any):
    call = plan(berliner, "call", name="Call", starts_at="2027-03-26T09:00")
    sent = {"day": "2027-03-28", "minute": "150", "version": "1"}
    answer = browser_client(berliner).post(f"/calls/{call}/when/", sent, headers=HTMX)
    assert answer.status_code == 422
    said = json.loads(answer["HX-Trigger"])["toast"]
    assert said["kind"] == "error"
    assert said["message"].startswith("02:30 does not exist on 2027-03-28 in Europe/Berlin: the clocks are put forward")
    page = browser_client(berliner).post(f"/calls/{call}/when/", sent)
    assert "02:30 does not exist on 2027-03-28" in page.content.decode()


@pytest.mark.parametrize("span", ["day", "week", "month", "century"])
def test_a_calendar_needs_no_more_queries_for_more(owner: Any, browser_client: Any, span: str):
    client = browser_client(owner)
    company = factories.company(owner).pk
    about = {"type": "company", "id": str(company)}
    for hour in (9, 10):
        plan(owner, "meeting", name=f"Visit {hour}", starts_at=f"2027-02-03T{hour:02}:00", about=about)
    address = f"/calendar/?span={span}&date=2027-02-03"
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert "Visit 10" in client.get(address).content.decode()
    for hour in (11, 12, 13, 14):
        plan(owner, "meeting", name=f"Visit {hour}", starts_at=f"2027-02-03T{hour:02}:00", about=about)
    with CaptureQueriesContext(connection) as many:
        assert "Visit 14" in client.get(address).content.decode()
    assert len(many) == len(few)


@pytest.mark.parametrize("asked", ["date=yesterday", "date=0001-01-01", "date=9999-12-31", "who=nobody", "show=note"])
def test_a_broken_address_shows_a_calendar_all_the_same(owner: Any, browser_client: Any, asked: str):
    assert browser_client(owner).get(f"/calendar/?{asked}").status_code == 200


def test_mine_is_what_i_do_or_am_invited_to(owner: Any, seller: Any, browser_client: Any):
    guests = [{"type": "member", "id": str(seller.member_id)}]
    plan(owner, "meeting", name="With the seller", starts_at="2027-02-03T09:00", guests=guests)
    plan(owner, "meeting", name="Without them", starts_at="2027-02-03T11:00")
    client = browser_client(seller)
    mine = client.get("/calendar/?date=2027-02-03").content.decode()
    assert "With the seller" in mine
    assert "Without them" not in mine
    assert "Without them" in client.get("/calendar/?date=2027-02-03&who=all").content.decode()
    owners = client.get(f"/calendar/?date=2027-02-03&who={owner.member_id}&show=task").content.decode()
    assert "Without them" not in owners


@pytest.fixture
def alder_client(tenant_a: TenantRef) -> Client:
    return Client(headers={"host": tenant_host(tenant_a)})


@pytest.fixture
def birch_client(tenant_b: TenantRef) -> Client:
    return Client(headers={"host": tenant_host(tenant_b)})


# -- the feed ----------------------------------------------------------------------------------------------------------


def feed_path(client: Any) -> str:
    page = client.post("/settings/calendar/", {"action": "make"}).content.decode()
    return str(page.split('value="http')[1].split('"')[0].partition("/calendar/")[2])


def read(client: Any, path: str) -> Any:
    return client.get(f"/calendar/{path}")


def test_a_feed_is_what_other_calendars_understand(berliner: Any, browser_client: Any, alder_client: Any):
    day = datetime.now(BERLIN).date()
    plan(berliner, "meeting", name="Visit, at; Bauer's", starts_at=f"{day}T09:00", minutes=45, place="Kiel")
    plan(berliner, "task", name="Offer", due_on=str(day))
    answer = read(alder_client, feed_path(browser_client(berliner)))
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/calendar")
    events = {str(one["summary"]): one for one in Calendar.from_ical(answer.content).walk("VEVENT")}
    visit = events["Visit, at; Bauer's"]
    assert visit.decoded("dtstart") == datetime.combine(day, datetime.min.time().replace(hour=9), BERLIN).astimezone(
        UTC
    )
    assert (visit.decoded("dtend") - visit.decoded("dtstart")).total_seconds() == 45 * 60
    assert str(visit["location"]) == "Kiel"
    assert events["Offer"].decoded("dtstart") == day
    again = alder_client.get(answer.wsgi_request.path, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304


def test_a_new_address_ends_the_old_and_a_stop_ends_both(owner: Any, browser_client: Any, alder_client: Any):
    client = browser_client(owner)
    first, second = feed_path(client), feed_path(client)
    assert read(alder_client, first).status_code == 404
    assert read(alder_client, second).status_code == 200
    client.post("/settings/calendar/", {"action": "stop"})
    assert read(alder_client, second).status_code == 404
    assert Event.objects.filter(type="member.calendar_feed_made").count() == 2


def test_a_feed_ends_with_its_member_and_on_another_workspaces_host(
    owner: Any, seller: Any, browser_client: Any, alder_client: Any, birch_client: Any
):
    path = feed_path(browser_client(seller))
    assert read(birch_client, path).status_code == 404
    assert read(alder_client, path).status_code == 200
    member_deactivate(owner, member_id=seller.member_id)
    assert read(alder_client, path).status_code == 404


def test_the_address_is_shown_once_and_only_its_hash_is_kept(owner: Any, browser_client: Any):
    client = browser_client(owner)
    secret = feed_path(client).removeprefix("feed/").removesuffix(".ics")
    assert secret not in client.get("/settings/calendar/").content.decode()
    with connection.cursor() as cursor:
        cursor.execute("SELECT token_hash FROM activities_calendarfeed")
        assert secret not in str(cursor.fetchall())


def test_my_day_has_the_meeting_that_a_colleague_invited_me_to(owner: Any, seller: Any, browser_client: Any):
    guests = [{"type": "member", "id": str(seller.member_id)}]
    soon = (datetime.now(UTC) + timedelta(minutes=30)).isoformat()
    plan(owner, "meeting", name="With the seller", starts_at=soon, guests=guests)
    plan(owner, "meeting", name="Without them", starts_at=soon)
    deal = factories.deal(seller, name="Windows")
    assert deal
    page = browser_client(seller).get("/").content.decode()
    todo = page.split('id="home-tasks"')[1].split("</section>")[0]
    assert "With the seller" in todo
    assert "Without them" not in todo
