"""Settings → Billing: what is paid for, what it gives, and what follows."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing import selectors
from billing.access import KEPT, READ_ONLY, State
from billing.wording import STATE_COLORS, STATES
from tenants.access import access, needs
from tenants.http import MemberRequest

BILLING = needs("workspace", "billing")


@access(BILLING)
@require_safe
def index(request: MemberRequest) -> HttpResponse:
    tenant = request.tenant
    found = selectors.overview(tenant.id)
    state = State(tenant.access_state or State.PENDING)
    context = {
        "overview": found,
        "account": found.account if found else None,
        "state": state,
        "state_label": STATES[state],
        "state_color": STATE_COLORS.get(state, "gray"),
        "deleted_on": found.account.access_lost_at + KEPT if found and found.account.access_lost_at else None,
        "read_only_days": READ_ONLY.days,
        "kept_days": KEPT.days,
    }
    return render(request, "billing/index.html", context)


@access(BILLING)
@require_safe
def invoices(request: MemberRequest) -> HttpResponse:
    page = selectors.invoice_page(request.tenant.id, request.GET.get("page"))
    return render(request, "billing/invoices.html", {"page": page})
