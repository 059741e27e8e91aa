"""A business pays, in a browser against the stand-in: nothing but this machine is asked for anything.

Takes its time: two stories in a running product, with everything that is due moved by its clock.
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hands import HANDS, Hand
from tests.browser.office import Office
from tests.stack import Stack

VISA, DECLINED = "4242424242424242", "4000000000000002"
PAY = re.compile("Subscribe and pay")
HERE = re.compile(r"(^|\.)localhost$|^127\.0\.0\.1$")


@pytest.fixture
def office(browser: Browser, stack: Stack) -> Iterator[Office]:
    found = Office(browser, stack)
    yield found
    found.close()
    assert found.problems == []


def listen(page: Page) -> set[str]:
    """The hosts that a page's window asks from now on."""
    hosts: set[str] = set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
    return hosts


def card_given(hand: Hand, page: Page, number: str) -> None:
    """Fill in the checkout's form and send it."""
    hand.write(page.get_by_label("Card number"), number)
    hand.write(page.get_by_label("Expires"), "12 / 34")
    hand.write(page.get_by_label("Security code (CVC)"), "123")
    hand.write(page.get_by_label("Name", exact=True), "Jutta Koeln")
    hand.choose(page.get_by_label("Country"), "Germany")
    hand.write(page.get_by_label("Street and number"), "Domkloster 4")
    hand.write(page.get_by_label("Postal code"), "50667")
    hand.write(page.get_by_label("Town"), "Koeln")
    hand.press(page.get_by_role("button", name=PAY))


def test_a_business_signs_up_is_declined_pays_and_is_active(office: Office) -> None:
    hand = HANDS["mouse"]
    page = office.open("Jutta Koeln")
    hosts = listen(page)
    page.goto(f"{office.url}/settings/billing/")
    expect(page.get_by_text("Payments here are a test: no money moves.")).to_be_visible()
    hand.press(page.get_by_role("link", name="Choose a plan").first)
    hand.press(page.get_by_role("link", name="Choose Team"))
    expect(page.get_by_text("1 seat at")).to_be_visible()
    hand.press(page.get_by_role("button", name="Go to the checkout"))
    page.wait_for_url("**/c/pay/**")
    card_given(hand, page, DECLINED)
    expect(page.get_by_role("alert")).to_be_visible()
    card_given(hand, page, VISA)
    expect(page.get_by_text("It is paid.")).to_be_visible()
    hand.press(page.get_by_role("link", name="Go on"))
    expect(page.get_by_text("renews by itself")).to_be_visible()
    expect(page.get_by_text("that ends in 4242")).to_be_visible()
    receipt = office.stack.wait_mail(office.email("Jutta Koeln"), subject="Receipt")
    assert any("/pdf" in one for one in receipt["links"])
    assert {host for host in hosts if not HERE.search(host)} == set()
