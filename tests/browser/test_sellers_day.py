"""A seller's day, by keyboard alone, with nothing that axe finds on any page of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.hands import HANDS, LIVED_BY, Hand
from tests.browser.office import TIME_ZONE, WORDS, Office
from tests.browser.test_story import card, carry, column, toast
from tests.stack import Stack

pytestmark = pytest.mark.deep

OWNER, SELLER, MATE = "Olga Bauer", "Mara Lind", "Ivo Brandt"


@dataclass
class Day:
    """The seller's page and hand, and what was there in the morning."""

    office: Office
    page: Page
    mate: Page
    hand: Hand
    now: datetime
    deal: str

    def tomorrow(self, hour: int) -> datetime:
        return datetime.combine(self.now.date() + timedelta(days=1), time(hour), self.now.tzinfo)

    def go(self, path: str) -> None:
        self.page.goto(f"{self.office.url}{path}")


@pytest.fixture(scope="module", params=LIVED_BY)
def day(request: pytest.FixtureRequest, browser: Browser, stack: Stack) -> Iterator[Day]:
    """One browser that lives through the whole day; each test is the next hour of it."""
    office = Office(browser, stack)
    owner = office.open(OWNER)
    mate = office.join(owner, MATE, "Member")
    office.join(owner, SELLER, "Member")
    me, now = office.member_id(SELLER), datetime.now(ZoneInfo(TIME_ZONE))
    company = office.add("companies", name="Hotel Lindenhof", owner=me)
    grete = office.add("contacts", name="Grete Sommer", company=company, owner=me)
    deal = office.add("deals", name="Forty windows", amount="48000", company=company, owner=me, contacts=[grete])
    office.add("deals", name="Winter garden", amount="9000", company=company, owner=me)
    office.add("deals", name="Old mill doors", amount="3000", company=company, owner=me)
    office.add("deals", name="Roof of somebody else", amount="1000", company=company)
    about = {"type": "deal", "id": deal}
    for name, values in (
        ("Send samples", {"due_at": (now - timedelta(days=1)).isoformat()}),
        ("Ring the architect", {"due_on": f"{now.date()}"}),
        ("Chase the quote", {"due_on": f"{now.date() + timedelta(days=2)}"}),
    ):
        office.add("tasks", name=name, about=about, assignee=me, **values)
    shared = {"name": "Sellers' board", "layout": "board", "sharing": "everyone", "card_fields": ["source"]}
    assert office.api("POST", "/deals/views", shared).status == 201
    yield Day(office, office.page(), mate, HANDS[request.param], now, deal)
    office.close()


@pytest.fixture
def page(day: Day) -> Page:
    return day.page


@pytest.fixture
def hand(day: Day) -> Hand:
    return day.hand


def composer(day: Day, name: str) -> Locator:
    """The form that writes one kind of activity on the page of a record."""
    day.hand.press(day.page.get_by_role("tab", name=name, exact=True))
    return day.page.locator(f"#{name.lower()}-form")


def undo(day: Day) -> None:
    """By the mouse in the message, by the keyboard with Z."""
    with day.page.expect_response("**/undo/**"):
        if day.hand.keyboard:
            day.page.keyboard.press("z")
        else:
            toast(day.page).get_by_role("button", name="Undo").click()


def test_1_signs_in_and_sees_the_day(day, page, hand):
    page.goto(f"{day.office.stack.demo['base_url']}/signin/")
    hand.write(page.get_by_label("Email"), day.office.email(SELLER))
    hand.write(page.get_by_label("Password"), WORDS)
    hand.press(page.get_by_role("button", name="Sign in", exact=True))
    page.wait_for_url(f"{day.office.url}/**")
    todo = page.locator("section", has=page.locator("#home-tasks"))
    for title, name in (
        ("Overdue", "Send samples"),
        ("Today", "Ring the architect"),
        ("Next seven days", "Chase the quote"),
    ):
        expect(todo.locator(".items-title", has_text=title).locator("+ ul")).to_contain_text(name)
    needs = page.locator("section", has=page.locator("#home-deals"))
    expect(needs.locator("li", has_text="Winter garden")).to_contain_text("Nothing next")
    expect(needs).not_to_contain_text("Roof of somebody else")
    day.office.looked_at(page, "day-home")


