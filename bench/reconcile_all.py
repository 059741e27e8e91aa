"""Workspaces that pay, and the nightly comparison of them all; run as a program inside the product's environment."""

import json
import sys
from datetime import timedelta
from time import perf_counter

import django


def reconciled() -> list[float]:
    """Compare everything, turn by turn; the seconds of each."""
    from billing.sweeps.reconcile import reconcile_all

    turns: list[float] = []
    finished = None
    while finished is None:
        began = perf_counter()
        finished = reconcile_all().finished_at
        turns.append(perf_counter() - began)
    return turns


def main() -> None:
    django.setup()
    import stripe
    from django.conf import settings

    from billing import stripe_reads
    from billing.accounts.services import account_make
    from billing.models import BillingAccount, PlanPrice
    from tenants.db.scopes import shared
    from tenants.models import Tenant

    client = stripe.StripeClient(settings.STRIPE_SECRET_KEY, base_addresses={"api": settings.STRIPE_API_URL})
    with shared():
        price = PlanPrice.objects.get(lookup_key="team_month_eur").stripe_price_id
        for number in range(int(sys.argv[1])):
            tenant = Tenant.objects.create(name=f"Paying {number}", state=Tenant.State.ACTIVE)
            account = account_make(tenant.id, trial=timedelta(days=14))
            customer = client.v1.customers.create({"email": f"paying.{number}@example.com"})
            card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
            client.v1.subscriptions.create(
                {
                    "customer": customer.id,
                    "items": [{"price": price, "quantity": 3}],
                    "default_payment_method": card.id,
                }
            )
            BillingAccount.objects.filter(id=account.id).update(customer_id=customer.id)
        customers = list(BillingAccount.objects.exclude(customer_id=None).values_list("customer_id", flat=True))
    reconciled()
    began = perf_counter()
    for one in customers:
        stripe_reads.customer_fetch(str(one))
        stripe_reads.subscriptions_of(str(one))
        stripe_reads.invoices_of(str(one))
        stripe_reads.charges_of(str(one))
    asked = perf_counter() - began
    turns = reconciled()
    found = {"accounts": len(customers), "asked": asked, "reconciled": sum(turns), "turns": len(turns)}
    print(json.dumps(found | {"longest": max(turns)}))


if __name__ == "__main__":
    main()
