"""Every page, wide in light and dark, and on a phone: no script error, nothing refused by the policy, axe clean."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import axe_problems, problems_in_the_dark
from tests.chromium import open_page
from tests.depth import DEEP
from tests.stack import Stack

PUBLIC = [
    "/",
    "/pricing/",
    "/pricing/?interval=year&currency=GBP",
    "/signup/",
    "/signin/",
    "/password/reset/",
    "/workspaces/",
    "/account/",
    "/account/confirm/",
    "/nowhere/",
]
WORKSPACE = [
    "/",
    "/companies/",
    "/companies/?q=zzzz",
    "/companies/new/",
    "/contacts/",
    "/contacts/new/",
    "/deals/",
    "/deals/new/",
    "/deals/?group=stage",
    "/deals/board/",
    "/tasks/",
    "/tasks/new/",
    "/calls/",
    "/calls/new/",
    "/meetings/",
    "/meetings/new/",
    "/emails/",
    "/emails/new/",
    "/calendar/",
    "/calendar/?span=day",
    "/calendar/?span=month&who=all",
    "/settings/calendar/",
    "/inbox/",
    "/search/?q=fenster",
    "/trash/",
    "/jobs/",
    "/settings/personal/",
    "/settings/notifications/",
    "/settings/changes/",
    "/settings/workspace/",
    "/settings/hours/?country=DE",
    "/settings/currencies/",
    "/settings/currencies/USD/",
    "/settings/currencies/USD/remove/",
    "/settings/currencies/own/?own-currency=USD",
    "/settings/address/",
    "/settings/",
    "/settings/?q=rate",
    "/settings/billing/",
    "/settings/billing/next/",
    "/settings/billing/invoices/",
    "/settings/billing/plans/",
    "/settings/billing/change/business_year_eur/",
    "/settings/billing/change/team_month_eur/?seats=3",
    "/settings/billing/contact/",
    "/settings/billing/coupon/",
    "/settings/billing/cancel/",
    "/settings/members/",
    "/settings/teams/",
    "/settings/audit/",
    "/settings/roles/",
    "/settings/roles/new/?from=team",
    "/settings/security/",
    "/settings/pipelines/",
    "/settings/api/",
    "/settings/data/",
    "/nowhere/",
]
LOOKS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1360, "height": 850}, "color_scheme": "light"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "has_touch": True, "is_mobile": True},
}


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest, browser: Browser, signed_in_state: Any) -> Iterator[tuple[str, Page]]:
    problems: list[str] = []
    page = open_page(browser, problems, storage_state=signed_in_state, **LOOKS[request.param])
    yield request.param, page
    page.context.close()
    assert problems == []


def first_record(stack: Stack, noun: str) -> str:
    row = stack.api("GET", f"/{noun}?limit=1").body["data"][0]
    return f"/{noun}/{row['id']}/"


def test_every_page_is_clean(look: tuple[str, Page], stack: Stack) -> None:
    name, page = look
    problems: list[str] = []
    workspace = stack.demo["workspace_url"].rstrip("/")
    records = [first_record(stack, noun) for noun in ("companies", "contacts", "deals", "tasks")]
    pipeline = stack.api("GET", "/pipelines?limit=1").body["data"][0]["id"]
    stage = stack.api("GET", "/stages?limit=1").body["data"][0]["id"]
    records += [f"/settings/pipelines/{pipeline}/", f"/settings/pipelines/{pipeline}/archive/"]
    records += [f"/settings/pipelines/stages/{stage}/", f"/settings/pipelines/stages/{stage}/remove/"]
    addresses = [f"{stack.demo['base_url'].rstrip('/')}{path}" for path in PUBLIC]
    addresses += [f"{workspace}{path}" for path in (*WORKSPACE, *records)]
    for address in addresses:
        page.goto(address)
        path = address.split("://", 1)[1].split("/", 1)[1]
        framed = path in {"", "deals/board/"}
        found = axe_problems(page, every_row=DEEP, framed=framed)
        keep(page, name, path)
        if name == "wide":
            found += problems_in_the_dark(page, framed=framed)
        problems += [f"{address}: {problem}" for problem in found]
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wider > 1:
            problems.append(f"{address}: {wider} px wider than the window")
    assert problems == []


def keep(page: Page, look: str, path: str) -> None:
    """With SHOTS=<folder> a picture of each page stays there, to be looked at."""
    if os.environ.get("SHOTS"):
        name = path.strip("/").replace("/", "_").replace("?", "_") or "start"
        page.screenshot(path=Path(os.environ["SHOTS"]) / f"{name}-{look}.png")
