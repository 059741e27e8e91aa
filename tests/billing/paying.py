"""A workspace that pays, against the stand-in in this process: what tests of billing's core do and look at."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import stripe
from django.test import Client

from billing import clock
from billing.accounts.services import account_make
from billing.checkout.hosted import checkout_start
from billing.models import BillingAccount, CheckoutAttempt, Plan, PlanPrice, StripeEvent, Subscription
from billing.outgoing import Fetched
from billing.plans.prices import price_params, product_params
from billing.subscriptions.sync import subscription_sync
from embedded.stripe.resources import prices, products
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import Tenant, User
from tenants.workspaces.hosts import public_url
from tests.billing.standin_server import VISA, StripeServer

SECRET = "whsec_of_the_tests_0123456789"
SEATS = 6
"""As many as workspace A of the cast has members."""


class Paying:
    """Workspace ``tenant`` and its account, with Stripe's stand-in at ``server``; ``owner`` pays."""

    def __init__(self, server: StripeServer, settings: Any, owner: Actor) -> None:
        self.server = server
        settings.STRIPE_SECRET_KEY = server.key
        settings.STRIPE_API_URL = server.url
        settings.STRIPE_WEBHOOK_SECRET = SECRET
        self.owner = owner
        with shared():
            self.user = User.objects.get(id=owner.details["user_id"])
            self.first = account_make(owner.tenant.id)
        stock(server)

    @property
    def account(self) -> BillingAccount:
        with shared():
            return BillingAccount.objects.get(id=self.first.id)

    @property
    def tenant(self) -> TenantRef:
        with shared():
            found: TenantRef = Tenant.objects.get(id=self.first.tenant_id).ref()
        return found

    @property
    def subscription(self) -> Subscription:
        with shared():
            return Subscription.objects.select_related("price").filter(account=self.first).latest("started_at")

    @property
    def customer(self) -> str:
        return str(self.account.customer_id)

    def price(self, lookup_key: str) -> PlanPrice:
        with shared():
            return PlanPrice.objects.select_related("plan").get(lookup_key=lookup_key)

    def start(self, price: str = "team_month_eur", seats: int = SEATS) -> CheckoutAttempt:
        """Go to the checkout; the attempt, with its session at Stripe."""
        checkout_start(self.account, self.price(price), seats, self.user)
        with shared():
            return CheckoutAttempt.objects.get(account=self.first, state="open")

    def subscribe(self, price: str = "team_month_eur", seats: int = SEATS, card: str = VISA) -> Subscription:
        """Pay on the checkout's page, and have it fetched."""
        attempt = self.start(price, seats)
        self.server.pay(str(attempt.session_id), card)
        return self.sync()

    def sync(self) -> Subscription:
        found = subscription_sync(self.first.id)
        assert found is not None
        return self.subscription

    def move(self, **by: int) -> None:
        clock.move(timedelta(**by))

    def events(self, kind: str = "") -> list[Fetched]:
        """What the stand-in has told, the oldest first."""
        found = self.server.client.v1.events.list({"limit": 100}).data
        plain = [json.loads(str(one)) for one in found]
        return [one for one in reversed(plain) if one["type"].startswith(kind)]

    def deliver(self, event: Fetched, **how: Any) -> int:
        """Send an event to our endpoint as Stripe does; the status it is answered with."""
        return deliver(event, **how)


def stock(server: StripeServer) -> None:
    """Put what is sold straight into the stand-in: asking it for each would take each test most of a second."""
    store = server.server.store
    with shared(), store.transaction():
        for plan in Plan.objects.all():
            products.create(store, dict(product_params(plan)))
        sold = list(PlanPrice.objects.select_related("plan"))
        for price in sold:
            price.stripe_price_id = prices.create(store, dict(price_params(price)))["id"]
        PlanPrice.objects.bulk_update(sold, ["stripe_price_id"])


def deliver(
    event: Fetched,
    *,
    secret: str = SECRET,
    at: int | None = None,
    header: str | None = None,
    change: Callable[[str], str] = lambda body: body,
) -> int:
    """``change`` is done to the body after it was signed."""
    body = json.dumps(event)
    signed = header or stripe.WebhookSignature.generate_signature_header(body, secret, at)
    client = Client(headers={"host": urlsplit(public_url("")).netloc}, enforce_csrf_checks=True)
    answer = client.post(
        "/billing/webhooks/stripe/", change(body), content_type="application/json", headers={"stripe-signature": signed}
    )
    return answer.status_code


def event_of(event: Fetched) -> StripeEvent:
    with shared():
        return StripeEvent.objects.get(stripe_id=event["id"])
