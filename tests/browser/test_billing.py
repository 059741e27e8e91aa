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

VISA, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"
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


def moved(office: Office, step: str) -> None:
    """Move the clock of payments, with everything that falls due on the way."""
    office.stack.manage("billing_clock", step)


@pytest.mark.parametrize("hand", HANDS.values(), ids=HANDS)
def test_a_workspace_lives_from_trial_to_deletion(hand: Hand, office: Office) -> None:
    name = "Jutta Koeln"
    page = office.open(name)
    billing = f"{office.url}/settings/billing/"
    told = office.email(name)
    page.goto(billing)
    expect(page.get_by_text("You can try everything until")).to_be_visible()

    moved(office, "+12d")
    page.reload()
    expect(page.get_by_text("The trial ends in 2 days.")).to_be_visible()
    office.stack.wait_mail(told, subject="ends in 3 days")
    moved(office, "+3d")
    page.reload()
    expect(page.get_by_text("This workspace is read-only").first).to_be_visible()
    office.stack.wait_mail(told, subject="has ended")
    office.looked_at(page, f"billing-ended-{hand.keyboard}")

    hand.press(page.get_by_role("link", name="Choose a plan").first)
    hand.press(page.get_by_role("link", name="Choose Team"))
    hand.press(page.get_by_role("button", name="Go to the checkout"))
    page.wait_for_url("**/c/pay/**")
    card_given(hand, page, VISA)
    expect(page.get_by_text("It is paid.")).to_be_visible()
    hand.press(page.get_by_role("link", name="Go on"))
    expect(page.get_by_text("renews by itself")).to_be_visible()

    hand.write(page.get_by_label("Seats in all"), "3")
    hand.press(page.get_by_role("button", name="See what more seats cost"))
    office.looked_at(page, f"billing-seats-{hand.keyboard}")
    hand.press(page.get_by_role("button", name=re.compile("^Change it")))
    expect(page.get_by_text("1 of 3 seats are taken")).to_be_visible()
    office.stack.wait_mail(told, subject="plan of")

    card_changed(hand, page, FAILS_LATER)
    moved(office, "+32d")
    page.goto(billing)
    expect(page.get_by_text("A payment for this workspace failed.")).to_be_visible()
    office.stack.wait_mail(told, subject="failed")
    office.looked_at(page, f"billing-failed-{hand.keyboard}")
    card_changed(hand, page, VISA)
    hand.press(page.get_by_role("link", name=re.compile("^Pay ")).first)
    hand.press(page.get_by_role("button", name=re.compile("^Pay ")).first)
    expect(page.get_by_text(re.compile("Paid", re.IGNORECASE)).first).to_be_visible()
    page.goto(billing)
    until(page, "renews by itself")

    hand.press(page.get_by_role("link", name="Cancel the subscription"))
    hand.tick(page.get_by_label("We do not use it enough"))
    office.looked_at(page, f"billing-cancel-{hand.keyboard}")
    hand.press(page.get_by_role("button", name="Cancel the subscription"))
    expect(page.get_by_role("button", name="Go on after all").first).to_be_visible()
    hand.press(page.get_by_role("button", name="Go on after all").first)
    expect(page.get_by_text("renews by itself")).to_be_visible()
    hand.press(page.get_by_role("link", name="Cancel the subscription"))
    hand.tick(page.get_by_label("Another reason"))
    hand.press(page.get_by_role("button", name="Cancel the subscription"))
    office.stack.wait_mail(told, subject="is cancelled")

    moved(office, "+32d")
    page.goto(billing)
    expect(page.get_by_text("The subscription has ended.")).to_be_visible()
    moved(office, "+31d")
    page.goto(billing)
    expect(page.get_by_text("The workspace is closed, and deleted on")).to_be_visible()
    office.stack.wait_mail(told, subject="will be deleted")
    for _week in range(10):
        moved(office, "+7d")
    office.stack.wait_mail(told, subject="was deleted")
    assert page.goto(billing).status in (404, 410)


def card_changed(hand: Hand, page: Page, number: str) -> None:
    """Give another card on the portal, and come back."""
    here = page.url
    page.goto(f"{here.split('/settings/')[0]}/settings/billing/")
    hand.press(page.get_by_role("button", name="Give another payment method"))
    page.wait_for_url("**/p/session/**")
    hand.write(page.get_by_label("Card number"), number)
    hand.write(page.get_by_label("Expires"), "12 / 34")
    hand.write(page.get_by_label("Security code (CVC)"), "123")
    hand.press(page.get_by_role("button", name=re.compile("Save the card")))
    page.wait_for_url("**/settings/billing/")


def until(page: Page, words: str) -> None:
    """Look again until the page says so: a webhook takes its time."""
    for _look in range(60):
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"{page.url} never says {words!r}")