def test_2_ticks_off_what_was_meant_to_stay_and_undoes_it(day, page, hand):
    hand.press(page.get_by_role("button", name="Done: Ring the architect"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Done: Ring the architect")
    hand.press(dialog.get_by_role("button", name="Nothing more"))
    expect(dialog).to_be_hidden()
    undo(day)
    expect(page.get_by_role("button", name="Done: Ring the architect")).to_be_visible()


def test_3_ticks_off_a_task_and_plans_the_next_in_one_go(day, page, hand):
    hand.press(page.get_by_role("button", name="Done: Send samples"))
    dialog = page.get_by_role("dialog")
    hand.write(dialog.get_by_label("Outcome"), "Oak it is")
    hand.write(dialog.get_by_role("textbox", name="Task", exact=True), "Quote in oak")
    hand.at(dialog.get_by_role("group", name="Due"), day.tomorrow(9))
    day.office.looked_at(page, "day-next")
    with page.expect_response("**/next/"):
        hand.press(dialog.get_by_role("button", name="Save and plan next"))
    expect(dialog).to_be_hidden()
    page.reload()
    expect(page.get_by_role("button", name="Done: Quote in oak")).to_be_visible()
    expect(page.get_by_role("button", name="Done: Send samples")).to_have_count(0)


def test_4_logs_a_call_in_two_clicks(day, page, hand):
    day.go("/")
    hand.press(page.get_by_role("link", name="Winter garden").first)
    expect(page.get_by_role("heading", level=1, name="Winter garden")).to_be_visible()
    form = composer(day, "Call")
    hand.press(form.get_by_role("button", name="Reached", exact=True))
    expect(page.locator("#timeline")).to_contain_text(re.compile("called.*Reached"))
    day.office.looked_at(page, "day-call")


def test_5_plans_a_meeting_with_guests_and_a_place(day, page, hand):
    form = composer(day, "Meeting")
    hand.write(form.get_by_role("textbox", name="Subject"), "Measure the garden")
    hand.at(form.get_by_role("group", name="Start"), day.tomorrow(10))
    hand.find(form.locator("#meeting-guests"), "Grete Sommer")
    hand.find(form.locator("#meeting-guests"), MATE)
    hand.press(form.locator("summary"))
    hand.write(form.get_by_role("textbox", name="Place"), "Seestraße 4")
    hand.press(form.get_by_role("button", name="Plan meeting"))
    planned = page.locator(".planned-item", has_text="Measure the garden")
    expect(planned).to_contain_text("Seestraße 4")
    day.office.looked_at(page, "day-meeting")
    expect(day.office.told(day.mate, "Measure the garden")).to_be_visible()


def test_6_carries_it_to_another_time_in_the_calendar(day, page, hand):
    hand.press(page.get_by_role("link", name="Calendar", exact=True))
    hand.press(page.get_by_role("link", name="Day", exact=True))
    expect(page.get_by_role("link", name="Day", exact=True)).to_have_attribute("aria-current", "true")
    hand.press(page.get_by_role("link", name="After", exact=True))
    entry = page.locator("[data-entry]", has_text="Measure the garden")
    expect(entry).to_contain_text("10:00")
    day.office.looked_at(page, "day-calendar")
    if hand.keyboard:
        hand.reach(entry.get_by_role("link"))
        page.keyboard.press("Space")
        for _quarter in range(4):
            page.keyboard.press("ArrowDown")
        with page.expect_response("**/when/"):
            page.keyboard.press("Space")
    else:
        entry.scroll_into_view_if_needed()
        box = entry.bounding_box()
        assert box is not None
        x, y = box["x"] + box["width"] / 3, box["y"] + 8
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(1, 9):
            page.mouse.move(x, y + box["height"] * step / 8)
        with page.expect_response("**/when/"):
            page.mouse.up()
    expect(entry).to_contain_text("11:00")
    undo(day)
    expect(entry).to_contain_text("10:00")


def test_7_is_reminded_in_the_inbox(day, page, hand):
    day.go(f"/deals/{day.deal}/")
    form = composer(day, "Task")
    hand.write(form.get_by_role("textbox", name="Task", exact=True), "Be at the phone")
    hand.at(form.get_by_role("group", name="Due"), datetime.now(day.now.tzinfo) + timedelta(minutes=30))
    hand.press(form.locator("summary"))
    hand.write(form.get_by_label("Reminder"), "30")
    hand.press(form.get_by_role("button", name="Add task"))
    expect(page.locator(".planned-item", has_text="Be at the phone")).to_be_visible()
    hand.press(page.get_by_role("link", name=re.compile("^Inbox")))
    expect(page.get_by_role("heading", level=1, name="Inbox")).to_be_visible()
    line = day.office.told(page, "Be at the phone")
    day.office.looked_at(page, "day-inbox")
    hand.press(line.get_by_role("link", name=re.compile("Be at the phone")))
    expect(page.get_by_role("heading", level=1, name="Be at the phone")).to_be_visible()


def test_8_mentions_a_colleague_who_hears_of_it(day, page, hand):
    day.go(f"/deals/{day.deal}/")
    field = composer(day, "Note").locator("textarea")
    hand.write(field, "Please look at this, @Ivo")
    option = page.get_by_role("option", name=re.compile(MATE))
    expect(option).to_be_visible()
    if hand.keyboard:
        page.keyboard.press("Enter")
    else:
        option.click()
    expect(field).to_have_value(re.compile("@.*Ivo Brandt"))
    page.keyboard.type("before Friday")
    hand.press(page.locator("#note-form").get_by_role("button", name="Add note"))
    expect(page.locator("#timeline")).to_contain_text("Please look at this, @Ivo Brandt before Friday")
    day.office.looked_at(page, "day-note")
    expect(day.office.told(day.mate, "mentioned you")).to_contain_text(SELLER)
    mail = day.office.stack.wait_mail(day.office.email(MATE), subject="mentioned you")
    assert any(day.office.url in link for link in mail["links"])


def test_9_moves_cards_on_a_shared_view_of_the_board(day, page, hand):
    day.go("/deals/")
    hand.press(page.get_by_role("link", name=re.compile("^Sellers' board")))
    expect(page.locator("[data-board]")).to_be_visible()
    expect(card(page, "Roof of somebody else")).to_be_visible()
    hand.press(page.get_by_role("navigation", name="Quick filters").get_by_role("link", name="Mine"))
    expect(card(page, "Roof of somebody else")).to_have_count(0)
    first, second = page.locator("[data-stage]").nth(0), page.locator("[data-stage]").nth(1)
    expect(first).to_contain_text("Forty windows")
    if hand.keyboard:
        hand.reach(card(page, "Forty windows").locator(".deal-name"))
        page.keyboard.press("Space")
        page.keyboard.press("ArrowRight")
        with page.expect_response("**/move/"):
            page.keyboard.press("Space")
    else:
        with page.expect_response("**/move/"):
            carry(page, card(page, "Forty windows"), second)
    expect(second.locator("[data-card]", has_text="Forty windows")).to_be_visible()
    expect(toast(page)).to_contain_text("Moved to")
    day.office.looked_at(page, "day-board")


def test_10_is_asked_why_a_deal_is_lost(day, page, hand):
    name = card(page, "Old mill doors").locator(".deal-name")
    if hand.keyboard:
        hand.reach(name)
        page.keyboard.press("m")
        item = page.get_by_role("menuitem", name="Lost")
        expect(item).to_be_visible()
        for _step in range(12):
            if item.evaluate("(one) => one === document.activeElement"):
                break
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
    else:
        card(page, "Old mill doors").hover()
        carry(page, card(page, "Old mill doors"), column(page, "Lost"))
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Why was “Old mill doors” lost?")
    day.office.looked_at(page, "day-lost")
    reason = dialog.get_by_label("Lost reason")
    hand.choose(reason, reason.locator("option").nth(1).inner_text().strip())
    with page.expect_response("**/move/"):
        hand.press(dialog.get_by_role("button", name="Move"))
    expect(dialog).to_be_hidden()
    page.reload()
    expect(column(page, "Lost").locator("[data-card]", has_text="Old mill doors")).to_have_count(1)


def test_11_nothing_broke_on_the_way(day):
    assert day.office.problems == []
