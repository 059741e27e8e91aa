"""The billing portal and the page of an invoice, as the customer sees them."""

from typing import Any

import pytest

from tests.billing.standin.browsing import ASKS_BANK, CARD, DECLINED, FAILS_LATER, PERSON, visit
from tests.billing.standin.recording import Api, api

BACK = "http://rapport.test/settings/billing/"


@pytest.fixture
def stripe_api(stripe_server: Any) -> Api:
    return api("sk_test_portal_of_the_standin", stripe_server.url)


@pytest.fixture
def customer(stripe_api: Api) -> Any:
    made = stripe_api.v1.customers.create({"email": "billing@rapport.test", "name": "Nordlicht GmbH"})
    method = stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": made.id})
    return stripe_api.v1.customers.update(made.id, {"invoice_settings": {"default_payment_method": method.id}})


def subscribe(stripe_api: Api, customer: Any, **more: Any) -> Any:
    product = stripe_api.v1.products.create({"name": "Team"})
    price = stripe_api.v1.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 2900, "recurring": {"interval": "month"}}
    )
    return stripe_api.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id, "quantity": 3}],
            "expand": ["latest_invoice"],
            **more,
        }
    )


def open_portal(stripe_api: Api, customer: Any, *, updates: tuple[str, ...] = (), **more: Any) -> str:
    features = {
        "customer_update": {"enabled": bool(updates), **({"allowed_updates": [*updates]} if updates else {})},
        "invoice_history": {"enabled": True},
        "payment_method_update": {"enabled": True},
    }
    configuration = stripe_api.v1.billing_portal.configurations.create(
        {"features": features | more.pop("features", {})}
    )
    session = stripe_api.v1.billing_portal.sessions.create(
        {"customer": customer.id, "configuration": configuration.id, "return_url": BACK, **more}
    )
    return str(session.url)


def test_the_portal_shows_subscription_card_and_invoices(stripe_api: Api, customer: Any) -> None:
    invoice = subscribe(stripe_api, customer).latest_invoice
    shown = visit(open_portal(stripe_api, customer))
    assert shown.status == 200
    for text in ("TEST", "Team, 3 seats", "€87.00 each month", "Visa ending in 4242", invoice.number, BACK):
        assert text in shown.text


def test_a_new_card_is_what_invoices_are_charged_to(stripe_api: Api, customer: Any) -> None:
    url = open_portal(stripe_api, customer)
    saved = visit(url, {"action": "card", **CARD, "number": "5555 5555 5555 4444"})
    assert saved.location.endswith("?done=card")
    assert "The card is saved" in visit(f"{url}?done=card").text
    default = stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method
    assert stripe_api.v1.payment_methods.retrieve(default).card.last4 == "4444"


def test_a_card_that_fails_later_is_saved(stripe_api: Api, customer: Any) -> None:
    assert visit(open_portal(stripe_api, customer), {"action": "card", **CARD, "number": FAILS_LATER}).status == 303


def test_a_declined_card_is_not_saved(stripe_api: Api, customer: Any) -> None:
    before = stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method
    shown = visit(open_portal(stripe_api, customer), {"action": "card", **CARD, "number": DECLINED})
    assert (shown.status, "Your card was declined." in shown.text) == (402, True)
    assert stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method == before


def test_a_card_typed_wrongly_is_said_at_its_field(stripe_api: Api, customer: Any) -> None:
    shown = visit(open_portal(stripe_api, customer), {"action": "card", **CARD, "cvc": "x"})
    assert (shown.status, 'aria-describedby="cvc-error"' in shown.text) == (422, True)


def test_an_older_card_is_taken_up_again_and_removed(stripe_api: Api, customer: Any) -> None:
    first = customer.invoice_settings.default_payment_method
    url = open_portal(stripe_api, customer)
    visit(url, {"action": "card", **CARD})
    second = stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method
    assert visit(url, {"action": "default", "method": first}).status == 303
    assert stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method == first
    assert visit(url, {"action": "remove", "method": second}).status == 303
    assert stripe_api.v1.payment_methods.retrieve(second).customer is None


