"""A business pays, in a browser against the stand-in: nothing but this machine is asked for anything."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.hands import HANDS
from tests.browser.office import Office
from tests.browser.paying import DECLINED, HERE, VISA, card_given, listen
from tests.stack import Stack


@pytest.fixture
def office(browser: Browser, stack: Stack) -> Iterator[Office]:
    found = Office(browser, stack)
    yield found
    found.close()
    assert found.problems == []


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
