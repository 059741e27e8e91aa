"""What is typed is not lost: by a session that ended, a closed dialog, a reload, a failure. It is nobody else's."""

from collections.abc import Callable
from contextvars import copy_context
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from crm.activities.models import Note, Task
from crm.people.models import Company
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import Session
from tenants.workspaces.hosts import tenant_url
from tests import factories
from tests.chromium import settled
from tests.ui.conftest import Screen, answer

NEW = "a[hx-get='/companies/new/']"


@pytest.fixture
def signed_out(browser_client: Callable[..., Any]) -> Callable[[Page, Actor, Callable[[], None]], None]:
    """Ends the session, does what sends something, signs in as somebody and comes back to where that leads."""

    def sign_in_again(page: Page, actor: Actor, sent: Callable[[], None]) -> None:
        page.route("**/handover/**", lambda route: route.fulfill(content_type="text/html", body="<h1>Sign in</h1>"))
        with shared():
            Session.objects.update(expire_date=timezone.now())
        sent()
        expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
        back = parse_qs(urlsplit(page.url).query)["next"][0]
        client, here = browser_client(actor), copy_context()
        page.unroute_all()
        page.route("**/*", lambda route: answer(route, client, here))
        page.goto(tenant_url(actor.tenant, back))
        settled(page)

    return sign_in_again


def drafts(page: Page) -> int:
    settled(page)
    return int(page.evaluate("Object.keys(sessionStorage).filter((key) => key.startsWith('draft:')).length"))


def test_a_cell_is_open_again_after_signing_in(owner: Actor, screen: Screen, signed_out: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    page = screen(owner, f"/companies/{company.id}/")
    settled(page)
    page.locator(".record-name[data-edit] [data-pen]").click()
    field = page.locator(".record-name [data-editor] input[type=text]")
    field.fill("Ahorn & Söhne")
    signed_out(page, owner, lambda: field.press("Enter"))
    expect(field).to_have_value("Ahorn & Söhne")
    field.press("Enter")
    expect(field).to_have_count(0)
    company.refresh_from_db()
    assert company.name == "Ahorn & Söhne"
    assert drafts(page) == 0


def test_a_dialog_is_open_again_after_signing_in(owner: Actor, screen: Screen, signed_out: Any) -> None:
    page = screen(owner, "/companies/")
    settled(page)
    page.locator(NEW).first.click()
    page.locator("#dialog [name=name]").fill("Hotel Lindenhof")
    signed_out(page, owner, page.locator("#dialog").get_by_role("button", name="Create", exact=True).click)
    expect(page.locator("#dialog [name=name]")).to_have_value("Hotel Lindenhof")
    page.locator("#dialog").get_by_role("button", name="Create", exact=True).click()
    expect(page.locator("h1, .record-name").first).to_contain_text("Hotel Lindenhof")
    assert drafts(page) == 0
    assert Company.objects.get().name == "Hotel Lindenhof"


def test_a_whole_page_is_filled_again_after_signing_in(owner: Actor, screen: Screen, signed_out: Any) -> None:
    page = screen(owner, "/settings/personal/")
    settled(page)
    page.locator("main [name=name]").fill("Ada King")
    signed_out(page, owner, page.locator("main form:has([name=name]) [type=submit]").first.click)
    expect(page.locator("main [name=name]")).to_have_value("Ada King")
    page.locator("main form:has([name=name]) [type=submit]").first.click()
    expect(page.locator("#toasts .toast-success")).to_be_visible()
    assert drafts(page) == 0


def test_a_filled_dialog_asks_before_it_closes(owner: Actor, screen: Screen) -> None:
    page = screen(owner, "/companies/")
    settled(page)
    page.locator(NEW).first.click()
    name = page.locator("#dialog [name=name]")
    expect(name).to_be_focused()
    for leave in (
        lambda: page.keyboard.press("Escape"),
        lambda: page.locator("#dialog").get_by_role("button", name="Close").click(),
        lambda: page.locator("#dialog").get_by_role("button", name="Cancel").click(),
        lambda: page.mouse.click(5, 5),
    ):
        name.fill("Hotel Lindenhof")
        leave()
        expect(page.locator("#confirm")).to_contain_text("lose what you typed")
        page.locator("#confirm").get_by_role("button", name="Keep writing").click()
        expect(name).to_have_value("Hotel Lindenhof")
    page.locator("#dialog").get_by_role("button", name="Cancel").click()
    page.locator("#confirm").get_by_role("button", name="Discard").click()
    expect(page.locator("#dialog")).not_to_be_visible()
    assert drafts(page) == 0
    page.locator(NEW).first.click()
    expect(name).to_have_value("")
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).not_to_be_visible()


