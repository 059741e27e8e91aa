"""The calendar in a browser: what is carried, by mouse and by keyboard, stands there afterwards."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone
from playwright.sync_api import Page

from crm.activities.models import Call, Meeting, Task
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.settings.services import formats_update
from tests.chromium import settled
from tests.ui.conftest import Screen

WEEK = "/calendar/?span=week&date=2026-11-18"


def plan(actor: Any, noun: str, **values: Any) -> UUID:
    return gate.create(actor, registry.get(noun), {"done": False, **values}).id


def keep(page: Page, name: str) -> None:
    if os.environ.get("SHOTS"):
        page.screenshot(path=f"{os.environ['SHOTS']}/{name}.png")


@pytest.fixture
def week(owner: Any, in_tenant: Any) -> dict[str, UUID]:
    return {
        "visit": plan(owner, "meeting", name="Visit at Bauer", starts_at="2026-11-18T09:00", minutes=60),
        "review": plan(owner, "meeting", name="Review", starts_at="2026-11-18T09:30", minutes=90),
        "fair": plan(owner, "meeting", name="Fair", starts_on="2026-11-17", minutes=2 * 1440),
        "call": plan(owner, "call", name="Call Anna", starts_at="2026-11-19T14:15", minutes=15),
        "offer": plan(owner, "task", name="Send the offer", due_on="2026-11-20"),
    }


def entry(page: Page, name: str) -> Any:
    return page.locator("[data-entry]", has_text=name).first


@pytest.mark.parametrize(
    ("look", "width", "theme"), [("light", 1360, "light"), ("dark", 1360, "dark"), ("phone", 390, "light")]
)
@pytest.mark.parametrize("span", ["day", "week", "month"])
def test_every_span_shows_what_is_planned(
    owner: Any, week: dict[str, UUID], screen: Screen, span: str, look: str, width: int, theme: str
):
    page = screen(owner, f"/calendar/?span={span}&date=2026-11-18", width=width, theme=theme)
    for earlier in page.locator("#calendar-earlier:visible").all():
        earlier.check()
    page.wait_for_selector("[data-entry]")
    assert entry(page, "Visit at Bauer").is_visible()
    assert entry(page, "Fair").is_visible()
    keep(page, f"calendar-{span}-{look}")


@pytest.mark.parametrize("span", ["week", "month"])
def test_on_a_phone_a_calendar_begins_today(owner: Any, screen: Screen, span: str):
    today = timezone.now().astimezone(owner.time_zone).date()
    formats_update(owner, week_start=(today - timedelta(days=2)).weekday())
    plan(owner, "task", name="Gone by", due_on=f"{today - timedelta(days=1)}")
    plan(owner, "task", name="For now", due_on=f"{today}")
    page = screen(owner, f"/calendar/?span={span}", width=390)
    page.wait_for_selector("[data-entry] >> visible=true")
    assert entry(page, "For now").is_visible()
    assert not entry(page, "Gone by").is_visible()
    page.get_by_label("Show the days before today").check()
    assert entry(page, "Gone by").is_visible()
    page.locator("#calendar-show-call").uncheck()
    page.wait_for_url("**show=task**")
    assert entry(page, "Gone by").is_visible()


def test_a_meeting_is_dragged_to_another_day_and_hour(owner: Any, week: dict[str, UUID], screen: Screen):
    page = screen(owner, WEEK)
    box = entry(page, "Call Anna").bounding_box()
    target = page.locator("[data-timed][data-day='2026-11-20'] [data-entries]").bounding_box()
    assert box is not None
    assert target is not None
    x, y = box["x"] + 20, box["y"] + 5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 20, y + 10)
    page.mouse.move(target["x"] + 30, y + 4 * 12, steps=4)
    with page.expect_response("**/when/"):
        page.mouse.up()
    page.wait_for_selector("[data-timed][data-day='2026-11-20'] [data-entry]")
    settled(page)
    assert Call.objects.get(pk=week["call"]).starts_at == datetime(
        2026, 11, 20, 15, 15, tzinfo=owner.time_zone
    ).astimezone(UTC)


def test_by_keyboard_a_day_later_an_hour_later_and_longer(owner: Any, week: dict[str, UUID], screen: Screen):
    page = screen(owner, WEEK)
    entry(page, "Visit at Bauer").locator("a").focus()
    for key in ("Space", "ArrowRight", *["ArrowDown"] * 4, "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert "Visit at Bauer" in page.locator("[data-timed][data-day='2026-11-19']").inner_text()
    with page.expect_response("**/when/"):
        page.keyboard.press("Space")
    settled(page)
    found = Meeting.objects.get(pk=week["visit"])
    assert found.starts_at == datetime(2026, 11, 19, 10, 0, tzinfo=owner.time_zone).astimezone(UTC)
    assert found.minutes == 90


def test_escape_leaves_everything_where_it_was(owner: Any, week: dict[str, UUID], screen: Screen):
    page = screen(owner, WEEK)
    entry(page, "Review").locator("a").focus()
    for key in ("Space", "ArrowRight", "ArrowDown", "Escape"):
        page.keyboard.press(key)
    assert "Review" in page.locator("[data-timed][data-day='2026-11-18']").inner_text()
    assert Meeting.objects.get(pk=week["review"]).version == 1


def test_in_a_month_a_task_is_carried_a_week_on(owner: Any, week: dict[str, UUID], screen: Screen):
    page = screen(owner, "/calendar/?span=month&date=2026-11-18")
    entry(page, "Send the offer").locator("a").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/when/"):
        page.keyboard.press("Enter")
    settled(page)
    assert str(Task.objects.get(pk=week["offer"]).due_on) == "2026-11-27"


def test_a_click_on_an_empty_hour_begins_a_meeting_there(owner: Any, week: dict[str, UUID], screen: Screen):
    page = screen(owner, WEEK)
    day = page.locator("[data-timed][data-day='2026-11-16']")
    day.click(position={"x": 60, "y": 48 * 11 + 5})  # eleven o'clock
    page.wait_for_selector("dialog[open] [name='starts_at.day']")
    assert page.input_value("dialog[open] [name='starts_at.day']") == "2026-11-16"
    assert page.input_value("dialog[open] [name='starts_at.time']") == "11:00"
