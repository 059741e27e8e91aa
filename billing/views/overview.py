"""Settings → Billing: what is paid for, what it gives, and what follows."""

from collections.abc import Mapping

from babel import Locale
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing import selectors
from billing.access import KEPT, READ_ONLY, State
from billing.plans.wording import STATE_COLORS, STATES, VAT_STATES
from billing.views.common import BILLING, leads_to_stripe
from tenants.http import MemberRequest
from tenants.web.access import access
from tenants.workspaces.limits import usage


@access(BILLING)
@leads_to_stripe
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    tenant = request.tenant
    found = selectors.overview(tenant.id)
    state = State(tenant.access_state or State.PENDING)
    account = found.account if found else None
    members, used = selectors.members(tenant.id), usage(tenant)
    seats = next(one for one in used if one.limit == "seats")
    context = {
        "overview": found,
        "account": account,
        "members": members,
        "seats": seats,
        "invited": max(seats.used - members, 0),
        "seats_paid": found.seats_paid if found else None,
        "usage": [one for one in used if one is not seats],
        "address": address_parts(account.address) if account else [],
        "vat_state": VAT_STATES.get(account.vat_status, "") if account else "",
        "vat_color": "green" if account and account.vat_status == "verified" else "amber",
        "state": state,
        "state_label": STATES[state],
        "state_color": STATE_COLORS.get(state, "gray"),
        "deleted_on": account.access_lost_at + KEPT if account and account.access_lost_at else None,
        "read_only_days": READ_ONLY.days,
        "kept_days": KEPT.days,
    }
    return render(request, "billing/index.html", context)


@access(BILLING)
@require_safe
def invoices(request: MemberRequest) -> HttpResponse:
    page = selectors.invoice_page(request.tenant.id, request.GET.get("page"))
    return render(request, "billing/invoices.html", {"page": page})


def address_parts(address: Mapping[str, str]) -> list[str]:
    """Stripe's address as it is read: the postal code with its town, the country by its name."""
    town = " ".join(filter(None, (address.get("postal_code"), address.get("city"))))
    code = address.get("country", "")
    country = Locale.parse(get_language() or "en", sep="-").territories.get(code, code)
    return [one for one in (address.get("line1"), address.get("line2"), town, address.get("state"), country) if one]
