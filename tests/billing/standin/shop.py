"""What the tests of the stand-in sell: one product by the seat."""

from typing import Any

import stripe

from tests.billing.standin_server import StripeServer

MONTH = 31


def plan(client: stripe.StripeClient, amount: int = 1200, currency: str = "eur", interval: str = "month") -> str:
    product = client.v1.products.create({"name": "Team"})
    price = client.v1.prices.create(
        {
            "product": product.id,
            "unit_amount": amount,
            "currency": currency,
            "recurring": {"interval": interval},
            "lookup_key": f"team_{interval}_{currency}",
            "transfer_lookup_key": True,
        }
    )
    return price.id


def checkout(
    client: stripe.StripeClient, price: str, customer: str, quantity: int = 3, **more: Any
) -> stripe.checkout.Session:
    wanted: Any = {
        "mode": "subscription",
        "customer": customer,
        "line_items": [{"price": price, "quantity": quantity}],
        "success_url": "https://crm.example/back",
        "subscription_data": {"billing_mode": {"type": "flexible"}},
        **more,
    }
    return client.v1.checkout.sessions.create(wanted)


def subscribed(server: StripeServer, quantity: int = 3, amount: int = 1200) -> stripe.Subscription:
    client = server.client
    customer = client.v1.customers.create({"email": "ada@example.com"})
    session = checkout(client, plan(client, amount), customer.id, quantity)
    done = server.pay(session.id)
    return client.v1.subscriptions.retrieve(done["subscription"])
