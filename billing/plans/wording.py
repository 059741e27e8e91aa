"""What limits, features and states are called where people read of plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from billing.access import State
from billing.models import Plan, PlanPrice
from tenants.workspaces.limits import FEATURES, LIMIT_LABELS

type Unit = Literal["count", "days"]


@dataclass(frozen=True, slots=True)
class LimitWords:
    """``unit`` is what the number counts; ``note`` says more where the label is not enough."""

    label: Promise
    unit: Unit = "count"
    note: Promise | str = ""


LIMITS: Mapping[str, LimitWords] = {
    "seats": LimitWords(LIMIT_LABELS["seats"], note=_("members, and invitations that are open")),
    "contacts": LimitWords(LIMIT_LABELS["contacts"]),
    "pipelines": LimitWords(LIMIT_LABELS["pipelines"]),
    "custom_fields": LimitWords(LIMIT_LABELS["custom_fields"]),
    "record_types": LimitWords(LIMIT_LABELS["record_types"]),
    "automations": LimitWords(LIMIT_LABELS["automations"]),
    "storage_mb": LimitWords(LIMIT_LABELS["storage_mb"]),
    "api_reads_per_minute": LimitWords(LIMIT_LABELS["api_reads_per_minute"]),
    "api_writes_per_minute": LimitWords(LIMIT_LABELS["api_writes_per_minute"]),
    "history_days": LimitWords(_("Audit and events feed reach back"), "days", _("nothing is deleted after that")),
}
"""In the order in which a plan is described; a limit not named here is none that customers are told of."""
ALWAYS: tuple[Promise, ...] = (
    _("Second factor and passkeys"),
    _("Export of everything, at any time"),
    _("REST API"),
    _("A database schema of your own"),
)
"""What no plan is without."""
FOR_WHOM: Mapping[str, Promise] = {
    "starter": _("For a few people and their first customers"),
    "team": _("For teams that share pipelines and rights"),
    "business": _("For companies that need room and an audit"),
}
STATES: Mapping[State, Promise] = {
    State.PENDING: _("no plan yet"),
    State.TRIALING: _("trial"),
    State.ACTIVE: _("active"),
    State.CANCELING: _("cancelled, still paid"),
    State.PAST_DUE: _("payment failed"),
    State.READ_ONLY: _("read-only"),
    State.SUSPENDED: _("suspended"),
    State.PAUSED: _("paused"),
    State.CANCELED: _("ended, read-only"),
    State.RETENTION: _("suspended, to be deleted"),
    State.DELETED: _("deleted"),
}
STATE_COLORS: Mapping[State, str] = {
    State.ACTIVE: "green",
    State.TRIALING: "blue",
    State.CANCELING: "amber",
    State.PAST_DUE: "red",
    State.READ_ONLY: "red",
    State.SUSPENDED: "red",
    State.CANCELED: "red",
    State.RETENTION: "red",
}


SUBSCRIPTIONS: Mapping[str, Promise] = {
    "trialing": _("trial"),
    "active": _("active"),
    "past_due": _("payment failed"),
    "unpaid": _("unpaid"),
    "paused": _("paused"),
    "canceled": _("ended"),
    "incomplete": _("waits for its first payment"),
    "incomplete_expired": _("never paid"),
}
"""Stripe's words for the state of a subscription, in ours."""
INVOICES: Mapping[str, Promise] = {
    "draft": _("draft"),
    "open": _("to be paid"),
    "paid": _("paid"),
    "void": _("void"),
    "uncollectible": _("not collected"),
}
"""Stripe's words for the state of an invoice, in ours."""
INVOICE_COLORS: Mapping[str, str] = {"paid": "green", "open": "red", "uncollectible": "red"}


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit of several plans, in their order; None where there is none."""

    limit: str
    words: LimitWords
    values: list[int | None]


@dataclass(frozen=True, slots=True)
class FeatureRow:
    label: Promise
    values: list[bool]


def limit_rows(plans: list[Plan]) -> list[LimitRow]:
    return [LimitRow(name, words, [plan.limits.get(name) for plan in plans]) for name, words in LIMITS.items()]


def feature_rows(plans: list[Plan]) -> list[FeatureRow]:
    return [FeatureRow(label, [name in plan.features for plan in plans]) for name, label in FEATURES.items()]


def price_text(price: PlanPrice | None) -> str:
    """A price as people call it: ``Team, monthly, EUR``."""
    if price is None:
        return gettext("a price that is not known here")
    return f"{price.plan.name}, {price.get_interval_display()}, {price.currency}"


REASONS: Mapping[str, Promise] = {
    "too_expensive": _("It costs too much"),
    "missing_features": _("Something that we need is missing"),
    "switched_service": _("We use something else now"),
    "unused": _("We do not use it enough"),
    "too_complex": _("It is too complicated"),
    "low_quality": _("It does not work well enough"),
    "customer_service": _("We were not helped well"),
    "other": _("Another reason"),
}
"""Stripe's words for why somebody cancels, in ours."""
VAT_STATES: Mapping[str, Promise] = {
    "verified": _("confirmed"),
    "pending": _("being checked"),
    "unverified": _("could not be confirmed"),
    "unavailable": _("cannot be checked at the moment"),
}
