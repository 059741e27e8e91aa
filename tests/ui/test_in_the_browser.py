"""The shell in a real browser: keys, menus, dialogs, toasts, the palette; axe over every component in both themes."""

from decimal import Decimal

import pytest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render as render_page
from django.urls import path
from django.utils import timezone
from playwright.sync_api import Page, expect

from config import urls_tenant
from crm.records.schema.registry import registry
from crm.records.write.gate import update
from crm.workspace.colors import COLORS
from crm.workspace.people.plan_needs import PlanNeed
from tenants.actors import Actor
from tenants.web.access import MEMBER, access
from tests import factories
from tests.browser.conftest import axe_problems
from tests.chromium import settled
from tests.ui.conftest import Screen


@access(MEMBER)
def gallery(request: HttpRequest) -> HttpResponse:
    """Every component once."""
    return render_page(request, "gallery.html", gallery_values())


def gallery_values() -> dict[str, object]:
    now = timezone.now()
    return {
        "now": now,
        "colors": COLORS,
        "need": PlanNeed("“Teams” is not part of your plan. It comes with the plan Team.", "/settings/billing/"),
        "errors": ["Enter an email address, such as ada@example.com."],
        "sizes": [("1-10", "1–10"), ("11-50", "11–50")],
        "deals": [
            {
                "name": f"Deal {n}",
                "company": "Hotel",
                "stage": "Payment",
                "color": color,
                "owner": "Ada",
                "amount": Decimal(700),
                "currency": "EUR",
                "next": now,
            }
            for n, color in enumerate(COLORS)
        ],
    }


@pytest.fixture
def with_gallery(monkeypatch: pytest.MonkeyPatch, settings: object) -> None:
    from django.urls import clear_url_caches

    templates = [dict(one) for one in settings.TEMPLATES]  # type: ignore[attr-defined]
    templates[0]["DIRS"] = [*templates[0]["DIRS"], settings.ROOT / "tests/ui/templates"]  # type: ignore[attr-defined]
    settings.TEMPLATES = templates  # type: ignore[attr-defined]
    monkeypatch.setattr(urls_tenant, "urlpatterns", [path("gallery/", gallery), *urls_tenant.urlpatterns])
    clear_url_caches()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.usefixtures("with_gallery")
