"""Products, prices, coupons, tax ids, the portal and endpoints at the stand-in: what is kept and what is refused."""

import json
import urllib.request
from typing import Any

import pytest
import stripe

from tests.billing.standin.shop import plan, subscribed
from tests.billing.standin_server import StripeServer


def test_a_lookup_key_moves_to_the_new_price_when_told_to(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    old = client.v1.prices.retrieve(plan(client, 1000))
    wanted: Any = {
        "product": old.product,
        "currency": "eur",
        "unit_amount": 1100,
        "recurring": {"interval": "month"},
        "lookup_key": old.lookup_key,
    }
    with pytest.raises(stripe.InvalidRequestError, match="transfer_lookup_key"):
        client.v1.prices.create(wanted)
    wanted["transfer_lookup_key"] = True
    new = client.v1.prices.create(wanted)
    found = client.v1.prices.list({"lookup_keys": [str(old.lookup_key), "nothing"]}).data
    assert [one.id for one in found] == [new.id]
    assert client.v1.prices.retrieve(old.id).lookup_key is None


def test_at_most_ten_lookup_keys_are_asked_for_at_once(stripe_server: StripeServer) -> None:
    with pytest.raises(stripe.InvalidRequestError, match="up to 10"):
        stripe_server.client.v1.prices.list({"lookup_keys": [str(number) for number in range(11)]})


def test_a_product_with_prices_is_not_deleted(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    product = client.v1.prices.retrieve(plan(client)).product
    with pytest.raises(stripe.InvalidRequestError, match="cannot be deleted"):
        client.v1.products.delete(str(product))
    bare = client.v1.products.create({"name": "Nothing", "id": "bare"})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.products.create({"name": "Again", "id": "bare"})
    assert client.v1.products.delete(bare.id).deleted


def test_an_inactive_price_is_not_sold(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    stripe_server.card_change(customer.id)
    price = plan(client)
    client.v1.prices.update(price, {"active": False})
    with pytest.raises(stripe.InvalidRequestError, match="inactive"):
        client.v1.subscriptions.create({"customer": customer.id, "items": [{"price": price}]})


@pytest.mark.parametrize(
    "wanted",
    [
        {"duration": "once"},
        {"percent_off": 10, "amount_off": 100, "currency": "eur"},
        {"percent_off": 101},
        {"amount_off": 100},
        {"percent_off": 10, "duration": "repeating"},
    ],
    ids=["nothing off", "both", "too much", "no currency", "no months"],
)
def test_a_coupon_that_makes_no_sense_is_refused(stripe_server: StripeServer, wanted: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        stripe_server.client.v1.coupons.create(wanted)


def test_two_active_codes_are_not_spelt_the_same(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    coupon = client.v1.coupons.create({"percent_off": 10})
    client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HELLO"})
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.promotion_codes.create({"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "hello"})
    assert len(client.v1.promotion_codes.list({"code": "Hello", "active": True}).data) == 1


def test_a_discount_of_the_first_purchase_is_not_for_old_customers(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    subscription = subscribed(stripe_server)
    coupon = client.v1.coupons.create({"percent_off": 10})
    code = client.v1.promotion_codes.create(
        {
            "promotion": {"type": "coupon", "coupon": coupon.id},
            "restrictions": {"first_time_transaction": True},
        }
    )
    with pytest.raises(stripe.InvalidRequestError, match="prior transactions"):
        client.v1.subscriptions.update(subscription.id, {"discounts": [{"promotion_code": code.id}]})


def test_a_tax_id_is_judged_by_its_form_and_kept_once(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "12"})
    assert caught.value.code == "tax_id_invalid"
    made = client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "de 123456789"})
    again = client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": "DE123456789"})
    assert (made.value, made.country, again.id) == ("DE123456789", "DE", made.id)
    other = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.tax_ids.retrieve(other.id, made.id)
    client.v1.customers.tax_ids.delete(customer.id, made.id)
    assert client.v1.customers.tax_ids.list(customer.id).data == []


@pytest.mark.parametrize("value", ["DE12", "DE1234567890", "FR123", "XX123456789"])
def test_a_vat_id_has_the_form_of_its_country(value: str, stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": value})


@pytest.mark.parametrize(
    ("value", "status"),
    [("DE123456789", "verified"), ("DE111111111", "unverified"), ("DE222222222", "pending")],
)
def test_what_a_vat_id_for_trying_comes_to(value: str, status: str, stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    made = client.v1.customers.tax_ids.create(customer.id, {"type": "eu_vat", "value": value})
    assert made.verification is not None
    assert made.verification.status == status


def test_the_portal_does_not_change_plans_and_wants_a_configuration(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    customer = client.v1.customers.create({})
    with pytest.raises(stripe.InvalidRequestError, match="configuration"):
        client.v1.billing_portal.sessions.create({"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError, match="plan or quantity"):
        client.v1.billing_portal.configurations.create({"features": {"subscription_update": {"enabled": True}}})
    client.v1.billing_portal.configurations.create({"features": {"invoice_history": {"enabled": True}}})
    opened = client.v1.billing_portal.sessions.create({"customer": customer.id, "return_url": "https://crm.example/"})
    assert opened.url.startswith(f"{stripe_server.url}/p/session/")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tax_id_collection": {"enabled": True}}, "customer_update"),
        ({"automatic_tax": {"enabled": True}}, "valid address"),
        ({"expires_at": 1}, "30 minutes"),
        ({"discounts": [{"coupon": "c"}], "allow_promotion_codes": True}, "one of these"),
        ({"customer_email": "ada@example.com"}, "one of these"),
        ({"mode": "setup"}, "must be"),
    ],
    ids=["tax id", "tax", "expiry", "discounts", "two customers", "mode"],
)
def test_what_a_checkout_session_wants_together(stripe_server: StripeServer, more: Any, said: str) -> None:
    client = stripe_server.client
    wanted: Any = {
        "mode": "subscription",
        "customer": client.v1.customers.create({}).id,
        "line_items": [{"price": plan(client)}],
        "success_url": "https://crm.example/back",
        **more,
    }
    with pytest.raises(stripe.InvalidRequestError, match=said):
        client.v1.checkout.sessions.create(wanted)


def test_an_endpoint_s_secret_is_told_once(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    made = client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/", "enabled_events": ["invoice.paid"]})
    assert str(made.secret).startswith("whsec_")
    assert not hasattr(client.v1.webhook_endpoints.retrieve(made.id), "secret")
    with pytest.raises(stripe.InvalidRequestError, match="Invalid URL"):
        client.v1.webhook_endpoints.create({"url": "nowhere", "enabled_events": ["*"]})


def test_a_payment_method_belongs_to_one_customer(stripe_server: StripeServer) -> None:
    client = stripe_server.client
    first, second = client.v1.customers.create({}), client.v1.customers.create({})
    card = stripe_server.card_change(first.id)
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        client.v1.payment_methods.attach(card, {"customer": second.id})
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.update(second.id, {"invoice_settings": {"default_payment_method": card}})
    client.v1.payment_methods.detach(card)
    settings = client.v1.customers.retrieve(first.id).invoice_settings
    assert settings is not None
    assert settings.default_payment_method is None


def test_control_makes_faults_disputes_and_dunning_over_the_wire(stripe_server: StripeServer) -> None:
    def ask(method: str, path: str, given: Any) -> Any:
        asked = urllib.request.Request(
            f"{stripe_server.url}/_standin/{path}", data=json.dumps(given).encode(), method=method
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read())

    client = stripe_server.client
    subscription = subscribed(stripe_server)
    charge = client.v1.charges.list({"customer": str(subscription.customer)}).data[0]
    dispute = ask("POST", "disputes", {"charge": charge.id})
    assert ask("POST", "disputes", {"dispute": dispute["id"], "won": True})["status"] == "won"
    ask("POST", "dunning", {"after_retries": "unpaid"})
    ask("POST", "faults", {"kind": "500", "match": "GET /v1/customers", "times": 0})
    with pytest.raises(stripe.APIError):
        client.v1.customers.list()
    ask("DELETE", "faults", {})
    assert client.v1.customers.list().data
    for wrong in ({"kind": "earthquake"}, {"kind": "500", "colour": "red"}):
        with pytest.raises(urllib.error.HTTPError) as caught:
            ask("POST", "faults", wrong)
        assert caught.value.code == 400
