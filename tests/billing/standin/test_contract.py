"""One suite for the stand-in and for Stripe: what billing relies on, in both alike, and each answer as declared.

Against Stripe it runs in test mode where STRIPE_TEST_KEY is given; without one it is skipped there and says so.
"""

import os
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import stripe

from tests.billing.standin.recording import Api, api


@pytest.fixture(params=["stand-in", "test mode"])
def stripe_api(request: pytest.FixtureRequest) -> Iterator[Api]:
    if request.param == "stand-in":
        found = api("sk_test_contract_of_the_standin", request.getfixturevalue("stripe_server").url)
    else:
        key = os.environ.get("STRIPE_TEST_KEY")
        if not key:
            pytest.skip("no STRIPE_TEST_KEY: give a secret key of Stripe's test mode to hold Stripe itself to this")
        found = api(key)
    yield found
    assert found.recording.problems() == []


@pytest.fixture
def customer(stripe_api: Api) -> Iterator[Any]:
    made = stripe_api.v1.customers.create(
        {
            "name": "Müller & Söhne",
            "email": "billing@example.com",
            "address": {"line1": "Domkloster 4", "postal_code": "50667", "city": "Köln", "country": "DE"},
            "metadata": {"account": "contract"},
        }
    )
    yield made
    stripe_api.v1.customers.delete(made.id)


@pytest.fixture
def product(stripe_api: Api) -> Any:
    return stripe_api.v1.products.create({"name": "Contract", "metadata": {"plan": "contract"}})


def price_make(stripe_api: Api, product: Any, amount: int = 2900, interval: str = "month", **more: Any) -> Any:
    return stripe_api.v1.prices.create(
        {
            "product": product.id,
            "currency": "eur",
            "unit_amount": amount,
            "recurring": {"interval": interval},
            "tax_behavior": "exclusive",
            **more,
        }
    )


@pytest.fixture
def price(stripe_api: Api, product: Any) -> Any:
    return price_make(stripe_api, product)


def card_give(stripe_api: Api, customer: Any, alias: str = "pm_card_visa") -> Any:
    method = stripe_api.v1.payment_methods.attach(alias, {"customer": customer.id})
    stripe_api.v1.customers.update(customer.id, {"invoice_settings": {"default_payment_method": method.id}})
    return method


def subscribe(stripe_api: Api, customer: Any, price: Any, quantity: int = 3, **more: Any) -> Any:
    return stripe_api.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id, "quantity": quantity}],
            "metadata": {"account": "contract"},
            "expand": ["latest_invoice"],
            **more,
        }
    )


def test_a_customer_is_kept_changed_and_deleted(stripe_api: Api) -> None:
    made = stripe_api.v1.customers.create({"email": "first@example.com", "metadata": {"a": "1", "b": "2"}})
    changed = stripe_api.v1.customers.update(made.id, {"email": "second@example.com", "metadata": {"a": ""}})
    assert (changed.id, changed.email, changed.metadata.to_dict()) == (made.id, "second@example.com", {"b": "2"})
    assert stripe_api.v1.customers.retrieve(made.id).email == "second@example.com"
    assert stripe_api.v1.customers.delete(made.id).deleted is True
    assert stripe_api.v1.customers.retrieve(made.id).deleted is True


def test_a_vat_id_belongs_to_its_customer(stripe_api: Api, customer: Any) -> None:
    made = stripe_api.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE123456789"})
    assert [one.id for one in stripe_api.v1.customers.tax_ids.list(customer.id).data] == [made.id]
    assert made.country == "DE"
    assert stripe_api.v1.customers.tax_ids.delete(customer.id, made.id).deleted is True
    assert stripe_api.v1.customers.tax_ids.list(customer.id).data == []


def test_a_vat_id_of_no_such_form_is_refused(stripe_api: Api, customer: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_api.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "!"})
    assert refused.value.code == "tax_id_invalid"


def test_a_price_is_found_by_its_lookup_key_which_a_new_one_can_take_over(stripe_api: Api, product: Any) -> None:
    key = f"contract_{uuid4().hex}"
    old = price_make(stripe_api, product, lookup_key=key)
    assert [one.id for one in stripe_api.v1.prices.list({"lookup_keys": [key]}).data] == [old.id]
    new = price_make(stripe_api, product, 3100, lookup_key=key, transfer_lookup_key=True)
    found = stripe_api.v1.prices.list({"lookup_keys": [key], "active": True}).data
    assert [(one.id, one.unit_amount) for one in found] == [(new.id, 3100)]


