"""Who pays and how: the portal, the billing contact, a coupon, the next invoice, cancelling and taking it back."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import selectors
from billing.access import KEPT, READ_ONLY
from billing.accounts.contact import contact_set
from billing.audit import billing_note
from billing.checkout.changes import COMMENT_LENGTH, cancel, coupon_apply, reactivate
from billing.checkout.hosted import portal_open
from billing.checkout.upcoming import next_invoice
from billing.plans.wording import REASONS
from billing.views.common import BILLING, TROUBLE, account_here, asks_stripe, leads_to_stripe, status_of, words_of
from tenants.http import MemberRequest
from tenants.web.access import access

PAGE = "billing:index"


class ContactForm(forms.Form):
    email = forms.EmailField(
        label=gettext_lazy("Billing contact"),
        max_length=254,
        help_text=gettext_lazy("Invoices and mails about payments go there, and to members who look after billing."),
    )


class CouponForm(forms.Form):
    """``instead_of`` is the coupon that was shown as running when the code was typed."""

    code = forms.CharField(label=gettext_lazy("Code"), max_length=60)
    instead_of = forms.CharField(max_length=200, required=False)


class CancelForm(forms.Form):
    reason = forms.ChoiceField(
        label=gettext_lazy("Why do you cancel?"), choices=tuple(REASONS.items()), widget=forms.RadioSelect
    )
    comment = forms.CharField(
        label=gettext_lazy("What should we have done better?"),
        max_length=COMMENT_LENGTH,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@access(BILLING)
@asks_stripe
@require_safe
def upcoming(request: MemberRequest) -> HttpResponse:
    """The next invoice, as a part of the page of billing and as a page of its own."""
    context: dict[str, Any] = {"synced_at": None}
    account = account_here(request)
    try:
        context["invoice"] = next_invoice(account)
    except TROUBLE as trouble:
        context |= {"trouble": words_of(trouble), "synced_at": account.synced_at}
        context["overview"] = selectors.overview(request.tenant.id)
    return render(request, "billing/next.html#invoice" if request.htmx else "billing/next.html", context)


@access(BILLING)
@asks_stripe
@leads_to_stripe
@require_POST
def portal(request: MemberRequest) -> HttpResponse:
    """To Stripe's portal; with ``card`` straight to another payment method."""
    try:
        return redirect(portal_open(account_here(request), card=request.POST.get("card") == "1"))
    except TROUBLE as trouble:
        messages.error(request, words_of(trouble))
        return redirect(PAGE)


@access(BILLING)
@asks_stripe
@require_http_methods(["GET", "POST"])
def contact(request: MemberRequest) -> HttpResponse:
    account = account_here(request)
    form = ContactForm(request.POST if request.method == "POST" else None, initial={"email": account.email})
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                contact_set(account, form.cleaned_data["email"])
            except TROUBLE as trouble:
                form.add_error(None, words_of(trouble))
                status = status_of(trouble)
            else:
                billing_note(request.actor, "details_changed", email=form.cleaned_data["email"])
                messages.success(request, _("Mails about payments go there from now on."))
                return redirect(PAGE)
    return render(request, "billing/contact.html", {"form": form, "account": account}, status=status)


@access(BILLING)
@asks_stripe
@require_http_methods(["GET", "POST"])
def coupon(request: MemberRequest) -> HttpResponse:
    account = account_here(request)
    form = CouponForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                coupon_apply(account, **form.cleaned_data)
            except TROUBLE as trouble:
                form.add_error("code", words_of(trouble))
                status = status_of(trouble)
            else:
                billing_note(request.actor, "coupon_applied", coupon=form.cleaned_data["code"])
                messages.success(request, _("The coupon counts from the next invoice on."))
                return redirect(PAGE)
    found = selectors.overview(request.tenant.id)
    running = found.subscription.coupon if found and found.is_live and found.subscription else ""
    return render(request, "billing/coupon.html", {"form": form, "running": running}, status=status)


@access(BILLING)
@asks_stripe
@require_http_methods(["GET", "POST"])
def leave(request: MemberRequest) -> HttpResponse:
    """Cancel: what follows and when, a reason asked, and then the end with what is paid for."""
    account = account_here(request)
    found = selectors.overview(request.tenant.id)
    if found is None or not found.is_live or found.subscription is None or found.subscription.cancel_at is not None:
        return redirect(PAGE)
    end = found.subscription.grace_until or found.subscription.period_end
    form = CancelForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                ended = cancel(account, form.cleaned_data["reason"], form.cleaned_data["comment"])
            except TROUBLE as trouble:
                form.add_error(None, words_of(trouble))
                status = status_of(trouble)
            else:
                until = ended.cancel_at or end
                billing_note(
                    request.actor,
                    "canceled",
                    reason=str(REASONS[form.cleaned_data["reason"]]),
                    comment=form.cleaned_data["comment"],
                    until=until.isoformat() if until else "",
                )
                messages.success(request, _("It is cancelled. Everything works until the end of what is paid for."))
                return redirect(PAGE)
    context = {
        "form": form,
        "overview": found,
        "end": end,
        "closes_on": end + READ_ONLY if end else None,
        "deleted_on": end + KEPT if end else None,
    }
    return render(request, "billing/leave.html", context, status=status)


@access(BILLING)
@asks_stripe
@require_POST
def stay(request: MemberRequest) -> HttpResponse:
    """Take cancelling back."""
    try:
        reactivate(account_here(request))
    except TROUBLE as trouble:
        messages.error(request, words_of(trouble))
    else:
        billing_note(request.actor, "reactivated")
        messages.success(request, _("It goes on as before."))
    return redirect(PAGE)
