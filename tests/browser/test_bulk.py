"""All that match changed in the background and taken back, by mouse; a board saved and shared, by keyboard; a big
change stopped in its middle; a view sent to a colleague, and what it shows taken out as a file."""

import csv
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from psycopg2 import sql

from bench.fill import fill
from tests.browser.conftest import axe_problems
from tests.browser.hands import HANDS
from tests.browser.office import Office
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
    hand = HANDS["keyboard"]
    page.goto(f"{stack.demo['workspace_url']}deals/board/")
    hand.press(page.get_by_role("navigation", name="Quick filters").get_by_role("link", name="Mine", exact=True))
    expect(page.get_by_text("Not saved")).to_be_visible()
    assert axe_problems(page) == []
    hand.press(page.get_by_role("link", name="Save as view"))
    expect(page.get_by_label("Name")).to_be_focused()
    page.keyboard.type("My board")
    hand.reach(page.get_by_label("Only me"))
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    hand.press(page.get_by_role("dialog").get_by_role("button", name="Save", exact=True))
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


class Rows:
    """The rows of an office, past the product: many made at once, and one held as a slow colleague would."""

    def __init__(self, stack: Stack, office: Office) -> None:
        found = json.loads((stack.data / "environment.json").read_text())
        self.address = "/".join([found["DATABASE_ADMIN_URL"].rpartition("/")[0], found["DATABASE_URL"].split("/")[-1]])
        with psycopg2.connect(self.address) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT schema_name FROM tenants_tenant JOIN tenants_domain ON tenant_id = tenants_tenant.id"
                " WHERE domain LIKE %s",
                [f"office-{office.tag}%"],
            )
            (self.schema,) = cursor.fetchone() or ("",)

    def made(self, count: int, owner: str) -> None:
        fill(self.address, self.schema, count, [owner])

    @contextmanager
    def held(self, place: int) -> Iterator[None]:
        """The contact at that place, in the order in which they were made, cannot be written meanwhile."""
        statement = "SELECT FROM {0} WHERE id = (SELECT id FROM {0} ORDER BY id OFFSET %s LIMIT 1) FOR UPDATE"
        contacts = sql.Identifier(self.schema, "people_contact")
        with psycopg2.connect(self.address) as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(statement).format(contacts), [place])
            yield


def test_a_big_change_stopped_a_view_sent_and_a_file_fetched(browser: Browser, stack: Stack) -> None:
    office = Office(browser, stack)
    page = office.open("Ola Berg")
    colleague = office.join(page, "Mia Holm", "Manager")
    rows = Rows(stack, office)
    rows.made(2500, office.member_id("Mia Holm"))

    def moved() -> int:
        count: int = office.api("GET", "/contacts?limit=1&include=count&job=Moved%20on").body["count"]
        return count

    page.goto(f"{office.url}/contacts/?sort=name")
    boxes = page.locator("tbody input[name=id]")
    boxes.nth(1).click()
    boxes.nth(5).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("5")
    boxes.nth(3).click()
    boxes.nth(4).click(modifiers=["Shift"])
    expect(page.locator("[data-selected]")).to_have_text("3")
    expect(page.locator("tbody input[name=id]:checked")).to_have_count(3)

    page.get_by_role("button", name="Select all 2,500").click()
    page.get_by_label("Field to set").select_option(label="Job")
    page.locator("#bulk-value input").fill("Moved on")
    with rows.held(1200):
        page.get_by_role("button", name="Apply", exact=True).last.click()
        page.get_by_role("button", name="Go on").click()
        expect(corner(page)).to_contain_text("1,000 of 2,500", timeout=WAIT)
        corner(page).get_by_role("button", name="Cancel").click()
        expect(corner(page)).to_contain_text("Being stopped", timeout=WAIT)
    page.goto(f"{office.url}/jobs/")
    stopped = page.locator(".jobs-page .job").last
    expect(stopped).to_contain_text("Cancelled", timeout=WAIT)
    expect(stopped).to_contain_text("not reached")
    assert moved() in {1000, 2000}
    office.looked_at(page, "bulk-stopped")
    stopped.get_by_role("button", name="Undo").click()
    expect(page.locator(".jobs-page .job").first).to_contain_text("Done", timeout=WAIT)
    assert moved() == 0

    page.goto(f"{office.url}/contacts/?sort=-name&columns=name.emails")
    page.get_by_role("link", name="Save as view").click()
    page.get_by_role("dialog").get_by_label("Name").fill("From the end")
    page.get_by_role("dialog").get_by_label("Everyone").check()
    page.get_by_role("dialog").get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="From the end")).to_have_attribute("aria-current", "page")
    page.get_by_role("button", name="This view").click()
    link = page.locator("#view-link").text_content() or ""
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_text("Copied", exact=False).first).to_be_visible()
    first = page.locator("[data-row-link]").first.inner_text()

    colleague.goto(link)
    expect(colleague.get_by_role("link", name="From the end")).to_have_attribute("aria-current", "page")
    expect(colleague.locator("[data-row-link]").first).to_have_text(first)
    colleague.get_by_role("button", name="Export").click()
    colleague.get_by_role("button", name="Go on").click()
    with colleague.expect_download(timeout=WAIT) as fetched:
        corner(colleague).get_by_role("link", name="Download").click(timeout=WAIT)
    head, *lines = csv.reader(fetched.value.path().read_text("utf-8-sig").splitlines())
    assert head == ["Name", "Emails"]
    assert (lines[0][0], len(lines)) == (first, 2500)
    assert office.problems == []
    office.close()
