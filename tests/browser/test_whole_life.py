"""A workspace from trial to deletion.

Takes its time: half a year passes, by the clock of payments. It comes last of the stories, since that clock is for all.
What a mouse does with these pages is told in ``test_billing``.
"""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.hands import HANDS, LIVED_BY
from tests.browser.office import Office
from tests.browser.paying import FAILS_LATER, VISA, card_changed, card_given
from tests.stack import Stack


@pytest.fixture
def office(browser: Browser, stack: Stack) -> Iterator[Office]:
    found = Office(browser, stack)
    yield found
    found.close()
    assert found.problems == []


def moved(office: Office, step: str) -> None:
    """Move the clock of payments, with everything that falls due on the way."""
    office.stack.manage("billing_clock", step)


@pytest.mark.parametrize("lived_by", LIVED_BY)
def test_a_workspace_lives_from_trial_to_deletion(lived_by: str, office: Office) -> None:
    hand = HANDS[lived_by]
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
    confirm = page.get_by_role("button", name=re.compile("^Change it"))
    expect(confirm).to_be_visible()
    office.looked_at(page, f"billing-seats-{hand.keyboard}")
    hand.press(confirm)
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
    expect(page.get_by_text("The workspace is suspended, and deleted on")).to_be_visible()
    office.stack.wait_mail(told, subject="will be deleted")
    moved(office, "+52d")
    moved(office, "+9d")
    office.stack.wait_mail(told, subject="was deleted")
    gone = page.goto(billing)
    assert gone is not None
    assert gone.status in (404, 410)


def until(page: Page, words: str) -> None:
    """Look again until the page says so: a webhook takes its time."""
    for _look in range(60):
        if page.get_by_text(words).count():
            return
        page.wait_for_timeout(500)
        page.reload()
    raise AssertionError(f"{page.url} never says {words!r}")
