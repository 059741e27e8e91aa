"""Events of Stripe's and comparisons with it, and what operators change in a workspace's billing."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.models import BillingAccount, StripeEvent
from console import overrides
from console.access import page, step
from console.auditing import Operator, operator_of
from console.billing_forms import ContractForm, CouponForm, EventFilter, OptionalReasonForm, SuspendForm, TrialForm
from console.billing_pages import event_find, event_page, run_rows
from console.forms import ReasonForm
from console.views.steps import back, step_page
from console.views.workspaces import tenant_of
from tenants.http import Request
from tenants.models import Tenant


@page
def events(request: Request) -> HttpResponse:
    form = EventFilter(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    before = chosen.pop("before", None)
    found = event_page(**chosen, before=before)
    more = f"{reverse('console:events')}?{urlencode({**chosen, 'before': str(found.next)})}" if found.next else ""
    context = {"form": form, "page": found, "next": more, "narrowed": bool(chosen)}
    template = "console/events.html#rows" if request.htmx and before else "console/events.html"
    return render(request, template, context, status=422 if form.errors else 200)


def event_of(event_id: UUID) -> StripeEvent:
    found = event_find(event_id)
    if found is None:
        raise Http404
    return found


@page
def event(request: Request, event_id: UUID) -> HttpResponse:
    found = event_of(event_id)
    payload = json.dumps(found.payload, indent=2, ensure_ascii=False, sort_keys=True)
    return render(request, "console/event.html", {"event": found, "payload": payload})


@step
def event_replay(request: Request, event_id: UUID) -> HttpResponseBase:
    found = event_of(event_id)
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        overrides.event_replay(operator_of(request), found, reason=form.reason)
        messages.success(request, _("The event is looked at again in a moment."))
        return redirect("console:event", event_id=found.id)
    text = _(
        "Its payload is only a hint: what it is about is fetched from Stripe again, so that nothing is done twice."
    )
    return step_page(request, None, form, title=_("Replay the event"), text=text, button=_("Replay"))


@page
def drift(request: Request) -> HttpResponse:
    return render(request, "console/drift.html", {"rows": run_rows()})


@step
def reconcile(request: Request) -> HttpResponseBase:
    """Compares everything with Stripe, in the background."""
    form = ReasonForm(request.POST or None, is_needed=False)
    if request.method == "POST" and form.is_valid():
        overrides.reconcile_start(operator_of(request), reason=form.reason)
        messages.success(request, _("It has begun: this page shows how far it is and what it finds."))
        return redirect("console:drift")
    text = _("Missed events are fetched and every account is compared with Stripe. What differs is mended and listed.")
    return step_page(request, None, form, title=_("Compare with Stripe"), text=text, button=_("Begin"))


# One workspace's billing


def account_of(tenant: Tenant) -> BillingAccount:
    """Raises Http404 for a workspace without billing."""
    found = BillingAccount.objects.select_related("contract_plan", "trial_plan").filter(tenant=tenant).first()
    if found is None:
        raise Http404
    return found


def changed(
    request: Request,
    tenant_id: UUID,
    form_class: Callable[..., forms.Form],
    act: Callable[[Operator, BillingAccount, dict[str, Any]], str],
    **words: Any,
) -> HttpResponseBase:
    """A step in a workspace's billing: its form, and ``act`` with what was filled in, which gives what to say."""
    tenant = tenant_of(tenant_id)
    account = account_of(tenant)
    form = form_class(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            said = act(operator_of(request), account, form.cleaned_data)
        except BillingRefused as refusal:
            form.add_error(None, str(refusal))
        except (StripeAway, AccountBusy) as problem:
            form.add_error(None, problem.message)
        else:
            return back(tenant, request, said)
    return step_page(request, tenant, form, **words)


@step
def suspend(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.suspend(operator, account, note=values["note"])
        return _("The workspace is suspended.")

    return changed(
        request,
        tenant_id,
        SuspendForm,
        act,
        title=_("Suspend the workspace"),
        text=_("Nobody can work in it until it is resumed; its owners can still pay and export. Nothing is deleted."),
        button=_("Suspend"),
        kind="danger-fill",
    )


@step
def resume(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.resume(operator, account, reason=values["why"])
        return _("The workspace is open again, as far as it is paid for.")

    return changed(
        request,
        tenant_id,
        ReasonForm,
        act,
        title=_("Resume the workspace"),
        text=_("It is what it would be without the suspension: open, read-only or closed, by what is paid."),
        button=_("Resume"),
    )


@step
def trial_extend(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.trial_extend(operator, account, until=values["until"], reason=values["why"])
        return _("The trial is longer.")

    return changed(
        request,
        tenant_id,
        TrialForm,
        act,
        title=_("Extend the trial"),
        text=_("Also one that is over: the workspace opens again."),
        button=_("Extend"),
    )


@step
def contract(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.contract_grant(
            operator,
            account,
            plan=values["plan"],
            until=values["until"],
            seats=values["seats"],
            reason=values["why"],
        )
        return _("The plan holds.")

    return changed(
        request,
        tenant_id,
        ContractForm,
        act,
        title=_("Grant a plan by contract"),
        text=_("It holds without Stripe. A subscription that renews has to be cancelled first."),
        button=_("Grant"),
    )


@step
def contract_end(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.contract_end(operator, account, reason=values["why"])
        return _("The contract has ended.")

    return changed(
        request,
        tenant_id,
        ReasonForm,
        act,
        title=_("End the contract"),
        text=_("From now on the workspace is what its subscription or its trial says; without either, read-only."),
        button=_("End it"),
        kind="danger-fill",
    )


@step
def coupon(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.coupon_apply(operator, account, code=values["code"], reason=values["why"])
        return _("The discount holds from the next invoice on.")

    return changed(
        request,
        tenant_id,
        CouponForm,
        act,
        title=_("Apply a coupon"),
        text=_("A promotion code that was made at Stripe, for the subscription that there is. Each counts once."),
        button=_("Apply"),
    )


@step
def account_reconcile(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        count = len(overrides.account_reconcile(operator, account, reason=values["why"]))
        if not count:
            return _("All was as Stripe has it.")
        return ngettext("%(n)d thing was different.", "%(n)d things were different.", count) % {"n": count}

    return changed(
        request,
        tenant_id,
        OptionalReasonForm,
        act,
        title=_("Fetch from Stripe"),
        text=_("Subscription, invoices and card are read from Stripe again; what differs is mended and noted."),
        button=_("Fetch"),
    )


@step
def attention_done(request: Request, tenant_id: UUID) -> HttpResponseBase:
    def act(operator: Operator, account: BillingAccount, values: dict[str, Any]) -> str:
        overrides.attention_done(operator, account, reason=values["why"])
        return _("Noted.")

    return changed(
        request,
        tenant_id,
        ReasonForm,
        act,
        title=_("Looked after"),
        text=_("The note that the account needs an operator is taken off. What was done stands in the audit."),
        button=_("Done"),
    )
