"""A workspace that pays, for tests that live through months of it: rows, tasks and the stand-in, without a schema."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

from allauth.account.models import EmailAddress

from billing import clock
from billing.access import State
from billing.accounts.services import account_make
from billing.checkout import changes
from billing.checkout.hosted import checkout_start
from billing.errors import StripeAway
from billing.models import BillingAccount, CheckoutAttempt, InvoiceMirror, PlanPrice
from billing.seats import seats_billable, subscription_live
from billing.subscriptions.seat_sync import seats_due, seats_tell
from billing.subscriptions.sync import subscription_sync
from billing.sweeps.lifecycle import lifecycle_sweep
from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import Domain, Membership, Tenant, User
from tenants.workspaces import memberships
from tenants.workspaces.settings import workspace_now
from tests.billing.standin_server import FAILS_LATER, VISA, StripeServer


class PayingWorkspace:
    """Each verb is what somebody does to it. ``settle`` and ``day`` do what tasks and webhooks would."""

    def __init__(self, server: StripeServer, *, tenant: TenantRef | None = None, owner_id: str = "") -> None:
        """A new one without a schema, or ``tenant``, whose first subscription ``owner_id`` buys."""
        self.server = server
        self._heard = 0
        name = uuid4().hex[:12]
        with shared():
            if tenant is not None:
                self.owner = User.objects.get(id=owner_id)
                self.tenant = Tenant.objects.get(id=tenant.id)
            else:
                self.owner = self._user(f"owner.{name}@example.com")
                self.tenant = Tenant.objects.create(name=f"Workspace {name}", state=Tenant.State.ACTIVE)
                Domain.objects.create(tenant=self.tenant, domain=f"{name}.localhost", is_primary=True)
                memberships.membership_set(tenant_id=self.tenant.id, user_id=self.owner.id, active=True)
            account_make(self.tenant.id)

    def full(self, plan: str) -> "PayingWorkspace":
        """With a subscription for just the members that there are."""
        with shared():
            seats = seats_billable(self.tenant.id)
        self.buy(plan, seats)
        return self

    def _user(self, email: str) -> User:
        user = User.objects.create(email=email, password="!")
        EmailAddress.objects.create(user=user, email=email, primary=True, verified=True)
        return user

    @property
    def account(self) -> BillingAccount:
        with shared():
            return BillingAccount.objects.select_related("tenant").get(tenant=self.tenant)

    @property
    def state(self) -> State:
        return State(self.account.access_state)

    @property
    def billed(self) -> int | None:
        """The quantity that Stripe bills now; None where nothing is bought."""
        with shared():
            live = subscription_live(self.account)
        if live is None:
            return None
        item = self.server.client.v1.subscriptions.retrieve(live.stripe_id)["items"]["data"][0]
        return int(item["quantity"])

    @property
    def seats(self) -> int | None:
        with shared():
            found = Tenant.objects.get(id=self.tenant.id).limits.get("seats")
        return None if found is None else int(found)

    @property
    def newest_invoice(self) -> InvoiceMirror:
        self.sync()
        with shared():
            return self.account.invoices.all()[0]

    @property
    def invoices(self) -> int:
        self.sync()
        with shared():
            return self.account.invoices.count()

    @property
    def days_left(self) -> int:
        """Whole days until the period ends."""
        with shared():
            live = subscription_live(self.account)
        assert live is not None
        assert live.period_end is not None
        return (live.period_end - clock.now()).days

    def refreshed(self, actor: Actor) -> Actor:
        """The actor, who knows of the limits as they are now."""
        return replace(actor, tenant=workspace_now(actor.tenant))

    def price(self, plan: str) -> PlanPrice:
        with shared():
            return PlanPrice.objects.select_related("plan").get(lookup_key=f"{plan}_month_eur")

    def join(self, number: int = 1) -> None:
        with shared():
            for _one in range(number):
                user = User.objects.create(email=f"{uuid4().hex}@example.com", password="!")
                memberships.membership_set(tenant_id=self.tenant.id, user_id=user.id, active=True)

    def leave(self, number: int = 1) -> None:
        with shared():
            rows = Membership.objects.filter(tenant=self.tenant, state=Membership.State.ACTIVE)
            for one in rows.exclude(user=self.owner).order_by("-id")[:number]:
                memberships.membership_set(tenant_id=self.tenant.id, user_id=one.user_id, active=False)

    def checkout(self, plan: str, seats: int) -> str:
        """Go to the checkout; the id of its session."""
        checkout_start(self.account, self.price(plan), seats, self.owner)
        with shared():
            attempt = CheckoutAttempt.objects.get(account=self.account, state=CheckoutAttempt.State.OPEN)
        return str(attempt.session_id)

    def buy(self, plan: str, seats: int, card: str = VISA, *, told: bool = True) -> None:
        """Pay in a checkout; not ``told``: we do not hear of it."""
        self.server.pay(self.checkout(plan, seats), card)
        if told:
            self.sync()

    def change(self, plan: str, seats: int) -> None:
        price = self.price(plan)
        shown = changes.change_preview(self.account, price, seats)
        changes.change_apply(self.account, price, seats, shown.proration_date, shown.balance)

    def cancel(self) -> None:
        changes.cancel(self.account, "other", "")

    def reactivate(self) -> None:
        changes.reactivate(self.account)

    def card(self, *, works: bool) -> None:
        self.server.card_change(str(self.account.customer_id), VISA if works else FAILS_LATER)

    def sync(self) -> None:
        subscription_sync(self.account.id)

    def hear(self) -> None:
        """Fetch, as a webhook would let us, where Stripe has told something since."""
        events = self.server.server.store.events_after(self._heard)
        if events:
            self.sync()
            self._heard = events[-1][0]

    def settle(self) -> None:
        with shared():
            for tenant_id in seats_due():
                seats_tell(tenant_id)

    def day(self, number: int = 1) -> None:
        """A day passes, and at its end come Stripe's events and our sweeps, as far as Stripe answers."""
        for _one in range(number):
            clock.move(timedelta(days=1))
            with suppress(StripeAway):
                self.hear()
            self.settle()
            lifecycle_sweep()
