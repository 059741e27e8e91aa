"""The story of a new business, by mouse, touch and keyboard, with the API line run as it is printed."""

import json
import re
import shlex
import subprocess
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.conftest import axe_problems
from tests.browser.hands import shown
from tests.chromium import open_page
from tests.stack import Stack

WORDS = "seven tall windows in oak"


@pytest.fixture(scope="module")
def story(browser: Browser, stack: Stack):
    """One browser that lives through the whole story; each test is the next chapter."""
    problems: list[str] = []
    look = {"viewport": {"width": 1400, "height": 900}, "locale": "en-GB", "timezone_id": "Europe/Berlin"}
    page = open_page(browser, problems, **look)
    tag = uuid4().hex[:8]
    yield {"page": page, "email": f"anna-{tag}@example.com", "subdomain": f"oak-{tag}", "problems": problems}
    page.context.close()


@pytest.fixture
def page(story) -> Page:
    found: Page = story["page"]
    return found


def card(page: Page, name: str) -> Locator:
    return page.locator("[data-card]", has_text=name)


def column(page: Page, name: str) -> Locator:
    return page.locator(f'[data-stage][data-name="{name}"]')


def toast(page: Page) -> Locator:
    return page.locator(".toast").last


def carry(page: Page, what: Locator, to: Locator) -> None:
    """Drag with the mouse, as a hand does."""
    shown(what)
    start, end = what.bounding_box(), to.bounding_box()
    assert start is not None
    assert end is not None
    page.mouse.move(start["x"] + 40, start["y"] + 12)
    page.mouse.down()
    for step in range(1, 11):
        share = step / 10
        page.mouse.move(
            start["x"] + 40 + (end["x"] + end["width"] / 2 - start["x"] - 40) * share,
            start["y"] + 12 + (end["y"] + 120 - start["y"] - 12) * share,
        )
    page.mouse.up()


def create(page: Page, noun: str, **values: str) -> None:
    """Fill the form of a new record, opened by its button on the list."""
    page.goto(page.url.split("/", 3)[0] + "//" + urlsplit(page.url).netloc + f"/{noun}/new/")
    for name, value in values.items():
        page.locator(f"form.new-form [name={name}]").fill(value)
    page.get_by_role("button", name="Create", exact=True).click()


def test_1_signs_up_and_is_in_the_workspace_at_once(story, page, stack):
    page.goto(f"{stack.demo['base_url']}/")
    page.get_by_role("link", name=re.compile("sign up|start", re.I)).first.click()
    shown(page.get_by_label("Work email")).fill(story["email"])
    page.get_by_label("Company").fill("Oak & Glass")
    subdomain = page.locator("[name=subdomain]")
    expect(subdomain).to_have_value(re.compile("oak"))
    subdomain.fill(story["subdomain"])
    page.get_by_label("Password", exact=True).fill(WORDS)
    page.get_by_role("button", name="Make my workspace").click()
    page.wait_for_url(re.compile(rf"//{story['subdomain']}\.localhost:\d+/"))
    expect(page.get_by_text("Oak & Glass").first).to_be_visible()


def test_2_verifies_the_address_by_the_link_in_the_mail(story, page, stack):
    mail = stack.wait_mail(story["email"])
    link = next(one for one in mail["links"] if "verif" in one)
    home = page.url
    page.goto(link)
    expect(page.get_by_role("heading", level=1)).to_have_text("Your address is confirmed")
    page.goto(home)
    expect(page.get_by_text(re.compile("verify|confirm your", re.I))).to_have_count(0)


def test_3_adds_a_company_a_contact_and_a_deal(page):
    create(page, "companies", name="Hotel Lindenhof")
    expect(page.get_by_role("heading", level=1, name="Hotel Lindenhof")).to_be_visible()
    create(page, "contacts", name="Grete Sommer")
    expect(page.get_by_role("heading", level=1, name="Grete Sommer")).to_be_visible()
    create(page, "deals", name="Forty windows", amount="48000")
    expect(page.get_by_role("heading", level=1, name="Forty windows")).to_be_visible()


def test_4_drags_the_deal_by_mouse(page):
    page.goto(page.url.split("/deals/")[0] + "/deals/board/")
    first, second = page.locator("[data-stage]").nth(0), page.locator("[data-stage]").nth(1)
    expect(first.locator("[data-card]")).to_contain_text("Forty windows")
    with page.expect_response("**/move/"):
        carry(page, card(page, "Forty windows"), second)
    expect(second.locator("[data-card]")).to_contain_text("Forty windows")
    expect(toast(page)).to_be_visible()
    page.reload()
    expect(second.locator("[data-card]")).to_contain_text("Forty windows")


def test_5_moves_it_on_by_keyboard(page):
    third = page.locator("[data-stage]").nth(2)
    card(page, "Forty windows").get_by_role("link").focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    with page.expect_response("**/move/"):
        page.keyboard.press("Space")
    expect(third.locator("[data-card]")).to_contain_text("Forty windows")
    page.reload()
    expect(third.locator("[data-card]")).to_contain_text("Forty windows")


