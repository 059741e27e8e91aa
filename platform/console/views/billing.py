"""What operators do in a workspace's billing: a table of steps, each a form with a reason, shown and then sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import clock
from billing.accounts.granting import subscription_newest
from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.models import LIVE, BillingAccount
from console.access import step
from console.auditing import Operator, operator_of
from console.billing import overrides
from console.billing.forms import ContractForm, CouponForm, OptionalReasonForm, SuspendForm, TrialForm
from console.forms import ReasonForm
from console.views.steps import back, step_page
from console.views.workspaces import tenant_of
from tenants.http import Request
from tenants.models import Tenant

type Act = Callable[[Operator, BillingAccount, dict[str, Any]], object]


@dataclass(frozen=True, slots=True)
class BillingStep:
    """``act`` does it with what was filled in; what it gives is handed to ``said``, which says what was done.

    ``initial`` is what the form begins with: what holds now.
    """

    path: str
    form: Callable[..., forms.Form]
    act: Act
    title: Promise
    text: Promise
    button: Promise
    said: Promise | Callable[[Any], str]
    kind: str = "primary"
    initial: Callable[[BillingAccount], dict[str, Any]] = lambda account: {}


def _differences(found: Mapping[str, object]) -> str:
    if not found:
        return str(_("All was as Stripe has it."))
    return ngettext("%(n)d thing was different.", "%(n)d things were different.", len(found)) % {"n": len(found)}


def _contract(account: BillingAccount) -> dict[str, Any]:
    """The contract that holds, as its form has it."""
    if account.contract_at(clock.now()) is None:
        return {}
    return {"plan": account.contract_plan, "until": account.contract_until, "seats": account.contract_seats}


def _coupon(account: BillingAccount) -> dict[str, Any]:
    """The coupon that runs, as the form of another has it."""
    newest = subscription_newest(account)
    return {"instead_of": newest.coupon} if newest is not None and newest.status in LIVE else {}


STEPS: Mapping[str, BillingStep] = {
    "suspend": BillingStep(
        path="suspend",
        form=SuspendForm,
        act=lambda operator, account, values: overrides.suspend(operator, account, note=values["note"]),
        title=_("Suspend the workspace"),
        text=_("Nobody can work in it until it is resumed; its owners can still pay and export. Nothing is deleted."),
        button=_("Suspend"),
        said=_("The workspace is suspended."),
        kind="danger-fill",
    ),
    "resume": BillingStep(
        path="resume",
        form=ReasonForm,
        act=lambda operator, account, values: overrides.resume(operator, account, reason=values["why"]),
        title=_("Resume the workspace"),
        text=_("It becomes what it would be without the suspension: open, read-only or suspended, by what is paid."),
        button=_("Resume"),
        said=_("The workspace is open again, as far as it is paid for."),
    ),
    "trial_extend": BillingStep(
        path="trial",
        form=TrialForm,
        act=lambda operator, account, values: overrides.trial_extend(
            operator, account, until=values["until"], reason=values["why"]
        ),
        title=_("Extend the trial"),
        text=_("A trial that is over can be extended too: the workspace opens again."),
        button=_("Extend"),
        said=_("The trial is extended."),
        initial=lambda account: {"until": account.trial_ends_at},
    ),
    "contract": BillingStep(
        path="contract",
        form=ContractForm,
        act=lambda operator, account, values: overrides.contract_grant(
            operator,
            account,
            plan=values["plan"],
            until=values["until"],
            seats=values["seats"],
            reason=values["why"],
        ),
        title=_("Grant a plan by contract"),
        text=_("Nothing is paid through Stripe. A subscription that renews has to be cancelled first."),
        button=_("Grant"),
        said=_("The plan is granted."),
        initial=_contract,
    ),
    "contract_end": BillingStep(
        path="contract/end",
        form=ReasonForm,
        act=lambda operator, account, values: overrides.contract_end(operator, account, reason=values["why"]),
        title=_("End the contract"),
        text=_("From now on its subscription or its trial counts; without either the workspace is read-only."),
        button=_("End it"),
        said=_("The contract has ended."),
        kind="danger-fill",
    ),
    "coupon": BillingStep(
        path="coupon",
        form=CouponForm,
        act=lambda operator, account, values: overrides.coupon_apply(
            operator, account, code=values["code"], instead_of=values["instead_of"], reason=values["why"]
        ),
        title=_("Apply a coupon"),
        text=_("A promotion code made at Stripe, for the current subscription. Each counts once."),
        button=_("Apply"),
        said=_("The discount holds from the next invoice on."),
        initial=_coupon,
    ),
    "account_reconcile": BillingStep(
        path="fetch",
        form=OptionalReasonForm,
        act=lambda operator, account, values: overrides.account_reconcile(operator, account, reason=values["why"]),
        title=_("Fetch from Stripe"),
        text=_("Subscription, invoices and card are read from Stripe again; what differs is mended and noted."),
        button=_("Fetch"),
        said=_differences,
    ),
    "attention_done": BillingStep(
        path="attention",
        form=ReasonForm,
        act=lambda operator, account, values: overrides.attention_done(operator, account, reason=values["why"]),
        title=_("Mark as done"),
        text=_("The note that the account needs an operator is taken off. What was done stands in the audit."),
        button=_("Done"),
        said=_("Noted."),
    ),
}
"""The steps by the names of their addresses."""


def account_of(tenant: Tenant) -> BillingAccount:
    """Raises Http404 for a workspace without billing."""
    found = BillingAccount.objects.select_related("contract_plan", "trial_plan").filter(tenant=tenant).first()
    if found is None:
        raise Http404
    return found


def acted(form: forms.Form, act: Callable[[], object]) -> tuple[bool, Any]:
    """Do it and give what came of it; where it was refused that is said in the form instead."""
    try:
        return True, act()
    except BillingRefused as refusal:
        form.add_error(None, str(refusal))
    except (StripeAway, AccountBusy) as problem:
        form.add_error(None, problem.message)
    return False, None


def view_of(one: BillingStep) -> Callable[..., HttpResponseBase]:
    """The view of a step."""

    @step
    def view(request: Request, tenant_id: UUID) -> HttpResponseBase:
        tenant = tenant_of(tenant_id)
        account = account_of(tenant)
        form = one.form(request.POST or None, initial=one.initial(account))
        if request.method == "POST" and form.is_valid():
            done, found = acted(form, lambda: one.act(operator_of(request), account, form.cleaned_data))
            if done:
                return back(tenant, request, one.said(found) if callable(one.said) else str(one.said))
        return step_page(request, tenant, form, title=one.title, text=one.text, button=one.button, kind=one.kind)

    return view


urlpatterns: list[URLPattern] = [
    path(f"workspaces/<uuid:tenant_id>/{one.path}/", view_of(one), name=name) for name, one in STEPS.items()
]