def test_nobody_elses_card_is_touched(stripe_api: Api, customer: Any) -> None:
    other = stripe_api.v1.customers.create({"email": "other@rapport.test"})
    card = stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": other.id})
    url = open_portal(stripe_api, customer)
    for action in ("default", "remove"):
        assert visit(url, {"action": action, "method": card.id}).status == 404
    assert stripe_api.v1.payment_methods.retrieve(card.id).customer == other.id


def test_billing_details_and_vat_id_are_changed(stripe_api: Api, customer: Any) -> None:
    url = open_portal(stripe_api, customer, updates=("address", "name", "tax_id"))
    assert visit(url, {"action": "details", **PERSON, "tax_id": "DE123456789"}).status == 303
    found = stripe_api.v1.customers.retrieve(customer.id)
    assert (found.name, found.address.line1) == ("Jutta Köln", "Domkloster 4")
    tax_id = stripe_api.v1.customers.tax_ids.list(customer.id).data[0]
    assert tax_id.value == "DE123456789"
    assert visit(url, {"action": "untax", "tax_id": tax_id.id}).status == 303
    assert stripe_api.v1.customers.tax_ids.list(customer.id).data == []


def test_only_what_may_be_changed_is_changed(stripe_api: Api, customer: Any) -> None:
    url = open_portal(stripe_api, customer, updates=("address",))
    assert "Domkloster" not in visit(url).text
    visit(url, {"action": "details", **PERSON, "tax_id": "DE123456789"})
    found = stripe_api.v1.customers.retrieve(customer.id)
    assert (found.name, found.address.city) == ("Nordlicht GmbH", "Köln")
    assert stripe_api.v1.customers.tax_ids.list(customer.id).data == []


def test_what_the_configuration_switches_off_is_neither_shown_nor_done(stripe_api: Api, customer: Any) -> None:
    off = {"payment_method_update": {"enabled": False}, "invoice_history": {"enabled": False}}
    url = open_portal(stripe_api, customer, features=off)
    shown = visit(url).text
    assert "Add a card" not in shown
    assert "Invoices" not in shown
    for form in ({"action": "card", **CARD}, {"action": "details", **PERSON}, {"action": "untax"}):
        assert visit(url, form).status == 404


@pytest.mark.parametrize("action", ["quantity", "plan", "cancel", ""])
def test_plan_and_seats_cannot_be_changed_here(stripe_api: Api, customer: Any, action: str) -> None:
    subscribe(stripe_api, customer)
    url = open_portal(stripe_api, customer)
    assert "Plan and seats are changed in Rapport itself." in visit(url).text
    assert visit(url, {"action": action, "quantity": "1"}).status == 404


def test_a_visit_for_a_new_card_leads_back_where_it_came_from(stripe_api: Api, customer: Any) -> None:
    flow = {
        "type": "payment_method_update",
        "after_completion": {"type": "redirect", "redirect": {"return_url": f"{BACK}?card=1"}},
    }
    url = open_portal(stripe_api, customer, flow_data=flow)
    assert "Invoices" not in visit(url).text
    assert visit(url, {"action": "card", **CARD}).location == f"{BACK}?card=1"


def test_a_portal_left_open_for_hours_has_expired(stripe_server: Any, stripe_api: Api, customer: Any) -> None:
    url = open_portal(stripe_api, customer)
    stripe_server.advance(seconds=2 * 3600)
    shown = visit(url)
    assert (shown.status, BACK in shown.text) == (410, True)


def test_the_portal_of_a_deleted_customer_is_gone(stripe_api: Api, customer: Any) -> None:
    url = open_portal(stripe_api, customer)
    stripe_api.v1.customers.delete(customer.id)
    assert visit(url).status == 410


