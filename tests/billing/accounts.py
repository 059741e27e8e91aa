"""Billing accounts as Stripe's answers would have made them, for tests of what reads them."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone

from billing.models import BillingAccount, InvoiceMirror, PlanPrice, Subscription
from billing.plans.catalog import plans_load
from tenants.actors import TenantRef
from tenants.db.scopes import shared
from tenants.models import Tenant


def account_of(tenant: TenantRef, **values: Any) -> BillingAccount:
    """The workspace's account, with the plans loaded; ``values`` are set on it."""
    with shared():
        plans_load()
        account, _made = BillingAccount.objects.update_or_create(tenant_id=tenant.id, defaults=values)
    return account


def standing(tenant: TenantRef, state: str, **values: Any) -> None:
    """Billing's word on the workspace's own row; ``access_until`` in ten days unless given."""
    given = {"access_state": state, "access_until": timezone.now() + timedelta(days=10)} | values
    with shared():
        Tenant.objects.filter(id=tenant.id).update(**given)
        BillingAccount.objects.filter(tenant_id=tenant.id).update(access_state=state)


def subscribed(account: BillingAccount, price: str = "team_month_eur", **values: Any) -> Subscription:
    now = timezone.now()
    given: dict[str, Any] = {
        "stripe_id": f"sub_{account.pk}",
        "item_id": "si_1",
        "status": "active",
        "quantity": 6,
        "paid_quantity": 6,
        "period_start": now,
        "period_end": now + timedelta(days=30),
        "synced_at": now,
        "started_at": now,
    }
    with shared():
        return Subscription.objects.create(
            account=account, price=PlanPrice.objects.get(lookup_key=price), **given | values
        )


def invoiced(account: BillingAccount, number: str, **values: Any) -> InvoiceMirror:
    now = timezone.now()
    given: dict[str, Any] = {
        "stripe_id": f"in_{number}",
        "status": "paid",
        "currency": "EUR",
        "subtotal": Decimal("174.00"),
        "tax": Decimal("33.06"),
        "total": Decimal("207.06"),
        "paid": Decimal("207.06"),
        "page_url": f"https://pay.stripe.com/invoice/{number}",
        "pdf_url": f"https://pay.stripe.com/invoice/{number}/pdf",
        "issued_at": now,
        "synced_at": now,
    }
    merged = given | values
    remaining = Decimal(0) if merged["status"] == "paid" else merged["total"]
    with shared():
        return InvoiceMirror.objects.create(account=account, number=number, **{"remaining": remaining} | merged)