def test_a_subscription_is_paid_by_the_saved_card(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    item = made["items"].data[0]
    assert (made.status, item.quantity, item.price.id) == ("active", 3, price.id)
    assert 27 * 86_400 < item.current_period_end - item.current_period_start < 32 * 86_400
    invoice = made.latest_invoice
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == ("paid", 8700, "subscription_create")
    assert invoice.parent.subscription_details.subscription == made.id
    assert [line.amount for line in invoice.lines.data] == [8700]
    assert invoice.hosted_invoice_url.startswith("http")


def test_without_a_payment_a_subscription_is_incomplete(stripe_api: Api, customer: Any, price: Any) -> None:
    made = subscribe(stripe_api, customer, price, payment_behavior="default_incomplete")
    assert (made.status, made.latest_invoice.status) == ("incomplete", "open")


def test_more_seats_cost_to_the_cent_what_the_preview_said(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    item, at = made["items"].data[0], int(time.time())
    if "127.0.0.1" not in str(made.latest_invoice.hosted_invoice_url):
        time.sleep(2)
    change = {
        "items": [{"id": item.id, "quantity": 5}],
        "proration_behavior": "always_invoice",
        "proration_date": max(at, made.start_date),
    }
    preview = stripe_api.v1.invoices.create_preview(
        {"customer": customer.id, "subscription": made.id, "subscription_details": change}
    )
    changed = stripe_api.v1.subscriptions.update(made.id, {**change, "expand": ["latest_invoice"]})
    assert changed["items"].data[0].quantity == 5
    assert changed.latest_invoice.total == preview.total
    assert 0 < preview.total <= 2 * 2900
    amounts = [line.amount for line in preview.lines.data]
    assert sorted(line.amount for line in changed.latest_invoice.lines.data) == sorted(amounts)
    assert all(line.parent.subscription_item_details.proration for line in preview.lines.data)


def test_fewer_seats_without_proration_ask_for_nothing_now(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    item = made["items"].data[0]
    changed = stripe_api.v1.subscriptions.update(
        made.id, {"items": [{"id": item.id, "quantity": 1}], "proration_behavior": "none"}
    )
    assert changed["items"].data[0].quantity == 1
    assert len(stripe_api.v1.invoices.list({"subscription": made.id}).data) == 1


def test_a_cancellation_at_the_end_can_be_taken_back(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    ending = stripe_api.v1.subscriptions.update(
        made.id,
        {"cancel_at_period_end": True, "cancellation_details": {"feedback": "too_expensive", "comment": "Dear"}},
    )
    assert (ending.status, ending.cancel_at_period_end) == ("active", True)
    assert ending.cancellation_details.feedback == "too_expensive"
    back = stripe_api.v1.subscriptions.update(made.id, {"cancel_at_period_end": False})
    assert (back.cancel_at_period_end, back.cancel_at) == (False, None)
    gone = stripe_api.v1.subscriptions.cancel(made.id)
    assert (gone.status, gone.ended_at is not None) == ("canceled", True)


def test_lists_of_subscriptions_leave_out_the_cancelled_unless_asked(
    stripe_api: Api, customer: Any, price: Any
) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    stripe_api.v1.subscriptions.cancel(made.id)
    assert stripe_api.v1.subscriptions.list({"customer": customer.id}).data == []
    found = stripe_api.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data
    assert [one.id for one in found] == [made.id]


def test_a_declined_card_is_an_error_of_the_card(stripe_api: Api, customer: Any) -> None:
    with pytest.raises(stripe.CardError) as declined:
        card_give(stripe_api, customer, "pm_card_visa_chargeDeclined")
    assert (declined.value.code, declined.value.http_status) == ("card_declined", 402)


def test_a_card_that_fails_later_leaves_the_invoice_open(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer, "pm_card_chargeCustomerFail")
    made = subscribe(stripe_api, customer, price, payment_behavior="allow_incomplete")
    assert (made.status, made.latest_invoice.status) == ("incomplete", "open")
    with pytest.raises(stripe.CardError):
        stripe_api.v1.invoices.pay(made.latest_invoice.id)
    card_give(stripe_api, customer)
    assert stripe_api.v1.invoices.pay(made.latest_invoice.id).status == "paid"
    assert stripe_api.v1.subscriptions.retrieve(made.id).status == "active"


def test_a_checkout_is_opened_found_and_expired(stripe_api: Api, customer: Any, price: Any) -> None:
    made = stripe_api.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "client_reference_id": "attempt",
            "line_items": [{"price": price.id, "quantity": 2}],
            "success_url": "https://example.com/return/?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://example.com/cancelled/",
            "allow_promotion_codes": True,
            "billing_address_collection": "required",
            "tax_id_collection": {"enabled": True},
            "customer_update": {"address": "auto", "name": "auto"},
            "subscription_data": {"metadata": {"account": "contract"}},
        }
    )
    assert (made.status, made.payment_status, made.subscription) == ("open", "unpaid", None)
    assert (made.amount_total, made.currency) == (5800, "eur")
    assert made.url.startswith("http")
    lines = stripe_api.v1.checkout.sessions.line_items.list(made.id)
    assert [(one.quantity, one.price.id) for one in lines.data] == [(2, price.id)]
    assert stripe_api.v1.checkout.sessions.expire(made.id).status == "expired"
    assert stripe_api.v1.checkout.sessions.retrieve(made.id).status == "expired"
    assert [one.id for one in stripe_api.v1.checkout.sessions.list({"customer": customer.id}).data] == [made.id]
    with pytest.raises(stripe.InvalidRequestError):
        stripe_api.v1.checkout.sessions.expire(made.id)


def test_a_portal_without_changes_of_plan_is_opened(stripe_api: Api, customer: Any) -> None:
    configuration = stripe_api.v1.billing_portal.configurations.create(
        {
            "features": {
                "customer_update": {"enabled": True, "allowed_updates": ["address", "name", "tax_id"]},
                "invoice_history": {"enabled": True},
                "payment_method_update": {"enabled": True},
                "subscription_cancel": {"enabled": False},
                "subscription_update": {"enabled": False},
            },
            "business_profile": {"headline": "Contract"},
        }
    )
    assert configuration.features.subscription_update.enabled is False
    found = stripe_api.v1.billing_portal.configurations.retrieve(configuration.id)
    assert found.features.payment_method_update.enabled is True
    session = stripe_api.v1.billing_portal.sessions.create(
        {"customer": customer.id, "configuration": configuration.id, "return_url": "https://example.com/back/"}
    )
    assert session.url.startswith("http")
    assert session.return_url == "https://example.com/back/"


def test_a_promotion_code_takes_its_coupon_off_the_first_invoice(stripe_api: Api, customer: Any, price: Any) -> None:
    coupon = stripe_api.v1.coupons.create({"percent_off": 50, "duration": "once", "name": "Half"})
    text = f"HALF{uuid4().hex[:10].upper()}"
    code = stripe_api.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": text, "max_redemptions": 1}
    )
    assert [one.id for one in stripe_api.v1.promotion_codes.list({"code": text, "active": True}).data] == [code.id]
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price, discounts=[{"promotion_code": code.id}])
    assert (made.latest_invoice.subtotal, made.latest_invoice.total) == (8700, 4350)
    with pytest.raises(stripe.InvalidRequestError):
        subscribe(stripe_api, customer, price, discounts=[{"promotion_code": code.id}])