@pytest.fixture
def unpaid(stripe_api: Api, customer: Any) -> Any:
    """A first invoice that waits for its payment, of a customer with a card."""
    return subscribe(stripe_api, customer, payment_behavior="default_incomplete").latest_invoice


def test_an_open_invoice_is_paid_with_the_saved_card(stripe_api: Api, unpaid: Any) -> None:
    shown = visit(unpaid.hosted_invoice_url)
    assert "Pay €87.00 with Visa ending in 4242" in shown.text
    assert visit(unpaid.hosted_invoice_url, {"action": "saved"}).status == 303
    assert stripe_api.v1.invoices.retrieve(unpaid.id).status == "paid"
    paid = visit(unpaid.hosted_invoice_url).text
    assert "€87.00 paid" in paid
    assert "Pay this invoice" not in paid


def test_an_invoice_paid_with_another_card_is_charged_to_that_from_now_on(
    stripe_api: Api, customer: Any, unpaid: Any
) -> None:
    assert visit(unpaid.hosted_invoice_url, {"action": "card", **CARD, "number": "5555 5555 5555 4444"}).status == 303
    default = stripe_api.v1.customers.retrieve(customer.id).invoice_settings.default_payment_method
    assert stripe_api.v1.payment_methods.retrieve(default).card.last4 == "4444"
    assert stripe_api.v1.subscriptions.list({"customer": customer.id}).data[0].status == "active"


def test_a_declined_payment_leaves_the_invoice_open(stripe_api: Api, unpaid: Any) -> None:
    shown = visit(unpaid.hosted_invoice_url, {"action": "card", **CARD, "number": DECLINED})
    assert (shown.status, "Your card was declined." in shown.text) == (402, True)
    assert stripe_api.v1.invoices.retrieve(unpaid.id).status == "open"


@pytest.mark.parametrize(("answer", "status"), [("succeed", "paid"), ("fail", "open")])
def test_the_bank_asks_before_an_invoice_is_paid(stripe_api: Api, unpaid: Any, answer: str, status: str) -> None:
    asked = visit(unpaid.hosted_invoice_url, {"action": "card", **CARD, "number": ASKS_BANK})
    assert asked.location == f"/i/{unpaid.id}/authenticate"
    question = f"{unpaid.hosted_invoice_url}/authenticate"
    assert "3155" in visit(question).text
    assert stripe_api.v1.invoices.retrieve(unpaid.id).status == "open"
    assert visit(question, {"answer": answer}).location == f"/i/{unpaid.id}"
    assert stripe_api.v1.invoices.retrieve(unpaid.id).status == status
    assert visit(question).location == f"/i/{unpaid.id}"


def test_paying_a_paid_invoice_again_takes_nothing(stripe_api: Api, unpaid: Any) -> None:
    for _time in range(2):
        assert visit(unpaid.hosted_invoice_url, {"action": "saved"}).status == 303
    assert stripe_api.v1.invoices.retrieve(unpaid.id).amount_paid == 8700
    assert len(stripe_api.v1.events.list({"type": "invoice.paid"}).data) == 1


def test_an_invoice_comes_as_pdf_and_its_receipt_once_it_is_paid(stripe_api: Api, unpaid: Any) -> None:
    made = visit(unpaid.invoice_pdf)
    assert made.body.startswith(b"%PDF-")
    assert made.headers["content-type"] == "application/pdf"
    assert unpaid.number in made.headers["content-disposition"]
    assert visit(f"{unpaid.hosted_invoice_url}/receipt").status == 404
    visit(unpaid.hosted_invoice_url, {"action": "saved"})
    assert visit(f"{unpaid.hosted_invoice_url}/receipt").body.startswith(b"%PDF-")


@pytest.mark.parametrize("path", ["/i/in_none", "/i/in_none/pdf", "/i/in_none/authenticate", "/p/session/x", "/r/ch_x"])
def test_there_is_nothing_elsewhere(stripe_server: Any, path: str) -> None:
    assert visit(f"{stripe_server.url}{path}").status == 404
