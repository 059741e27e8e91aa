"""The picker of members in a real browser: by keyboard, mouse and touch, in a new note and in one edited in place."""

from typing import Any

from playwright.sync_api import Locator, Page, expect

from crm.activities.models import Note
from crm.workspace.models import Member, Role
from tenants.actors import Actor
from tests import factories
from tests.browser.conftest import axe_problems
from tests.ui.conftest import Screen


def note_field(page: Page) -> Locator:
    return page.locator("#note-form textarea")


def stored(actor: Actor) -> str:
    return f"@[{actor.label}](member:{actor.member_id})"


def begun(screen: Screen, actor: Actor, text: str, **look: Any) -> Page:
    """A company's page with ``text`` typed into its composer, and the list open."""
    company = factories.company(actor)
    page = screen(actor, f"/companies/{company.pk}/", **look)
    page.wait_for_function("window.htmx")
    note_field(page).click()
    note_field(page).press_sequentially(text)
    expect(page.locator("#mention-list [role=option]").first).to_be_visible()
    return page


def marked(page: Page) -> Locator:
    return page.locator("#mention-list [aria-selected=true]")


def test_by_keyboard_a_member_is_found_taken_and_stored(seller: Actor, seller_two: Actor, screen: Screen) -> None:
    page = begun(screen, seller, "Ask @sell")
    field = note_field(page)
    expect(field).to_have_role("combobox")
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(field).to_have_attribute("aria-controls", "mention-list")
    expect(page.locator("#mention-list")).to_have_role("listbox")
    expect(marked(page)).to_have_attribute("data-label", "Seller")
    page.keyboard.press("ArrowDown")
    expect(marked(page)).to_have_attribute("data-label", "Seller Two")
    assert field.get_attribute("aria-activedescendant") == marked(page).get_attribute("id")
    page.keyboard.press("ArrowDown")
    expect(marked(page)).to_have_attribute("data-label", "Seller")
    page.keyboard.press("ArrowUp")
    assert axe_problems(page) == []
    page.keyboard.press("Enter")
    expect(field).to_have_value("Ask @Seller Two ")
    expect(field).to_be_focused()
    expect(page.locator("#mention-list")).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    page.keyboard.type("please")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline .mention")).to_have_text("@Seller Two")
    assert Note.objects.get().body == f"Ask {stored(seller_two)} please"


def test_escape_closes_the_list_and_nothing_else(seller: Actor, seller_two: Actor, screen: Screen) -> None:
    page = begun(screen, seller, "Ask @seller t")
    page.keyboard.press("Escape")
    field = note_field(page)
    expect(page.locator("#mention-list")).to_have_count(0)
    expect(field).to_have_attribute("aria-expanded", "false")
    expect(field).to_have_value("Ask @seller t")
    expect(field).to_be_focused()
    page.keyboard.press("Enter")
    expect(field).to_have_value("Ask @seller t\n")
    page.keyboard.press("Tab")
    expect(field).not_to_have_attribute("role", "combobox")
    expect(field).not_to_have_attribute("aria-expanded", "false")


def test_by_mouse_and_by_touch(seller: Actor, seller_two: Actor, screen: Screen) -> None:
    page = begun(screen, seller, "@two")
    page.locator("#mention-list [role=option]", has_text="Seller Two").click()
    expect(note_field(page)).to_have_value("@Seller Two ")
    expect(note_field(page)).to_be_focused()
    phone = begun(screen, seller, "@two", width=390)
    option = phone.locator("#mention-list [role=option]", has_text="Seller Two")
    box = option.bounding_box()
    assert box is not None
    assert (box["x"] >= 0, box["x"] + box["width"] <= 390) == (True, True)
    option.tap()
    expect(note_field(phone)).to_have_value("@Seller Two ")


def test_a_note_edited_in_place_keeps_whom_it_mentions(seller: Actor, seller_two: Actor, screen: Screen) -> None:
    company = factories.company(seller)
    about = {"type": "company", "id": company.pk}
    note = factories.note(seller, body=f"Ask {stored(seller_two)}", about=about)
    page = screen(seller, f"/companies/{company.pk}/")
    page.wait_for_function("window.htmx")
    page.get_by_role("link", name="Edit this note").focus()
    page.keyboard.press("Enter")
    field = page.locator("#timeline textarea")
    expect(field).to_have_value("Ask @Seller Two")
    field.press("End")
    page.keyboard.type(" and @owne")
    expect(marked(page)).to_have_attribute("data-label", "Owner")
    page.keyboard.press("Enter")
    expect(field).to_have_value("Ask @Seller Two and @Owner ")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#timeline .mention")).to_have_text(["@Seller Two", "@Owner"])
    body = Note.objects.get(pk=note.pk).body
    owner = Member.objects.get(name="Owner")
    assert body.strip() == f"Ask {stored(seller_two)} and @[Owner](member:{owner.pk})"


def test_who_may_not_see_the_record_is_shown_as_such(seller: Actor, seller_two: Actor, screen: Screen) -> None:
    role = Role.objects.create(slug="own", name="Own", permissions={"*": {"view": "own"}})
    Member.objects.filter(name=seller_two.label).update(role=role)
    page = begun(screen, seller, "@sell")
    blind = page.locator("#mention-list .is-blind")
    expect(blind).to_have_count(1)
    expect(blind).to_contain_text("Seller Two")
    expect(blind).to_contain_text("cannot see this, is not told")
    assert axe_problems(page) == []
