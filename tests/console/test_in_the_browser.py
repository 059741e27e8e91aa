"""The console in a browser: accessible, in both themes and on a phone, and worked without a mouse.

Takes its seconds for some thirty pages.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextvars import copy_context
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from billing.models import ReconcileRun, StripeEvent, SubscriptionChange
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.workspaces.announcements import announce, audience_of
from tenants.workspaces.hosts import public_url
from tests.billing.accounts import account_of, invoiced, subscribed
from tests.browser.conftest import axe_problems, problems_in_the_dark
from tests.chromium import open_page, settled
from tests.ui.conftest import Screen, answer, screen  # noqa: F401

WORDS = "On Sunday we move to a new house"


@pytest.fixture
def filled(db: None, tenant_a: Any, tenant_b: Any) -> str:
    """Something on every page of the console; gives the id of an event."""
    account = account_of(tenant_a, customer_id="cus_1", card_brand="visa", card_last4="4242", needs_attention="Look.")
    subscribed(account)
    invoiced(account, "R-0001", status="open", paid="0")
    now = timezone.now()
    with shared():
        event = StripeEvent.objects.create(
            stripe_id="evt_1",
            livemode=False,
            type="invoice.payment_failed",
            payload={"id": "evt_1", "of": "x" * 300},
            account=account,
            state="dead",
            attempts=6,
            error="ValueError: a long line of what went wrong, " * 4,
            happened_at=now,
        )
        SubscriptionChange.objects.create(
            account=account, at=now, kind="new", currency="EUR", before=0, after="174.00", plan_after="team", quantity=6
        )
        drift = [{"account": str(account.id), "what": "sub_1", "before": "active", "after": "canceled"}]
        ReconcileRun.objects.create(kind="full", started_at=now, looked_at=3, drift=drift)
        Tenant.objects.create(name="Cedar Gates")
        Tenant.objects.filter(name="Cedar Gates").update(created_at=now - timedelta(hours=1))
        announce(
            texts={"en": WORDS},
            language="en",
            until=now + timedelta(days=1),
            to=audience_of(plans=[], states=[], ids=[]),
            audience={},
            author="operator@example.com",
        )
    return str(event.pk)


@pytest.fixture
def look(browser: Browser, console: Client) -> Iterator[Callable[..., Page]]:
    """``look("/console/", width=390)``: the operator's page, whose broken scripts fail the test."""
    here, problems, pages = copy_context(), list[str](), list[Page]()

    def opened(path: str, *, width: int = 1280) -> Page:
        page = open_page(browser, problems, viewport={"width": width, "height": 900}, has_touch=width < 720)
        pages.append(page)
        page.route("**/*", lambda route: answer(route, console, here))
        page.goto(public_url(path))
        settled(page)
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert not problems


def paths(tenant_id: Any, event: str) -> list[str]:
    steps = ("suspend", "trial", "contract", "coupon", "fetch", "visit", "attention")
    return [
        "/console/",
        f"/console/workspaces/{tenant_id}/",
        *(f"/console/workspaces/{tenant_id}/{one}/" for one in steps),
        "/console/figures/",
        "/console/figures/revenue/?currency=EUR",
        "/console/figures/unpaid/?currency=EUR",
        "/console/figures/seats/",
        "/console/events/",
        f"/console/events/{event}/",
        "/console/drift/",
        "/console/attention/",
        "/console/setups/",
        "/console/announcements/",
        "/console/announcements/new/",
        "/console/audit/",
    ]


def kept(page: Page, name: str) -> None:
    """A picture for whoever looks, where PICTURES names a folder."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.slow("opens twenty pages and looks at them in both themes")
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_is_accessible_and_as_wide_as_the_window(look, filled, tenant_a, width):
    for place, path in enumerate(paths(tenant_a.id, filled)):
        page = look(path, width=width)
        kept(page, f"{place:02d}-{width}")
        assert axe_problems(page) + (problems_in_the_dark(page) if width == 1280 else []) == [], path
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        page.context.close()


def test_a_workspace_is_found_and_suspended_by_keyboard(look, filled, tenant_a):
    page = look("/console/")
    page.keyboard.press("/")
    page.keyboard.type("alder")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Workspaces")
    settled(page)
    page.get_by_role("link", name=tenant_a.name).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(tenant_a.name)
    settled(page)
    page.get_by_role("link", name="Suspend").focus()
    page.keyboard.press("Enter")
    reason = page.get_by_label("Reason")
    expect(reason).to_be_visible()
    settled(page)
    reason.focus()
    page.keyboard.type("Unpaid for a year")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_text("What the workspace is told")).to_be_visible()
    with shared():
        assert Tenant.objects.get(id=tenant_a.id).state == "suspended"


def test_an_announcement_is_read_and_put_away(screen: Screen, filled: str, owner: Any) -> None:  # noqa: F811
    page = screen(owner, "/deals/")
    expect(page.get_by_text(WORDS)).to_be_visible()
    assert axe_problems(page) == []
    page.get_by_role("button", name="Do not show this again").click()
    expect(page.get_by_text(WORDS)).to_have_count(0)
    expect(page).to_have_url(re.compile("/deals/$"))


def test_who_may_come_in_is_settled_in_the_settings(screen: Screen, tenant_a: Any, seller: Any) -> None:  # noqa: F811
    page = screen(seller, "/settings/support/", width=390)
    assert axe_problems(page) == []
    page.get_by_role("button", name="Let support in as me").click()
    expect(page.get_by_text("Support may come in as you until")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Take it back").click()
    page.get_by_role("dialog").get_by_role("button", name="Go on").click()
    expect(page.get_by_role("button", name="Let support in as me")).to_be_visible()
