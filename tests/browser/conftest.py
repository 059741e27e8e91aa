"""A real browser on the real product."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.stack import Stack, adopted_stack, running_stack

AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture(scope="session")
def stack(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The product, started for these tests; STACK names the DATA folder of a running copy to use instead."""
    if os.environ.get("STACK"):
        yield adopted_stack(Path(os.environ["STACK"]))
        return
    with running_stack(tmp_path_factory.mktemp("stack")) as running:
        yield running


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """A page whose errors fail the test: a script that broke, or something the content security policy refused."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "console",
        lambda message: problems.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.problems = problems  # type: ignore[attr-defined]
    return page


def sign_in(page: Page, stack: Stack) -> None:
    """Sign the demo owner in and arrive in his workspace."""
    page.goto(f"{stack.demo['base_url']}/signin/")
    page.get_by_label("Email").fill(stack.demo["email"])
    page.get_by_label("Password").fill(stack.demo["password"])
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{stack.demo['workspace_url']}**")


@pytest.fixture(scope="module")
def signed_in_state(browser: Browser, stack: Stack) -> Any:
    """The demo owner's cookies; anew for each file, since what a story does to his account may end his sessions."""
    context = browser.new_context()
    sign_in(context.new_page(), stack)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def demo_page(browser: Browser, stack: Stack, signed_in_state: Any) -> Iterator[Page]:
    """A page of the demo workspace, signed in as its owner."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, storage_state=signed_in_state)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.goto(stack.demo["workspace_url"])
    yield page
    context.close()


def axe_problems(page: Page) -> list[str]:
    """What axe finds against WCAG 2.2 AA, one line each with the elements."""
    found = Axe().run(page, options={"runOnly": AXE_TAGS})
    return [
        f"{one['id']}: {one['help']} — {[node['target'] for node in one['nodes']][:4]}"
        for one in found.response["violations"]
    ]
