"""What limits, features and states are called where people read of plans."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.access import State
from billing.models import Plan

type Unit = Literal["count", "megabytes", "days"]


@dataclass(frozen=True, slots=True)
class LimitWords:
    """``unit`` is what the number counts; ``note`` says more where the label is not enough."""

    label: Promise
    unit: Unit = "count"
    note: Promise | str = ""


LIMITS: Mapping[str, LimitWords] = {
    "seats": LimitWords(_("Seats"), note=_("members, and invitations that are open")),
    "contacts": LimitWords(_("Contacts")),
    "pipelines": LimitWords(_("Pipelines")),
    "custom_fields": LimitWords(_("Fields of your own")),
    "record_types": LimitWords(_("Record types of your own")),
    "automations": LimitWords(_("Automations")),
    "storage_mb": LimitWords(_("Files"), "megabytes"),
    "api_reads_per_minute": LimitWords(_("API, reads a minute")),
    "api_writes_per_minute": LimitWords(_("API, writes a minute")),
    "history_days": LimitWords(_("Audit and events feed reach back"), "days", _("nothing is deleted after that")),
}
"""In the order in which a plan is described; a limit not named here is none that customers are told of."""
FEATURES: Mapping[str, Promise] = {
    "teams": _("Teams, and rights by team"),
    "custom_roles": _("Roles of your own"),
    "audit_log": _("Audit of who did what"),
}
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
    State.RETENTION: _("closed, to be deleted"),
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


@dataclass(frozen=True, slots=True)
class LimitRow:
    """A limit of several plans, in their order; None where there is none."""

    words: LimitWords
    values: list[int | None]


@dataclass(frozen=True, slots=True)
class FeatureRow:
    label: Promise
    values: list[bool]


def limit_rows(plans: list[Plan]) -> list[LimitRow]:
    return [LimitRow(words, [plan.limits.get(name) for plan in plans]) for name, words in LIMITS.items()]


def feature_rows(plans: list[Plan]) -> list[FeatureRow]:
    return [FeatureRow(label, [name in plan.features for plan in plans]) for name, label in FEATURES.items()]
