"""A real browser on the real product."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, Page

from tests.chromium import open_page, settled
from tests.stack import Stack, adopted_stack, running_stack

AXE_OPTIONS = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "preload": False,
}
ALIKE = ["tbody > tr:nth-child(n+9)", "[data-card]:nth-child(n+5)"]
"""Rows and cards are made by one template: what is wrong with them is wrong with the first few."""
FRAME = ".shell > .sidebar"
"""What stands beside every page of a workspace."""
AXE_RUN = """async ([where, options]) => (await axe.run(where, options)).violations.map(
    (one) => `${one.id}: ${one.help} — ${JSON.stringify(one.nodes.slice(0, 4).map((node) => node.target))}`
)"""


@pytest.fixture(scope="package")
def stack(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product, from the first of these tests to the last; STACK names the DATA folder of a running copy instead."""
    if os.environ.get("STACK"):
        yield adopted_stack(Path(os.environ["STACK"]))
        return
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


def sign_in(page: Page, stack: Stack) -> None:
    """Sign the demo owner in and arrive in their workspace."""
    page.goto(f"{stack.demo['base_url']}/signin/")
    page.get_by_label("Email").fill(stack.demo["email"])
    page.get_by_label("Password").fill(stack.demo["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{stack.demo['workspace_url']}**")


@pytest.fixture(scope="module")
def signed_in_state(browser: Browser, stack: Stack) -> Any:
    """The demo owner's cookies; anew for each file, since what a story does to their account may end their sessions."""
    page = open_page(browser, [])
    sign_in(page, stack)
    state = page.context.storage_state()
    page.context.close()
    return state


@pytest.fixture
def demo_page(browser: Browser, stack: Stack, signed_in_state: Any) -> Iterator[Page]:
    """A page of the demo workspace, signed in as its owner; what breaks on it fails the test."""
    problems: list[str] = []
    page = open_page(browser, problems, storage_state=signed_in_state)
    page.goto(stack.demo["workspace_url"])
    yield page
    page.context.close()
    assert problems == []


def axe_problems(page: Page, *, every_row: bool = False, framed: bool = True, rule: str = "") -> list[str]:
    """What axe finds against WCAG 2.2 AA, or against one rule of it, one line each with the elements.

    ``framed=False`` leaves the frame out, for pages after the first in the same look.
    """
    settled(page)
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    left_out = [*([] if every_row else ALIKE), *([] if framed else [FRAME])]
    where = {"include": [["html"]], "exclude": [[one] for one in left_out]}
    options = AXE_OPTIONS | ({"runOnly": {"type": "rule", "values": [rule]}} if rule else {})
    found: list[str] = page.evaluate(AXE_RUN, [where, options])
    return found


def problems_in_the_dark(page: Page, *, framed: bool = True) -> list[str]:
    """What axe finds in dark colours of a page that it has seen in light ones: nothing but colours changes."""
    page.emulate_media(color_scheme="dark")
    found = axe_problems(page, framed=framed, rule="color-contrast")
    page.emulate_media(color_scheme="light")
    return [f"in the dark: {problem}" for problem in found]