def test_6_moves_it_back_by_touch(browser, story, page):
    look = {"viewport": {"width": 1000, "height": 800}, "has_touch": True}
    touch = open_page(browser, story["problems"], storage_state=page.context.storage_state(), **look)
    touch.goto(page.url)
    second = touch.locator("[data-stage]").nth(1)
    start, end = card(touch, "Forty windows").bounding_box(), second.bounding_box()
    assert start is not None
    assert end is not None
    session = touch.context.new_cdp_session(touch)

    def finger(kind: str, x: float, y: float) -> None:
        points = [] if kind == "touchEnd" else [{"x": x, "y": y}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    x, y = start["x"] + 40, start["y"] + 14
    finger("touchStart", x, y)
    expect(card(touch, "Forty windows").first).to_have_class(re.compile("is-carried"))
    goal_x, goal_y = end["x"] + end["width"] / 2, end["y"] + 120
    for step in range(1, 11):
        finger("touchMove", x + (goal_x - x) * step / 10, y + (goal_y - y) * step / 10)
        touch.wait_for_timeout(20)
    with touch.expect_response("**/move/"):
        finger("touchEnd", 0, 0)
    expect(second.locator("[data-card]")).to_contain_text("Forty windows")
    touch.reload()
    expect(second.locator("[data-card]")).to_contain_text("Forty windows")
    touch.context.close()


def test_7_a_required_field_is_asked_for_and_nothing_else(page):
    page.goto(page.url.split("/deals/")[0] + "/settings/pipelines/")
    page.get_by_role("main").get_by_role("link", name="Sales", exact=True).click()
    page.get_by_role("link", name="Change Negotiation").click()
    page.get_by_label("Expected close").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("listitem").filter(has_text="Change Negotiation")).to_contain_text("Expected close")
    page.goto(page.url.split("/settings/")[0] + "/deals/board/")
    carry(page, card(page, "Forty windows"), column(page, "Negotiation"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("input:not([type=hidden]), select, textarea")).to_have_count(1)
    dialog.locator("[name=expected_close]").fill("2027-03-31")
    dialog.get_by_role("button", name=re.compile("Move")).click()
    expect(column(page, "Negotiation").locator("[data-card]")).to_contain_text("Forty windows")


def test_8_makes_a_task_and_does_it(page):
    card(page, "Forty windows").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1, name="Forty windows")).to_be_visible()
    shown(page.get_by_role("tab", name="Task")).click()
    page.locator("#task-form [name=name]").fill("Send the offer")
    page.get_by_role("button", name="Add task").click()
    expect(page.locator("#timeline").get_by_text("Send the offer").first).to_be_visible()
    page.get_by_role("button", name="Done: Send the offer").first.click()
    expect(page.get_by_role("button", name="Open again: Send the offer").first).to_be_visible()


def test_9_undoes_the_last_change(page):
    page.goto(page.url.split("/deals/")[0] + "/companies/")
    page.get_by_role("link", name="Hotel Lindenhof", exact=True).click()
    page.get_by_role("button", name="More").click()
    page.get_by_role("button", name="Move to trash").click()
    expect(toast(page)).to_be_visible()
    with page.expect_response("**/undo/**"):
        toast(page).get_by_role("button", name="Undo").click()
    expect(toast(page)).to_contain_text(re.compile("undone|back", re.I))
    page.goto(f"{page.url.split('/companies/')[0]}/companies/")
    expect(page.get_by_role("link", name="Hotel Lindenhof", exact=True)).to_be_visible()


def test_10_a_key_and_the_curl_line_as_printed_make_a_deal(page):
    page.goto(page.url.split("/companies/")[0] + "/settings/api/")
    page.get_by_label("Name").fill("Website")
    page.get_by_role("button", name="Make the key").click()
    line = page.get_by_test_id("curl-create").inner_text()
    answer = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30, check=True)
    made = json.loads(answer.stdout)
    assert made["name"], shlex.quote(line)
    page.goto(page.url.split("/settings/")[0] + f"/deals/{made['id']}/")
    expect(page.get_by_role("heading", level=1, name=made["name"])).to_be_visible()


def test_11_renames_a_stage(page):
    page.goto(page.url.split("/deals/")[0] + "/settings/pipelines/")
    page.get_by_role("main").get_by_role("link", name="Sales", exact=True).click()
    page.get_by_role("link", name="Change Negotiation").click()
    page.get_by_label("Name").fill("Bargaining")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("link", name="Change Bargaining")).to_be_visible()
    page.goto(page.url.split("/settings/")[0] + "/deals/board/")
    expect(column(page, "Bargaining").locator("[data-card]")).to_contain_text("Forty windows")


def test_12_nothing_broke_on_the_way(story, page):
    assert story["problems"] == []
    assert axe_problems(page) == []
