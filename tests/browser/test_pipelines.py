"""An admin shapes a second pipeline while deals stand in it: by mouse, and by keyboard only."""

import re
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import axe_problems
from tests.browser.hands import HANDS
from tests.chromium import open_page, settled
from tests.stack import Stack


@pytest.fixture
def admin(browser: Browser, stack: Stack, signed_in_state) -> Iterator[Page]:
    problems: list[str] = []
    page = open_page(browser, problems, viewport={"width": 1400, "height": 900}, storage_state=signed_in_state)
    yield page
    page.context.close()
    assert problems == []


@pytest.fixture
def second(stack: Stack) -> dict[str, str]:
    """A second pipeline in use: three open stages, a deal in the first of them."""
    name = f"Repairs {uuid4().hex[:6]}"
    made = stack.api("POST", "/pipelines", {"name": name}).body["id"]
    stages = {}
    kinds = (("Asked", "open"), ("Visit", "open"), ("Offer", "open"), ("Done", "won"), ("Gone", "lost"))
    for label, kind in kinds:
        stages[label] = stack.api("POST", "/stages", {"name": label, "pipeline": made, "kind": kind}).body["id"]
    deal = stack.api("POST", "/deals", {"name": f"Hinge {name}", "stage": stages["Asked"]}).body["id"]
    return {"name": name, "id": made, "deal": deal, **stages}


def order(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("[data-sortable] .sort-title a").all_inner_texts()][:3]


def stands_in(stack: Stack, second: dict[str, str]) -> str:
    stage: str = stack.api("GET", f"/deals/{second['deal']}").body["stage"]
    return stage


def address(stack: Stack, path: str) -> str:
    return stack.demo["workspace_url"].rstrip("/") + path


def test_by_mouse(admin: Page, stack: Stack, second: dict[str, str]) -> None:
    page = admin
    page.goto(address(stack, f"/settings/pipelines/{second['id']}/"))
    assert axe_problems(page) == []
    handle = page.get_by_role("button", name="Put Offer elsewhere").bounding_box()
    first = page.locator(f"#stage-{second['Visit']}").bounding_box()
    assert handle is not None
    assert first is not None
    with page.expect_response("**/order/"):
        page.mouse.move(handle["x"] + 8, handle["y"] + 8)
        page.mouse.down()
        page.mouse.move(handle["x"] + 8, first["y"] + 4, steps=8)
        page.mouse.up()
    page.reload()
    assert [name.removeprefix("Change").strip() for name in order(page)] == ["Asked", "Offer", "Visit"]

    page.get_by_role("link", name="Change Offer").click()
    page.get_by_label("Guidance").fill("Ask who decides.")
    with page.expect_response("**/settings/pipelines/stages/**"):
        page.get_by_role("button", name="Add a condition").click()
    settled(page)

    def answer_late(route: Route) -> None:
        time.sleep(0.5)
        route.continue_()

    page.route("**/settings/pipelines/stages/**", answer_late)
    with page.expect_response("**/settings/pipelines/stages/**"):
        page.get_by_label("Operator", exact=True).select_option(label="is more than")
        page.locator('[name="c0.value"]').fill("100")
    page.unroute("**/settings/pipelines/stages/**")
    expect(page.locator('[name="c0.value"]')).to_have_value("100")
    assert axe_problems(page) == []
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Amount is more than 100")).to_be_visible()

    page.goto(address(stack, f"/deals/board/?pipeline={second['id']}"))
    card = page.locator("[data-card]", has_text="Hinge")
    card.hover()
    card.get_by_role("button", name=re.compile("Move")).click()
    page.get_by_role("menuitem", name="Offer").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("takes only deals where: Amount is more than 100")
    dialog.locator("[name=amount]").fill("250")
    dialog.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator('[data-stage][data-name="Offer"] [data-card]')).to_contain_text("Hinge")
    expect(page.locator(".toast").last).to_contain_text("Moved to Offer")
    assert axe_problems(page) == []

    page.goto(address(stack, f"/settings/pipelines/{second['id']}/"))
    page.get_by_role("link", name="Archive the pipeline").click()
    expect(page.get_by_text("1 deal moves.")).to_be_visible()
    assert axe_problems(page) == []
    page.get_by_role("button", name="Archive the pipeline").click()
    expect(page.get_by_role("button", name=f"Restore {second['name']}")).to_be_visible()
    assert stands_in(stack, second) not in second.values()


def test_by_keyboard_only(admin: Page, stack: Stack, second: dict[str, str]) -> None:
    page, hand = admin, HANDS["keyboard"]
    page.goto(address(stack, f"/settings/pipelines/{second['id']}/"))
    handle = page.get_by_role("button", name="Put Asked elsewhere")
    hand.reach(handle)
    page.keyboard.press("Space")
    said = page.locator("#order-open-said")
    expect(said).to_contain_text("Asked picked up, place 1 of 3.")
    page.keyboard.press("ArrowDown")
    expect(said).to_contain_text("Asked, place 2 of 3.")
    page.keyboard.press("Escape")
    expect(said).to_contain_text("Asked is back at place 1 of 3.")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    with page.expect_response("**/order/"):
        page.keyboard.press("Space")
    expect(said).to_contain_text("Asked put down at place 2 of 3.")
    page.reload()
    assert [name.removeprefix("Change").strip() for name in order(page)] == ["Visit", "Asked", "Offer"]

    hand.press(page.get_by_role("link", name="Change Visit"))
    expect(page.get_by_role("heading", level=1, name="Visit")).to_be_visible()
    hand.reach(page.get_by_label("Days until stale"))
    page.keyboard.type("5")
    hand.press(page.get_by_role("button", name="Save"))
    expect(page.get_by_text("stale after 5 days")).to_be_visible()

    page.goto(address(stack, f"/deals/board/?pipeline={second['id']}"))
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-selected-count]")).to_have_text("1")
    page.keyboard.press("m")
    expect(page.get_by_role("menu", name="Move to")).to_be_visible()
    wanted = page.get_by_role("menuitem", name="Visit")
    for _step in range(8):
        if wanted.evaluate("element => element === document.activeElement"):
            break
        page.keyboard.press("ArrowDown")
    expect(wanted).to_be_focused()
    assert axe_problems(page) == []
    page.keyboard.press("Enter")
    expect(page.locator('[data-stage][data-name="Visit"] [data-card]')).to_contain_text("Hinge")
    expect(page.locator(".toast").last).to_contain_text("Moved to Visit")
    assert stands_in(stack, second) == second["Visit"]
