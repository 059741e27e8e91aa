"""Two people change one field of a record: who comes second sees both values and chooses, by keyboard only."""

from playwright.sync_api import Page, expect

from tests.browser.conftest import axe_problems
from tests.stack import Stack


def test_the_second_of_two_sees_both_values_and_chooses(demo_page: Page, stack: Stack) -> None:
    page = demo_page
    made = stack.api("POST", "/companies", {"name": "Ahorn", "industry": "Wood"}).body["id"]

    def edited(theirs: str, mine: str) -> None:
        page.goto(f"{stack.demo['workspace_url'].rstrip('/')}/companies/{made}/")
        page.locator('.cell[data-field="industry"] [data-pen]').focus()
        page.keyboard.press("Enter")
        expect(page.locator(".is-editing [data-editor] [name=industry]")).to_be_focused()
        stack.api("PATCH", f"/companies/{made}", {"industry": theirs})
        page.keyboard.type(mine)
        page.keyboard.press("Enter")
        told = page.locator("[data-editor] [role=alert]")
        expect(told).to_contain_text(theirs)
        expect(told.locator("[name=industry]")).to_have_value(mine)

    edited("Glass", "Steel")
    assert axe_problems(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Keep what it is now")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator('.cell[data-field="industry"]')).to_contain_text("Glass")
    assert stack.api("GET", f"/companies/{made}").body["industry"] == "Glass"

    edited("Paper", "Copper")
    page.keyboard.press("Escape")
    expect(page.locator('.cell[data-field="industry"]')).to_contain_text("Paper")

    edited("Stone", "Iron")
    page.keyboard.press("Enter")
    expect(page.locator('.cell[data-field="industry"]')).to_contain_text("Iron")
    assert stack.api("GET", f"/companies/{made}").body["industry"] == "Iron"
