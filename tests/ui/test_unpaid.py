"""A read-only workspace in a browser: what does not work is seen before it is tried, and nothing typed is lost."""

from playwright.sync_api import Page, expect

from tenants.actors import Actor
from tests import factories
from tests.billing.unpaid import put
from tests.browser.conftest import axe_problems
from tests.ui.conftest import Screen

MESSAGE = "This workspace is read-only, so nothing was changed."


def told(page: Page) -> None:
    """One toast says it, with the way out."""
    toast = page.locator("#toasts .toast")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text(MESSAGE)


def test_a_new_record_is_not_begun(owner: Actor, screen: Screen) -> None:
    factories.company(owner)
    put(owner.tenant, "read_only")
    page = screen(owner, "/companies/")
    new = page.get_by_role("link", name="New", exact=True)
    expect(new).to_have_attribute("aria-disabled", "true")
    new.click(force=True)
    told(page)
    expect(page.locator("#toasts").get_by_role("link", name="Open billing")).to_have_attribute(
        "href", "/settings/billing/"
    )
    expect(page.locator("#dialog")).to_be_hidden()


def test_a_key_for_a_new_record_says_why_it_does_nothing(owner: Actor, screen: Screen) -> None:
    put(owner.tenant, "read_only")
    page = screen(owner, "/companies/")
    page.keyboard.press("c")
    page.keyboard.press("o")
    told(page)


def test_what_is_written_in_the_composer_stays(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner)
    put(owner.tenant, "read_only")
    page = screen(owner, f"/companies/{company.pk}/")
    note = page.locator("[data-composer-body] textarea").first
    note.fill("They asked for a discount")
    note.locator("xpath=ancestor::form").locator("[data-unpaid-off]").first.click(force=True)
    told(page)
    expect(note).to_have_value("They asked for a discount")


def test_a_field_is_not_edited_in_place(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner, name="Ahorn")
    put(owner.tenant, "read_only")
    page = screen(owner, f"/companies/{company.pk}/")
    page.locator(".cell[data-edit]").first.click()
    told(page)
    expect(page.locator("[data-editor]")).to_have_count(0)


def test_a_card_is_not_carried(owner: Actor, screen: Screen) -> None:
    deal = factories.deal(owner)
    put(owner.tenant, "read_only")
    page = screen(owner, "/deals/board/")
    expect(page.locator(f"#card-{deal.pk}")).to_be_visible()
    expect(page.locator("#move-menu")).to_have_count(0)
    expect(page.locator(f"#card-{deal.pk} [data-move]")).to_have_count(0)


def test_a_setting_is_not_saved_and_stays_as_it_was_typed(owner: Actor, screen: Screen) -> None:
    put(owner.tenant, "read_only")
    page = screen(owner, "/settings/workspace/")
    name = page.get_by_label("Name", exact=True)
    name.fill("Ahorn and sons")
    name.press("Enter")
    told(page)
    expect(name).to_have_value("Ahorn and sons")


def test_what_works_looks_as_always(owner: Actor, screen: Screen) -> None:
    put(owner.tenant, "read_only")
    page = screen(owner, "/companies/")
    for path in ("/signout/", "/appearance/", "/companies/export/"):
        forms = page.locator(f'form[action^="{path}"]')
        assert forms.count() > 0, path
        expect(forms.locator("[data-unpaid-off]")).to_have_count(0)


def test_a_workspace_that_is_paid_for_has_nothing_of_it(owner: Actor, screen: Screen) -> None:
    factories.company(owner)
    page = screen(owner, "/companies/")
    expect(page.get_by_role("link", name="New", exact=True)).not_to_have_attribute("aria-disabled", "true")
    expect(page.locator("[data-unpaid-off]")).to_have_count(0)


def test_it_is_open_to_everybody(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner)
    put(owner.tenant, "read_only")
    assert axe_problems(screen(owner, f"/companies/{company.pk}/")) == []


def test_a_suspended_workspace_shows_what_is_open(owner: Actor, screen: Screen) -> None:
    put(owner.tenant, "suspended")
    page = screen(owner, "/", width=390, theme="dark")
    expect(page.get_by_role("heading", name="This workspace is suspended")).to_be_visible()
    expect(page.get_by_role("button", name="Export companies")).to_be_visible()
    assert axe_problems(page) == []
