"""What stories of billing do on the stand-in's pages."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.browser.hands import Hand

VISA, DECLINED, FAILS_LATER = "4242424242424242", "4000000000000002", "4000000000000341"
PAY = re.compile("Subscribe and pay")
HERE = re.compile(r"(^|\.)localhost$|^127\.0\.0\.1$")


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


def card_changed(hand: Hand, page: Page, number: str) -> None:
    """Give another card on the portal, and come back."""
    here = page.url
    page.goto(f"{here.split('/settings/')[0]}/settings/billing/")
    hand.press(page.get_by_role("button", name="Change the payment method"))
    page.wait_for_url("**/p/session/**")
    hand.write(page.get_by_label("Card number"), number)
    hand.write(page.get_by_label("Expires"), "12 / 34")
    hand.write(page.get_by_label("Security code (CVC)"), "123")
    hand.press(page.get_by_role("button", name=re.compile("Save the card")))
    page.wait_for_url("**/settings/billing/")
