"""What the pages of Settings → Billing share."""

from typing import Any

from django.conf import settings
from django.http import Http404
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

from billing.accounts import NoAccount, account_of
from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.models import BillingAccount
from tenants.access import needs
from tenants.http import MemberRequest

BILLING = needs("workspace", "billing")
STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")

type Trouble = BillingRefused | StripeAway | AccountBusy
TROUBLE = (BillingRefused, StripeAway, AccountBusy)


def to_stripe_csp() -> dict[str, Any]:
    """The policy of pages whose form's answer leads to Stripe's pages: redirects count as form targets."""
    pages = (settings.STRIPE_API_URL,) if settings.STRIPE_API_URL else STRIPE_PAGES
    return {**settings.SECURE_CSP, "form-action": [CSP.SELF, *pages]}


leads_to_stripe = csp_override(to_stripe_csp())


def account_here(request: MemberRequest) -> BillingAccount:
    """The billing account of the workspace that is asked. Raises Http404 where it has none."""
    try:
        return account_of(request.tenant.id)
    except NoAccount:
        raise Http404 from None


def words_of(trouble: Trouble) -> str:
    """What went wrong, for people."""
    return str(trouble) if isinstance(trouble, BillingRefused) else trouble.message


def status_of(trouble: Trouble) -> int:
    match trouble:
        case StripeAway():
            return 503
        case AccountBusy():
            return 409
    return 422
