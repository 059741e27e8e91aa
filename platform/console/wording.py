"""What states, kinds and steps are called on the console's pages, all in one place."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, cast

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from billing.mails.notices import Kind
from billing.models import StripeRequest
from billing.plans.catalog import PLANS
from billing.plans.wording import INVOICES, REASONS, STATES, SUBSCRIPTIONS, VAT_STATES
from console.models import AuditEntry
from crm.workspace.text import formats
from tenants.models import Tenant, TenantStep

NOTICES: Mapping[str, Promise] = {
    Kind.TRIAL_ENDING_3: _("The trial ends in three days"),
    Kind.TRIAL_ENDING_1: _("The trial ends tomorrow"),
    Kind.TRIAL_ENDED: _("The trial has ended"),
    Kind.RECEIPT: _("Receipt"),
    Kind.PAYMENT_FAILED: _("A payment failed"),
    Kind.CARD_EXPIRING: _("The card expires"),
    Kind.PLAN_CHANGED: _("The plan has changed"),
    Kind.CANCELLED: _("The subscription is cancelled"),
    Kind.READ_ONLY: _("The workspace is read-only"),
    Kind.DELETION_AHEAD: _("The workspace will be deleted"),
    Kind.DELETED: _("The workspace is deleted"),
    Kind.REACTIVATED: _("The subscription goes on"),
}
OPERATIONS: Mapping[str, Promise] = {
    "customer.create": _("Create the customer"),
    "customer.update": _("Change the customer"),
    "checkout.create": _("Open a checkout"),
    "checkout.expire": _("Close a checkout"),
    "portal.configure": _("Set up Stripe's portal"),
    "portal.open": _("Open Stripe's portal"),
    "subscription.update": _("Change the subscription"),
    "subscription.cancel": _("End a subscription"),
    "refund.create": _("Pay back"),
    "invoice.void": _("Void an invoice"),
    "product.create": _("Create a product"),
    "price.create": _("Create a price"),
}
LIFE: Mapping[str, Promise] = {
    "schema": _("Schema made"),
    "workspace": _("Owner and roles made"),
    "sales": _("Pipeline made"),
    "billing": _("Billing account made"),
    "announcements": _("Announcements shown"),
    "setup": _("Setup failed"),
}
DETAILS: Mapping[str, Promise] = {
    "before": _("before"),
    "by": _("ended by"),
    "consent": _("with consent"),
    "count": _("workspaces"),
    "drift": _("what differed"),
    "problem": _("what went wrong"),
    "seats": _("seats"),
    "state": _("state"),
    "to": _("to"),
    "until": _("until"),
    "visitor": _("visitor"),
    "plans": _("plans"),
    "states": _("states of billing"),
    "ids": _("workspaces by id"),
}
ENDED_BY: Mapping[str, Promise] = {"time": _("its time was over")}
SEATS: Mapping[str, Promise] = {"members": _("members changed")}
DRIFT: Mapping[str, Promise] = {
    "customer": _("Customer at Stripe"),
    "access": _("Billing"),
    "card": _("Card"),
    "VAT ID": _("VAT ID"),
}
OBJECTS: Mapping[str, Promise] = {"sub": _("Subscription"), "in": _("Invoice")}
"""Objects of Stripe's by what their ids begin with."""
EVERYTHING = "everything"
"""What a comparison of all accounts stands in the audit as."""
WORDS: Mapping[str, Mapping[str, Any]] = {
    "access": {str(state): label for state, label in STATES.items()},
    "cancel": REASONS,
    "drift": DRIFT,
    "invoice": INVOICES,
    "life": LIFE,
    "notice": NOTICES,
    "operation": OPERATIONS,
    "plan": {offer.code: offer.name for offer in PLANS},
    "seats": SEATS,
    "subscription": SUBSCRIPTIONS,
    "vat": VAT_STATES,
}


def called(value: str, sort: str) -> str:
    """What a value of a sort (see WORDS) is called; one that is not known here as it came."""
    found = WORDS[sort].get(value)
    return str(found) if found is not None else value.replace("_", " ")


def life_text(step: TenantStep) -> str:
    """A step in a workspace's life."""
    if step.kind == TenantStep.Kind.STATE:
        states = dict(Tenant.State.choices)
        return " → ".join(str(states.get(one, one)) for one in step.name.split(" → "))
    return called(step.name, "life")


def life_detail(step: TenantStep) -> str:
    """Why it was done, where that was noted: what billing found, or what went wrong."""
    state = step.detail.removeprefix("billing: ")
    return called(state, "access") if state != step.detail else step.detail


def action_text(entry: AuditEntry) -> str:
    """What an operator did; of a step that was only begun, or did not get through, which."""
    label = entry.get_action_display()
    step = dict(AuditEntry.Action.choices).get(entry.details.get("step"))
    match entry.action:
        case AuditEntry.Action.BEGUN if step:
            return gettext("%(step)s (begun)") % {"step": step}
        case AuditEntry.Action.STOPPED if step:
            return gettext("%(step)s (did not get through)") % {"step": step}
    return label


def details_of(entry: AuditEntry) -> Iterator[tuple[str, str]]:
    """The details of an entry of the audit that say something, each with what it is called."""
    for name, value in entry.details.items():
        if name != "step" and (text := _detail(name, value)) != "":
            yield str(DETAILS.get(name, name)), text


def _detail(name: str, value: Any) -> str:
    match value:
        case None:
            return ""
        case bool():
            return gettext("yes") if value else gettext("no")
        case list():
            return ", ".join(_detail(name, one) for one in value)
        case dict():
            parts = ((DETAILS.get(key, key), _detail(key, one)) for key, one in value.items())
            return "; ".join(f"{label}: {text}" for label, text in parts if text)
    match name:
        case "state":
            return str(dict(StripeRequest.State.choices).get(value) or called(value, "access"))
        case "states":
            return called(value, "access")
        case "by":
            return str(ENDED_BY.get(value, value))
        case "until" | "before":
            return moment_text(value)
    return str(value)


def moment_text(text: str) -> str:
    """A moment that was kept as text, as people write it; what is none as it came."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if not isinstance(found, datetime) or timezone.is_naive(found):
        return text
    return formats.moment_text(found)


def audience_text(audience: Mapping[str, Any]) -> str:
    """To whom something is announced."""
    parts = [*cast(list[str], audience.get("plans", []))]
    parts += [called(state, "access") for state in audience.get("states", [])]
    if count := len(audience.get("ids", [])):
        parts.append(ngettext("%(n)d by id", "%(n)d by id", count) % {"n": count})
    return ", ".join(parts) or gettext("everybody")


def about_text(entry: AuditEntry) -> str:
    """What an entry of the audit is about."""
    if entry.about == EVERYTHING:
        return gettext("everything")
    return called(entry.about, "operation") if entry.about in OPERATIONS else entry.about


def drift_text(what: str) -> str:
    """What differed from Stripe: a sort of thing that an account has, or one object there by its id."""
    prefix = what.partition("_")[0]
    if prefix in OBJECTS and " " not in what:
        return f"{OBJECTS[prefix]} {what}"
    return str(DRIFT.get(what, what))
