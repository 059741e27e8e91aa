"""All that match changed in the background and taken back, by mouse; a board saved and shared, by keyboard."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import axe_problems
from tests.browser.test_leaving import tab_to
from tests.stack import Stack

WAIT = 60_000


@pytest.fixture
def page(demo_page: Page) -> Page:
    return demo_page


def moved_on(stack: Stack) -> int:
    found = stack.api("GET", "/contacts?limit=1&include=count&job=Moved%20on")
    count: int = found.body["count"]
    return count


def corner(page: Page) -> Locator:
    return page.get_by_role("status", name="Background work")


def clear_of_controls(page: Page) -> bool:
    """Whether the bar of the list and the buttons above it can be reached beside the corner."""
    box = corner(page).bounding_box()
    assert box is not None
    for control in page.locator(".list-bar :is(button, input, a):visible, .topbar :is(button, a):visible").all():
        other = control.bounding_box()
        if other is None:
            continue
        apart_x = other["x"] >= box["x"] + box["width"] or other["x"] + other["width"] <= box["x"]
        apart_y = other["y"] >= box["y"] + box["height"] or other["y"] + other["height"] <= box["y"]
        if not (apart_x or apart_y):
            return False
    return True


def test_all_that_match_by_mouse(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.demo['workspace_url']}contacts/")
    total = stack.api("GET", "/contacts?limit=1&include=count").body["count"]
    expect(page.locator("[data-count]")).to_be_attached()
    page.get_by_label("Select all rows shown").check()
    page.get_by_role("button", name=re.compile("Select all")).click()
    expect(page.locator("[data-selected]")).to_have_text(f"{total:,}")
    page.get_by_label("Field to set").select_option(label="Job")
    page.locator("#bulk-value input").fill("Moved on")
    expect(page.get_by_label("All or none")).to_be_visible()
    assert axe_problems(page) == []
    page.get_by_role("button", name="Apply", exact=True).last.click()
    page.get_by_role("button", name="Go on").click()
    expect(corner(page)).to_contain_text("Change Job", timeout=WAIT)
    assert clear_of_controls(page)
    page.goto(f"{stack.demo['workspace_url']}jobs/")
    row = page.locator(".job").first
    expect(row).to_contain_text("Done", timeout=WAIT)
    assert moved_on(stack) == total
    assert axe_problems(page) == []
    row.get_by_role("button", name="Undo").click()
    expect(page.locator(".job").first).to_contain_text("Undo: Change Job", timeout=WAIT)
    expect(page.locator(".job").first).to_contain_text("Done", timeout=WAIT)
    assert moved_on(stack) == 0


def test_a_board_is_saved_by_keyboard_and_opened_by_its_link(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.demo['workspace_url']}deals/board/")
    tab_to(page, page.get_by_role("navigation", name="Quick filters").get_by_role("link", name="Mine", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Not saved")).to_be_visible()
    assert axe_problems(page) == []
    tab_to(page, page.get_by_role("link", name="Save as view"))
    page.keyboard.press("Enter")
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("My board")
    tab_to(page, page.get_by_label("Only me"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    tab_to(page, page.get_by_role("dialog").get_by_role("button", name="Save", exact=True))
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="My board")).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("Not saved")).to_have_count(0)
    link = page.url
    assert "view=" in link
    everything = page.get_by_role("link", name="All", exact=True)
    everything.click()
    expect(everything).to_have_attribute("aria-current", "page")
    page.goto(link)
    expect(page.get_by_role("link", name="My board")).to_have_attribute("aria-current", "page")
    page.set_viewport_size({"width": 390, "height": 800})
    assert axe_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