def test_every_component_is_accessible(owner: Actor, screen: Screen, theme: str, width: int) -> None:
    page = screen(owner, "/gallery/", theme=theme, width=width)
    assert axe_problems(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"


@pytest.mark.usefixtures("with_gallery")
def test_nothing_to_hit_is_smaller_than_24_pixels(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/gallery/")
    small = page.evaluate(
        """() => [...document.querySelectorAll(".btn, .menu-item, .nav-item, .option, .segmented > *, summary")]
        .filter((one) => one.checkVisibility())
        .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)"""
    )
    assert small == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_open_palette_menu_and_help_are_accessible(owner: Actor, screen: Screen, theme: str) -> None:
    page = screen(owner, "/inbox/", theme=theme)
    page.keyboard.press("Control+k")
    expect(page.locator("#palette [data-palette-entry]").first).to_be_visible()
    assert axe_problems(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    assert axe_problems(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.locator("[popovertarget=user-menu]").click()
    expect(page.locator("#user-menu")).to_be_visible()
    assert axe_problems(page) == []


def test_keys_go_and_are_off_while_typing(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/inbox/")
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/companies/")
    page.keyboard.press("/")
    page.keyboard.type("g i")
    page.wait_for_timeout(150)
    assert page.url.endswith("/companies/")


def test_the_palette_goes_where_the_arrows_point(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/companies/")
    page.keyboard.press("Control+k")
    page.keyboard.type("inbox")
    entry = page.locator("#palette [aria-selected=true]")
    expect(entry).to_have_text("InboxGI")
    page.keyboard.press("ArrowDown")
    expect(entry).to_contain_text("Search everywhere")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox/")


def test_a_menu_is_walked_with_the_keyboard(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/inbox/")
    button = page.locator("[popovertarget=user-menu]")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#user-menu")).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("button", name="Sign out")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#user-menu")).to_be_hidden()
    expect(button).to_be_focused()


def test_the_theme_changes_at_once(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/inbox/")
    page.locator("[popovertarget=user-menu]").click()
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert "theme=dark" in page.evaluate("document.cookie")


def test_the_sidebar_is_a_drawer_on_a_phone(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/inbox/", width=390)
    sidebar = page.locator("#sidebar")
    expect(sidebar).to_be_hidden()
    page.get_by_role("button", name="Navigation").click()
    expect(sidebar).to_be_visible()
    page.get_by_role("link", name="Companies").click()
    page.wait_for_url("**/companies/")
    expect(sidebar).to_be_hidden()


def toast(page: Page, **detail: object) -> None:
    page.evaluate("(detail) => document.dispatchEvent(new CustomEvent('toast', {detail}))", detail)


def test_a_toast_shows_words_never_markup_and_offers_undo(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/inbox/")
    page.wait_for_function("window.htmx")
    toast(page, message="<b>Saved</b>", kind="success", undo_url="/undo/x/")
    expect(page.locator("#toasts .toast-text")).to_have_text("<b>Saved</b>")
    expect(page.get_by_role("button", name="Undo")).to_be_visible()
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator("#toasts .toast")).to_have_count(0)
    toast(page, message="No way back", undo_url="https://evil.example/")
    expect(page.locator("#toasts .toast")).to_have_count(1)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)


@pytest.mark.usefixtures("with_gallery")
def test_a_dialog_closes_and_gives_the_focus_back(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/gallery/")
    button = page.get_by_role("button", name="Dialog", exact=True)
    button.click()
    dialog = page.locator("#gallery-dialog")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def test_z_takes_back_the_last_change(owner: Actor, screen: Screen) -> None:
    company = factories.company(owner, name="Hotel Seeblick")
    update(owner, registry.get("company"), company.id, {"name": "Hotel Bergblick"})
    page = screen(owner, "/companies/")
    expect(page.get_by_role("link", name="Hotel Bergblick", exact=True)).to_be_visible()
    page.wait_for_function("window.htmx")
    page.keyboard.press("z")
    expect(page.get_by_role("link", name="Hotel Seeblick", exact=True)).to_be_visible()


def test_what_changes_with_a_saved_value_changes_on_the_page_too(owner: Actor, screen: Screen) -> None:
    contact = factories.contact(owner, name="Ludwig van Bethoven")
    page = screen(owner, f"/contacts/{contact.pk}/")
    settled(page)
    page.locator(".record-name").click()
    page.locator(".editor [name=name]").fill("Ludwig van Beethoven")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Ludwig van Beethoven")).to_be_visible()
    expect(page.locator(".record-props [data-field=last_name]")).to_have_text("Beethoven")


def test_a_double_click_on_create_makes_one_record(owner: Actor, screen: Screen) -> None:
    from crm.sales.models import Deal

    page = screen(owner, "/deals/new/")
    page.locator("form.new-form [name=name]").fill("Forty windows")
    page.get_by_role("button", name="Create", exact=True).dblclick()
    expect(page.get_by_role("heading", level=1, name="Forty windows")).to_be_visible()
    assert Deal.objects.filter(name="Forty windows").count() == 1


def test_a_deal_is_made_by_keyboard_alone(owner: Actor, screen: Screen) -> None:
    factories.company(owner, name="Hotel Birke")
    page = screen(owner, "/deals/new/")
    page.keyboard.type("Forty windows")
    page.keyboard.press("Tab")
    page.keyboard.type("birke")
    expect(page.get_by_role("option", name="Hotel Birke")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_role("combobox", name="Company")).to_have_value("Hotel Birke")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Forty windows")).to_be_visible()


def test_j_and_k_walk_the_cards_of_the_board(owner: Actor, screen: Screen) -> None:
    factories.deal(owner, name="First")
    factories.deal(owner, name="Second")
    page = screen(owner, "/deals/board/")
    cards = page.locator("[data-card] .deal-name")
    page.keyboard.press("j")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("j")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("k")
    expect(cards.nth(0)).to_be_focused()
