"""The stand-in's pages in a real browser: axe clean in light, dark and at a phone's width; used without scripts."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.billing.standin.recording import Api, api
from tests.browser.conftest import axe_problems
from tests.chromium import open_page

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}},
}


@pytest.fixture
def stripe_api(stripe_server: Any) -> Api:
    return api("sk_test_looks_of_the_standin", stripe_server.url)


@pytest.fixture
def customer(stripe_api: Api) -> Any:
    return stripe_api.v1.customers.create({"email": "billing@rapport.test", "name": "Nordlicht GmbH"})


@pytest.fixture
def price(stripe_api: Api) -> Any:
    product = stripe_api.v1.products.create({"name": "Team"})
    return stripe_api.v1.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 2900, "recurring": {"interval": "month"}}
    )


@pytest.fixture
def checkout(stripe_server: Any, stripe_api: Api, customer: Any, price: Any) -> str:
    made = stripe_api.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": price.id, "quantity": 3}],
            "success_url": f"{stripe_server.url}/?paid",
            "cancel_url": f"{stripe_server.url}/?cancelled",
            "allow_promotion_codes": True,
            "billing_address_collection": "required",
            "tax_id_collection": {"enabled": True},
            "customer_update": {"address": "auto", "name": "auto"},
        }
    )
    return str(made.url)


@pytest.fixture
def portal(stripe_server: Any, stripe_api: Api, customer: Any) -> str:
    features = {
        "customer_update": {"enabled": True, "allowed_updates": ["address", "name", "tax_id"]},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
    }
    configuration = stripe_api.v1.billing_portal.configurations.create({"features": features})
    session = stripe_api.v1.billing_portal.sessions.create(
        {"customer": customer.id, "configuration": configuration.id, "return_url": f"{stripe_server.url}/"}
    )
    return str(session.url)


def sent(page: Page, button: str) -> None:
    """Press the button and wait for the page that comes of it."""
    with page.expect_navigation():
        page.get_by_role("button", name=button).click()


def looked_at(page: Page, look: str, name: str) -> list[str]:
    """What is wrong with the page; with SHOTS=<folder> a picture of it stays there."""
    if os.environ.get("SHOTS"):
        page.screenshot(path=Path(os.environ["SHOTS"]) / f"standin-{name}-{look}.png", full_page=True)
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    problems = axe_problems(page) + ([f"{wider} px wider than the window"] if wider > 1 else [])
    return [f"{name}: {problem}" for problem in problems]


@pytest.mark.parametrize("look", [*LOOKS])
def test_every_page_is_fit_to_be_read(
    browser: Browser, stripe_api: Api, customer: Any, price: Any, checkout: str, portal: str, look: str
) -> None:
    """Over a second: a real browser looks at eight pages."""
    problems: list[str] = []
    page = open_page(browser, problems, **LOOKS[look])
    page.goto(checkout)
    problems += looked_at(page, look, "checkout")
    sent(page, "Subscribe and pay")
    problems += looked_at(page, look, "checkout-errors")
    fill(page, "4000 0025 0000 3155")
    sent(page, "Subscribe and pay")
    problems += looked_at(page, look, "authenticate")
    sent(page, "Refuse the payment")
    problems += looked_at(page, look, "refused")
    fill(page, "4242 4242 4242 4242")
    sent(page, "Subscribe and pay")
    page.wait_for_url("**/?paid")
    problems += looked_at(page, look, "home")
    page.goto(portal)
    card_type(page, "4242 4242 4242 4242")
    sent(page, "Save the card")
    page.get_by_role("status").wait_for()
    problems += looked_at(page, look, "portal")
    made = stripe_api.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "payment_behavior": "default_incomplete",
            "expand": ["latest_invoice"],
        }
    )
    page.goto(made.latest_invoice.hosted_invoice_url)
    problems += looked_at(page, look, "invoice")
    sent(page, "with Visa ending in")
    problems += looked_at(page, look, "invoice-paid")
    page.context.close()
    assert problems == []


def card_type(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expires").fill("12 / 34")
    page.get_by_label("Security code").fill("123")


def fill(page: Page, number: str) -> None:
    card_type(page, number)
    page.get_by_label("Name").fill("Jutta Köln")
    page.get_by_label("Country").select_option("DE")
    page.get_by_label("Street and number").fill("Domkloster 4")
    page.get_by_label("Postal code").fill("50667")
    page.get_by_label("Town").fill("Köln")


def test_it_is_paid_by_keyboard_without_scripts(
    browser: Browser, stripe_api: Api, customer: Any, checkout: str
) -> None:
    page = open_page(browser, [], java_script_enabled=False)
    page.goto(checkout)
    page.get_by_label("Card number").focus()
    for text in ("4242424242424242", "1234", "123"):
        page.keyboard.type(text if text != "1234" else "12/34")
        page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.type("Jutta Köln")
    page.keyboard.press("Tab")
    page.keyboard.type("Germany")
    for text in ("Domkloster 4", "50667", "Köln"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/?paid")
    page.context.close()
    assert [one.status for one in stripe_api.v1.subscriptions.list({"customer": customer.id}).data] == ["active"]
