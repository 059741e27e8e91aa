"""Two ways to use a page: with the mouse, or with nothing but the keyboard. A story is told once."""

import re
from datetime import datetime
from typing import Protocol

from playwright.sync_api import Locator, expect

from tests.chromium import settled
from tests.depth import DEEP

MAX_STEPS = 400
WHERE = """(element) => {
    if (!element.isConnected) return null;
    const now = document.activeElement;
    if (now === element) return 0;
    if (!now || now === document.body) return 1;
    return now.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_PRECEDING ? -1 : 1;
}"""


def shown(what: Locator) -> Locator:
    """It stands there, on a page that listens to what is done with it."""
    expect(what).to_be_visible()
    settled(what.page)
    return what


class Hand(Protocol):
    """What somebody does on a page, whatever they do it with."""

    keyboard: bool

    def reach(self, what: Locator) -> None:
        """Come to it, without doing anything yet."""

    def press(self, what: Locator) -> None:
        """A link, a button or a summary."""

    def tick(self, box: Locator) -> None:
        """A checkbox or a radio button."""

    def write(self, field: Locator, text: str) -> None: ...

    def choose(self, select: Locator, label: str) -> None:
        """An option of a native select, by its words."""

    def pick(self, menu_button: Locator, item: Locator) -> None:
        """An item of a popover menu."""

    def find(self, combobox: Locator, text: str) -> None:
        """Search in a combobox and take what is found."""

    def at(self, group: Locator, moment: datetime) -> None:
        """The day and the time of a field that has both."""


class Mouse:
    keyboard = False

    def reach(self, what: Locator) -> None:
        shown(what).hover()

    def press(self, what: Locator) -> None:
        shown(what).click()

    def tick(self, box: Locator) -> None:
        shown(box).check()

    def write(self, field: Locator, text: str) -> None:
        shown(field).click()
        field.fill(text)

    def choose(self, select: Locator, label: str) -> None:
        shown(select).select_option(label=label)

    def pick(self, menu_button: Locator, item: Locator) -> None:
        shown(menu_button).click()
        item.click()

    def find(self, combobox: Locator, text: str) -> None:
        self.write(combobox, text)
        combobox.page.get_by_role("option", name=re.compile(re.escape(text))).first.click()

    def at(self, group: Locator, moment: datetime) -> None:
        shown(group).locator("[type=date]").fill(f"{moment:%Y-%m-%d}")
        group.locator("[type=time]").fill(f"{moment:%H:%M}")


class Keyboard:
    """Reaches everything by Tab, so that what cannot be reached fails the story."""

    keyboard = True

    def reach(self, what: Locator) -> None:
        page = shown(what).page
        element = what.element_handle()
        before, turns = 0, 0
        for _step in range(MAX_STEPS):
            where = page.evaluate(WHERE, element)
            if where == 0:
                return
            if where is None:
                element = what.element_handle()
                continue
            turns = turns + 1 if before and where != before else 0
            if turns > 3:
                break
            before = where
            page.keyboard.press("Tab" if where > 0 else "Shift+Tab")
        raise AssertionError(f"{what} cannot be reached with the Tab key")

    def press(self, what: Locator) -> None:
        self.reach(what)
        what.page.keyboard.press("Enter")

    def tick(self, box: Locator) -> None:
        page = box.page
        if box.get_attribute("type") != "radio":
            self.reach(box)
            page.keyboard.press("Space")
            return
        name = box.get_attribute("name")
        group = box.locator(f"xpath=ancestor::form//input[@type='radio' and @name='{name}']")
        chosen = group.and_(page.locator(":checked"))
        self.reach(chosen if chosen.count() else group.first)
        if not chosen.count():
            page.keyboard.press("Space")
        for _step in range(20):
            if box.is_checked():
                return
            page.keyboard.press("ArrowDown")
        raise AssertionError(f"{box} cannot be chosen with the arrow keys")

    def write(self, field: Locator, text: str) -> None:
        self.reach(field)
        keys = field.page.keyboard
        keys.press("ControlOrMeta+a")
        keys.type(text)

    def choose(self, select: Locator, label: str) -> None:
        self.reach(select)
        for _step in range(60):
            if select.evaluate("(one) => one.selectedOptions[0]?.label.trim()") == label:
                break
            select.page.keyboard.type(label)
        expect(select.locator("option:checked")).to_have_text(re.compile(rf"^\s*{re.escape(label)}\s*$"))

    def pick(self, menu_button: Locator, item: Locator) -> None:
        self.press(menu_button)
        expect(item).to_be_visible()
        for _step in range(60):
            if item.evaluate("(one) => one === document.activeElement"):
                item.page.keyboard.press("Enter")
                return
            item.page.keyboard.press("ArrowDown")
        raise AssertionError(f"{item} cannot be reached with the arrow keys")

    def find(self, combobox: Locator, text: str) -> None:
        self.write(combobox, text)
        found = combobox.page.get_by_role("option", name=re.compile(re.escape(text))).first
        expect(found).to_have_attribute("aria-selected", "true")
        combobox.page.keyboard.press("Enter")

    def at(self, group: Locator, moment: datetime) -> None:
        """In the order in which this browser asks for day, month and hour, whatever its language."""
        ways = {"date": ("%Y-%m-%d", "%m%d%Y", "%d%m%Y", "%Y%m%d"), "time": ("%H:%M", "%H%M", "%I%M%p")}
        for kind, (kept, *orders) in ways.items():
            field = group.locator(f"[type={kind}]")
            self.reach(field)
            for order in orders:
                for _part in range(4):
                    field.page.keyboard.press("ArrowLeft")
                field.page.keyboard.type(f"{moment:{order}}")
                if field.input_value() == f"{moment:{kept}}":
                    break
            expect(field).to_have_value(f"{moment:{kept}}")


HANDS: dict[str, Hand] = {"mouse": Mouse(), "keyboard": Keyboard()}
LIVED_BY = tuple(HANDS) if DEEP else ("keyboard",)
"""A story is lived without a mouse, which is harder; ``make test-deep`` lives it with one too."""