def test_what_is_saved_on_the_way_to_the_next_value_is_no_draft(owner: Actor, screen: Screen) -> None:
    contact = factories.contact(owner, name="Ada Byron")
    page = screen(owner, f"/contacts/{contact.pk}/")
    settled(page)
    last_name, job = (page.locator(f".record-props [data-field={slug}]") for slug in ("last_name", "job"))
    last_name.click()
    name = last_name.locator("input[type=text]")
    # What stands in an editor is selected when it opens, and a click that ends a selection opens no other.
    expect(name).to_be_focused()
    name.fill("Lovelace")
    assert drafts(page) == 1
    page.evaluate(
        """() => {
            document.querySelector(".record-props [data-field=last_name] form").requestSubmit();
            document.querySelector(".record-props [data-field=job]").click();
        }"""
    )
    expect(last_name).to_have_text("Lovelace")
    expect(job.locator("input[type=text]")).to_be_focused()
    assert drafts(page) == 0


def test_a_reload_and_a_failure_of_the_server_lose_nothing(owner: Actor, screen: Screen) -> None:
    deal = factories.deal(owner)
    page = screen(owner, f"/deals/{deal.id}/")
    settled(page)
    page.locator("[data-composer=task]").click()
    page.locator("#task-form [name=name]").fill("Call Villa Rosa")
    page.locator("[data-composer=note]").click()
    page.locator("#note-form [name=body]").fill("North side first")
    page.reload()
    settled(page)
    expect(page.locator("#note-form [name=body]")).to_have_value("North side first")
    expect(page.locator("#task-form [name=name]")).to_have_value("Call Villa Rosa")
    page.locator("[data-composer=note]").click()

    page.route("**/notes/", lambda route: route.fulfill(status=500))
    page.locator("#note-form [type=submit]").click()
    expect(page.locator("#toasts .toast-error")).to_be_visible()
    expect(page.locator("#note-form [name=body]")).to_have_value("North side first")
    page.unroute("**/notes/")
    page.locator("#note-form [type=submit]").click()
    expect(page.locator("#note-form [name=body]")).to_have_value("")
    assert Note.objects.get().body == "North side first"
    page.reload()
    settled(page)
    expect(page.locator("#note-form [name=body]")).to_have_value("")
    expect(page.locator("#task-form [name=name]")).to_have_value("Call Villa Rosa")


def test_what_one_typed_is_not_shown_to_another(owner: Actor, admin: Actor, screen: Screen, signed_out: Any) -> None:
    deal = factories.deal(owner)
    page = screen(owner, f"/deals/{deal.id}/")
    settled(page)
    page.locator("#note-form [name=body]").fill("Between us")
    assert drafts(page) == 1
    signed_out(page, admin, page.locator("#note-form [type=submit]").click)
    expect(page.locator("#note-form [name=body]")).to_have_value("")
    assert drafts(page) == 0


def test_signing_out_ends_them_and_passwords_make_none(owner: Actor, screen: Screen) -> None:
    deal = factories.deal(owner)
    page = screen(owner, f"/deals/{deal.id}/")
    settled(page)
    page.evaluate(
        """() => {
            const form = document.querySelector("#task-form").cloneNode(true);
            form.action = "/elsewhere/";
            form.id = "secret";
            const input = Object.assign(document.createElement("input"), { type: "password", name: "password" });
            form.append(input);
            document.querySelector("main").append(form);
        }"""
    )
    page.locator("#secret [name=password]").fill("correct horse")
    assert drafts(page) == 0
    page.locator("#note-form [name=body]").fill("Between us")
    assert drafts(page) == 1
    page.evaluate("document.addEventListener('submit', (event) => event.preventDefault())")
    page.locator("form[action$='/signout/']").evaluate("(form) => form.requestSubmit()")
    assert drafts(page) == 0


@pytest.mark.parametrize("press", ["Nothing more", "Escape"])
def test_an_outcome_that_was_typed_is_kept(owner: Actor, screen: Screen, press: str) -> None:
    deal = factories.deal(owner)
    task = factories.task(owner, name="Call", about={"type": "deal", "id": deal.id})
    page = screen(owner, f"/deals/{deal.id}/")
    settled(page)
    page.get_by_role("button", name="Done: Call").first.click()
    outcome = page.locator("#next-outcome")
    outcome.wait_for()
    settled(page)
    outcome.fill("They take it")
    if press == "Escape":
        page.keyboard.press("Escape")
        expect(page.locator("#confirm")).to_be_visible()
        page.locator("#confirm").get_by_role("button", name="Keep writing").click()
    page.get_by_role("button", name="Nothing more").click()
    expect(page.locator("#dialog")).not_to_be_visible()
    assert Task.objects.get(pk=task.pk).outcome == "They take it"