def test_a_paid_invoice_can_be_given_back(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    payments = stripe_api.v1.invoice_payments.list({"invoice": made.latest_invoice.id}).data
    intent = payments[0].payment.payment_intent
    refund = stripe_api.v1.refunds.create({"payment_intent": intent, "amount": 2900})
    assert (refund.amount, refund.status, refund.payment_intent) == (2900, "succeeded", intent)
    assert [one.id for one in stripe_api.v1.refunds.list({"payment_intent": intent}).data] == [refund.id]
    with pytest.raises(stripe.InvalidRequestError):
        stripe_api.v1.refunds.create({"payment_intent": intent, "amount": 8700})


def test_what_is_read_of_a_customer_comes_with_what_belongs_to_it(
    stripe_api: Api, customer: Any, product: Any, price: Any
) -> None:
    coupon = stripe_api.v1.coupons.create({"percent_off": 10, "duration": "forever"})
    card = card_give(stripe_api, customer)
    stripe_api.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE123456789"})
    made = subscribe(stripe_api, customer, price, discounts=[{"coupon": coupon.id}], default_payment_method=card.id)

    expand = ["tax_ids", "invoice_settings.default_payment_method"]
    found = stripe_api.v1.customers.retrieve(customer.id, {"expand": expand})
    assert found.invoice_settings.default_payment_method.card.last4 == "4242"
    assert [one.value for one in found.tax_ids.data] == ["DE123456789"]
    assert customer.id in [one.id for one in stripe_api.v1.customers.list({"email": customer.email}).data]

    expand = ["data.default_payment_method", "data.discounts.source.coupon"]
    listed = stripe_api.v1.subscriptions.list({"customer": customer.id, "status": "all", "expand": expand}).data[0]
    assert listed.default_payment_method.card.brand == "visa"
    assert listed.discounts[0].source.coupon.percent_off == 10

    invoice = stripe_api.v1.invoices.list({"customer": customer.id, "expand": ["data.payments"]}).data[0]
    assert [one.amount_paid for one in invoice.payments.data] == [invoice.total] == [7830]
    assert stripe_api.v1.invoices.retrieve(invoice.id).id == made.latest_invoice.id
    charge = stripe_api.v1.charges.list({"customer": customer.id}).data[0]
    assert (charge.amount, charge.paid, charge.disputed) == (7830, True, False)
    assert stripe_api.v1.charges.retrieve(charge.id).customer == customer.id
    assert stripe_api.v1.products.retrieve(product.id).name == "Contract"


def test_a_product_is_made_under_an_id_of_our_own(stripe_api: Api) -> None:
    wanted = f"contract_{uuid4().hex}"
    with pytest.raises(stripe.InvalidRequestError) as missing:
        stripe_api.v1.products.retrieve(wanted)
    assert missing.value.code == "resource_missing"
    assert stripe_api.v1.products.create({"id": wanted, "name": "Contract"}).id == wanted


def test_a_subscription_ended_at_once_makes_no_invoice(stripe_api: Api, customer: Any, price: Any) -> None:
    card_give(stripe_api, customer)
    made = subscribe(stripe_api, customer, price)
    gone = stripe_api.v1.subscriptions.cancel(made.id, {"prorate": False, "invoice_now": False})
    assert gone.status == "canceled"
    assert len(stripe_api.v1.invoices.list({"customer": customer.id}).data) == 1


def test_an_open_invoice_is_made_void_and_then_not_paid(stripe_api: Api, customer: Any, price: Any) -> None:
    made = subscribe(stripe_api, customer, price, payment_behavior="default_incomplete")
    assert made.latest_invoice.status == "open"
    assert stripe_api.v1.invoices.void_invoice(made.latest_invoice.id, {}).status == "void"
    with pytest.raises(stripe.InvalidRequestError):
        stripe_api.v1.invoices.pay(made.latest_invoice.id)


def test_what_happened_is_listed_with_the_object_as_it_was(stripe_api: Api, customer: Any) -> None:
    since = customer.created
    for _attempt in range(20):
        found = stripe_api.v1.events.list({"types": ["customer.created"], "created": {"gte": since}, "limit": 100})
        mine = [one for one in found.data if one.data.object.id == customer.id]
        if mine:
            break
        time.sleep(0.5)
    assert [one.type for one in mine] == ["customer.created"]
    assert mine[0].api_version == stripe.api_version
    assert stripe_api.v1.events.retrieve(mine[0].id).data.object.email == "billing@example.com"


def test_a_webhook_endpoint_tells_its_secret_once(stripe_api: Api) -> None:
    made = stripe_api.v1.webhook_endpoints.create(
        {"url": "https://example.com/hook/", "enabled_events": ["invoice.paid"], "api_version": stripe.api_version}
    )
    assert made.secret.startswith("whsec_")
    assert "secret" not in stripe_api.v1.webhook_endpoints.retrieve(made.id).to_dict()
    assert stripe_api.v1.webhook_endpoints.delete(made.id).deleted is True


def test_a_repeated_request_with_its_key_is_done_once(stripe_api: Api) -> None:
    key = uuid4().hex
    first = stripe_api.v1.customers.create({"email": "once@example.com"}, {"idempotency_key": key})
    again = stripe_api.v1.customers.create({"email": "once@example.com"}, {"idempotency_key": key})
    assert again.id == first.id
    assert {name.lower(): value for name, value in stripe_api.last.headers.items()}["idempotent-replayed"] == "true"
    with pytest.raises(stripe.IdempotencyError):
        stripe_api.v1.customers.create({"email": "twice@example.com"}, {"idempotency_key": key})
    stripe_api.v1.customers.delete(first.id)


def test_a_parameter_that_there_is_not_is_refused(stripe_api: Api) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_api.v1.customers.create({"colour": "red"})
    assert (refused.value.code, refused.value.param, refused.value.http_status) == ("parameter_unknown", "colour", 400)


def test_what_there_is_not_is_said_to_be_missing(stripe_api: Api) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        stripe_api.v1.subscriptions.retrieve("sub_none")
    assert (refused.value.code, refused.value.http_status) == ("resource_missing", 404)


def test_a_wrong_key_is_refused(stripe_api: Api) -> None:
    with pytest.raises(stripe.AuthenticationError):
        stripe_api.v1.customers.list({}, {"api_key": "wrong"})


def test_pages_of_a_list_go_on_from_the_last_one(stripe_api: Api, product: Any) -> None:
    made = [price_make(stripe_api, product, amount).id for amount in (100, 200, 300)]
    first = stripe_api.v1.prices.list({"product": product.id, "limit": 2})
    assert ([one.id for one in first.data], first.has_more) == ([made[2], made[1]], True)
    rest = stripe_api.v1.prices.list({"product": product.id, "limit": 2, "starting_after": made[1]})
    assert ([one.id for one in rest.data], rest.has_more) == ([made[0]], False)
