"""What the pages of Settings → Billing share."""

from functools import wraps
from typing import Any

from django.conf import settings
from django.http import Http404
from django.http.response import HttpResponseBase
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

from billing.accounts.services import NoAccount, account_of
from billing.errors import AccountBusy, AlreadyAsked, BillingRefused, StripeAway
from billing.models import BillingAccount
from tenants.http import MemberRequest, Request
from tenants.rate_limits import TooMany, count, too_many
from tenants.web.access import View, needs

BILLING = needs("workspace", "billing")
STRIPE_PAGES = ("https://checkout.stripe.com", "https://billing.stripe.com")

type Trouble = BillingRefused | StripeAway | AccountBusy
TROUBLE = (BillingRefused, StripeAway, AccountBusy)


def to_stripe_csp() -> dict[str, Any]:
    """The policy of pages whose form's answer leads to Stripe's pages: redirects count as form targets."""
    pages = (settings.STRIPE_API_URL,) if settings.STRIPE_API_URL else STRIPE_PAGES
    return {**settings.SECURE_CSP, "form-action": [CSP.SELF, *pages]}


def leads_to_stripe[**P](view: View[P]) -> View[P]:
    """Give a view's pages that policy."""

    @wraps(view)
    def led(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        answer: HttpResponseBase = csp_override(to_stripe_csp())(view)(request, *args, **kwargs)
        return answer

    return led


def asks_stripe[**P](view: View[P]) -> View[P]:
    """Count by workspace what a view asks of Stripe, which answers only so often for all workspaces together."""

    @wraps(view)
    def counted(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        assert request.tenant is not None
        try:
            count("stripe", str(request.tenant.id))
        except TooMany as refusal:
            return too_many(request, refusal.seconds)
        return view(request, *args, **kwargs)

    return counted


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
        case AlreadyAsked() | AccountBusy():
            return 409
        case StripeAway():
            return 503
    return 422
