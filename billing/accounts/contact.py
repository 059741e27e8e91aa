"""The address that mails about payments go to, apart from the members'."""

from billing import stripe_writes
from billing.models import BillingAccount
from tenants.db.scopes import shared


@shared()
def contact_set(account: BillingAccount, email: str) -> None:
    """Set it here and, where there is a customer, at Stripe. Raises AccountBusy, StripeAway and StripeRefused."""
    if account.customer_id:
        stripe_writes.customer_update(account, email=email)
    BillingAccount.objects.filter(id=account.id).update(email=email)
