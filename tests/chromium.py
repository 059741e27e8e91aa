"""One Chromium for all tests of a process. Without one they are skipped, with the word what to install."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

# As long as Playwright waits for everything else: on a busy machine a page may take its time.
expect.set_options(timeout=30_000)

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
HOW = "no Chromium: install one (Debian: apt-get install chromium) or set CHROMIUM to its path"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# What goes by itself after some seconds, such as a message with its Undo, stays until a slow machine comes to it.
NO_HURRY = """
const soon = window.setTimeout;
window.setTimeout = (work, wait, ...more) => soon(work, wait >= 5000 ? wait * 30 : wait, ...more);
"""
SETTLED = """() => !document.querySelector(".htmx-request, .htmx-swapping, .htmx-settling")
    && document.getAnimations().every(
        (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity
    )"""


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("CHROMIUM") or next((path for name in CHROMIUM if (path := shutil.which(name))), None)
    if found is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail(HOW)
        pytest.skip(HOW)
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Browser, problems: list[str], **look: Any) -> Page:
    """A page in a window of its own; scripts that broke in it and what the policy refused are kept in ``problems``."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"} | look)
    context.add_init_script(NO_HURRY)
    page = context.new_page()
    page.on("pageerror", lambda error: problems.append(f"{page.url}: {error}"))
    page.on(
        "console",
        lambda said: problems.append(f"{page.url}: {said.text}") if "Content Security Policy" in said.text else None,
    )
    return page


def settled(page: Page) -> None:
    """Wait until the page listens to what is done on it: loaded, with nothing under way and nothing in motion."""
    page.wait_for_load_state()
    page.wait_for_function(SETTLED)
