"""Choosing a plan: what there is, what a change costs to the cent, the checkout, and the way back from it."""

from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from billing import selectors
from billing.audit import billing_note
from billing.checkout.changes import ChangePreview, PriceChanged, change_apply, change_preview
from billing.checkout.hosted import checkout_return, checkout_start
from billing.errors import AccountBusy
from billing.models import BillingAccount, PlanPrice
from billing.money import Money
from billing.plans.catalog import CURRENCIES
from billing.plans.wording import ALWAYS, feature_rows, limit_rows
from billing.seats import seats_kept
from billing.views.common import (
    BILLING,
    TROUBLE,
    Trouble,
    account_here,
    asks_stripe,
    leads_to_stripe,
    status_of,
    words_of,
)
from billing.views.pricing import chosen
from tenants.http import MemberRequest
from tenants.models import User
from tenants.web.access import access
from tenants.workspaces.limits import FEATURES, Usage, usage, usage_of
from tenants.workspaces.settings import workspace_now

MAX_SEATS = 10_000
STOP_POLLING = 286


class SeatsForm(forms.Form):
    """``price`` is the lookup key of a price, ``least`` the fewest seats that can be had of it now."""

    seats = forms.IntegerField(label=gettext_lazy("Seats"), min_value=1, max_value=MAX_SEATS)

    def __init__(self, *args: Any, least: int, most: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.least, self.most = least, most
        self.fields["seats"].widget.attrs |= {"min": least, "max": most or MAX_SEATS}
        self.fields["seats"].initial = least

    def clean_seats(self) -> int:
        seats: int = self.cleaned_data["seats"]
        if self.most is not None and seats > self.most:
            raise forms.ValidationError(
                _("This plan has at most %(most)d seats. Choose a larger one for more.") % {"most": self.most}
            )
        if seats < self.least:
            raise forms.ValidationError(
                _("At least %(least)d: so many are taken, or paid for until the end of the period.")
                % {"least": self.least}
            )
        return seats


class ConfirmForm(forms.Form):
    """What was shown: the moment it was reckoned for, and its balance in the smallest coin."""

    proration_date = forms.IntegerField(min_value=1, max_value=1 << 40)
    balance = forms.IntegerField(min_value=-(1 << 40), max_value=1 << 40)


@access(BILLING)
@require_safe
def plans(request: MemberRequest) -> HttpResponse:
    """The plans side by side, for the workspace's own interval, currency and seats; where Stripe bills it in a
    currency that nothing is sold in, whom to ask."""
    found = selectors.overview(request.tenant.id)
    if found is None:
        raise Http404
    own = request.tenant.currency if request.tenant.currency in CURRENCIES else CURRENCIES[0]
    currency = found.account.currency or own
    if currency not in CURRENCIES:
        return render(request, "billing/plans.html", {"overview": found, "not_sold_in": currency})
    if found.account.currency and request.GET.get("currency", currency) != currency:
        raise Http404
    default = found.price.interval if found.price else PlanPrice.Interval.MONTH
    interval, currency = chosen(request, currency, default)
    offers = selectors.offered(interval, currency)
    context = {
        "overview": found,
        "members": selectors.members(request.tenant.id),
        "plans": offers,
        "interval": interval,
        "currency": currency,
        "intervals": PlanPrice.Interval.choices,
        "currencies": () if found.account.currency else CURRENCIES,
        "limits": limit_rows([one.plan for one in offers]),
        "features": feature_rows([one.plan for one in offers]),
        "always": ALWAYS,
    }
    return render(request, "billing/plans.html", context)


@access(BILLING)
@asks_stripe
@leads_to_stripe
@require_http_methods(["GET", "POST"])
def change(request: MemberRequest, price: str) -> HttpResponse:
    """What so many seats at a price cost, and then, by POST, the checkout or the change itself."""
    wanted = selectors.price_find(price)
    found = selectors.overview(request.tenant.id)
    if wanted is None or found is None or (found.account.currency or wanted.currency) != wanted.currency:
        raise Http404
    members = selectors.members(request.tenant.id)
    most = wanted.plan.limits.get("seats")
    paid = seats_kept(found.subscription, wanted) if found.is_live and found.subscription else 0
    fewest = max(members, 1, paid if most is None else min(paid, most))
    taken = usage_of(request.tenant, "seats").used
    sent = request.POST if request.method == "POST" else request.GET
    is_same = found.price is not None and found.price.pk == wanted.pk
    # With those who are invited, where the plan has so many: they find their seat when they come.
    usual = max(fewest + is_same, taken if most is None else min(taken, most))
    form = SeatsForm(sent if "seats" in sent else {"seats": str(usual)}, least=fewest, most=most)
    shown: dict[str, Any] = {
        "overview": found,
        "price": wanted,
        "form": form,
        "over": over_limits(request, wanted),
        "without": features_lost(request, wanted),
        "is_same": is_same,
    }
    if not form.is_valid():
        return render(request, "billing/change.html", shown, status=422)
    seats = form.cleaned_data["seats"]
    shown |= {"seats": seats, "total": wanted.amount * Decimal(seats)}
    if not found.is_live:
        return _checkout(request, found.account, wanted, seats, shown)
    if request.method == "POST":
        return _apply(request, found.account, wanted, seats, shown)
    return _preview(request, found.account, wanted, seats, shown)


def over_limits(request: MemberRequest, wanted: PlanPrice) -> list[Usage]:
    """What is used now of more than the plan wanted holds: it stays, and nothing can be added to it."""
    limits = wanted.plan.limits
    known = [one for one in usage(request.tenant) if one.limit in limits and one.limit != "seats"]
    over = [Usage(one.limit, one.label, one.used, limits[one.limit]) for one in known]
    return [one for one in over if one.is_over]


def features_lost(request: MemberRequest, wanted: PlanPrice) -> list[str]:
    """What the workspace's plan has and the plan wanted does not."""
    had = [name for name in FEATURES if request.tenant.has_feature(name)]
    return [str(FEATURES[name]) for name in had if name not in wanted.plan.features]


def _checkout(
    request: MemberRequest, account: BillingAccount, wanted: PlanPrice, seats: int, shown: dict[str, Any]
) -> HttpResponse:
    if request.method == "GET":
        return render(request, "billing/change.html", shown)
    try:
        url = checkout_start(account, wanted, seats, cast(User, request.user))
    except TROUBLE as trouble:
        return _troubled(request, trouble, shown)
    billing_note(request.actor, "checkout_started", **_facts(wanted, seats))
    return redirect(url)


def _preview(
    request: MemberRequest,
    account: BillingAccount,
    wanted: PlanPrice,
    seats: int,
    shown: dict[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    try:
        preview: ChangePreview = change_preview(account, wanted, seats)
    except TROUBLE as trouble:
        return _troubled(request, trouble, shown)
    return render(request, "billing/change.html", shown | {"preview": preview}, status=status)


def _apply(
    request: MemberRequest, account: BillingAccount, wanted: PlanPrice, seats: int, shown: dict[str, Any]
) -> HttpResponse:
    confirmed = ConfirmForm(request.POST)
    if not confirmed.is_valid():
        return _preview(request, account, wanted, seats, shown, status=422)
    expected = Money.of_coins(confirmed.cleaned_data["balance"], wanted.currency)
    shown_at: int = confirmed.cleaned_data["proration_date"]
    try:
        change_apply(account, wanted, seats, shown_at, expected)
    except PriceChanged as changed:
        return _preview(request, account, wanted, seats, shown | {"trouble": str(changed)}, status=409)
    except TROUBLE as trouble:
        return _troubled(request, trouble, shown)
    what = "seats_changed" if shown["is_same"] else "plan_changed"
    billing_note(
        request.actor, what, **_facts(wanted, seats), amount=f"{max(expected.amount, Decimal(0))} {expected.currency}"
    )
    messages.success(request, _("The change is made and applies from now on."))
    return redirect("billing:index")


def _facts(wanted: PlanPrice, seats: int) -> dict[str, Any]:
    return {"plan": wanted.plan.name, "interval": str(wanted.get_interval_display()), "seats": seats}


def _troubled(request: MemberRequest, trouble: Trouble, shown: dict[str, Any]) -> HttpResponse:
    status = status_of(trouble)
    response = render(request, "billing/change.html", shown | {"trouble": words_of(trouble)}, status=status)
    if status == 503:
        response["Retry-After"] = "30"
    return response


@access(BILLING)
@asks_stripe
@leads_to_stripe
@require_safe
def returned(request: MemberRequest, attempt_id: UUID) -> HttpResponse:
    """What is known when somebody comes back from the checkout; it believes nothing but what Stripe says."""
    found, trouble = None, None
    try:
        found = checkout_return(account_here(request), attempt_id)
        if found is None:
            raise Http404
    except TROUBLE as met:
        trouble = met
    is_known = found is not None and (found.is_paid or found.attempt.state == "expired")
    context = {
        "attempt": found.attempt if found else None,
        "is_paid": found is not None and found.is_paid,
        "is_busy": isinstance(trouble, AccountBusy),
        "is_unanswered": trouble is not None,
        "is_known": is_known,
    }
    if is_known:
        request.tenant = workspace_now(request.tenant)
    if request.htmx:
        status = STOP_POLLING if is_known else 200
        return render(request, "billing/returned.html#known", context, status=status)
    return render(request, "billing/returned.html", context)
