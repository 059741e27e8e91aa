"""A colleague leaves and everything is handed over: by mouse, taken back, and again by keyboard only."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import axe_problems
from tests.browser.hands import HANDS
from tests.stack import Stack

LEAVER, TAKER, MANAGER = "Marek Nowak", "Sofia Lind", "Jonas Keller"


@pytest.fixture
def page(demo_page: Page) -> Page:
    return demo_page


def people(stack: Stack) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in stack.api("GET", "/members").body["data"]}


def held(stack: Stack, name: str) -> dict[str, int]:
    """How much a member has open, as the API says."""
    member = people(stack)[name]["id"]
    asked = {
        "deals": f"owner={member}&stage.kind=open",
        "companies": f"owner={member}",
        "contacts": f"owner={member}",
        "tasks": f"assignee={member}&done=false",
    }
    return {
        noun: stack.api("GET", f"/{noun}?limit=1&include=count&{query}").body["count"] for noun, query in asked.items()
    }


def test_by_mouse_and_taken_back(page: Page, stack: Stack) -> None:
    before = {name: held(stack, name) for name in (LEAVER, TAKER, MANAGER)}
    assert before[LEAVER]["deals"] > 0
    assert before[LEAVER]["tasks"] > 0
    page.goto(f"{stack.demo['workspace_url']}settings/members/")
    page.get_by_role("link", name=LEAVER).first.click()
    expect(page.get_by_role("heading", name=f"Open with {LEAVER}")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("Deals"))
    expect(row.get_by_role("cell").nth(1)).to_have_text(str(before[LEAVER]["deals"]))
    page.get_by_role("link", name="Deactivate and hand over…").click()
    expect(page.get_by_role("heading", name=f"Deactivate {LEAVER}")).to_be_visible()
    assert axe_problems(page) == []
    expect(page.get_by_label("Who takes over").locator("option:checked")).to_have_text(MANAGER)
    page.get_by_label("Deals go to").select_option(label=TAKER)
    page.get_by_role("button", name="Hand over and deactivate").click()
    toast = page.locator(".toast").last
    expect(toast).to_contain_text(f"{LEAVER} is deactivated. Handed over:")
    expect(page.get_by_role("link", name=LEAVER)).to_have_count(0)
    after = {name: held(stack, name) for name in (LEAVER, TAKER, MANAGER)}
    assert after[LEAVER] == dict.fromkeys(after[LEAVER], 0)
    assert after[TAKER]["deals"] == before[TAKER]["deals"] + before[LEAVER]["deals"]
    assert after[MANAGER]["tasks"] == before[MANAGER]["tasks"] + before[LEAVER]["tasks"]
    toast.get_by_role("button", name="Undo").click()
    asks = page.get_by_role("dialog")
    expect(asks).to_contain_text(re.compile(f"Undoing lets .*{LEAVER}.* in again"))
    assert axe_problems(page) == []
    asks.get_by_role("button", name="Undo").click()
    expect(page.locator(".toast").last).to_contain_text("Undone:")
    expect(page.get_by_role("link", name=LEAVER).first).to_be_visible()
    assert {name: held(stack, name) for name in (LEAVER, TAKER, MANAGER)} == before


def test_by_keyboard_only(page: Page, stack: Stack) -> None:
    hand = HANDS["keyboard"]
    before = {name: held(stack, name) for name in (LEAVER, TAKER)}
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/settings/**")
    hand.press(page.get_by_role("main").get_by_role("link", name=re.compile("^Members")))
    expect(page.get_by_role("heading", level=1, name="Members")).to_be_visible()
    hand.press(page.get_by_role("link", name=LEAVER).first)
    hand.press(page.get_by_role("link", name="Deactivate and hand over…"))
    expect(page.get_by_role("heading", name=f"Deactivate {LEAVER}")).to_be_visible()
    hand.choose(page.get_by_label("Who takes over"), TAKER)
    hand.press(page.get_by_role("button", name="Hand over and deactivate"))
    expect(page.locator(".toast").last).to_contain_text(f"{LEAVER} is deactivated. Handed over:")
    after = {name: held(stack, name) for name in (LEAVER, TAKER)}
    assert after[LEAVER] == dict.fromkeys(after[LEAVER], 0)
    assert after[TAKER] == {noun: before[TAKER][noun] + before[LEAVER][noun] for noun in before[TAKER]}
    hand.press(page.locator(".toast").last.get_by_role("button", name="Undo"))
    expect(page.get_by_role("dialog").get_by_role("button", name="Undo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("Undone:")
    assert {name: held(stack, name) for name in (LEAVER, TAKER)} == before


def test_the_audit_tells_of_it(page: Page, stack: Stack) -> None:
    page.goto(f"{stack.demo['workspace_url']}settings/audit/?kind=people")
    expect(page.get_by_role("row", name=re.compile(f"deactivated a member: {LEAVER}")).first).to_be_visible()
    expect(page.get_by_role("row", name=re.compile(f"let a member in again: {LEAVER}")).first).to_be_visible()
    assert axe_problems(page) == []
