"""What a workspace may do: a pure function of what Stripe says, of our own trial and contract, and of the time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from tenants.models import Tenant

TRIAL = timedelta(days=14)
GRACE = timedelta(days=7)
"""How long a failed payment changes nothing but a banner."""
READ_ONLY = timedelta(days=30)
"""How long a workspace that is not paid for can be read, from ``access_lost_at`` on."""
KEPT = timedelta(days=90)
"""When it is dropped, from ``access_lost_at`` on."""


class State(StrEnum):
    PENDING = "pending"
    TRIALING = "trialing"
    ACTIVE = "active"
    CANCELING = "canceling"
    PAST_DUE = "past_due"
    READ_ONLY = "read_only"
    SUSPENDED = "suspended"
    PAUSED = "paused"
    CANCELED = "canceled"
    RETENTION = "retention"
    DELETED = "deleted"


TENANT_STATE: dict[State, str] = {
    State.PENDING: Tenant.State.ACTIVE,
    State.TRIALING: Tenant.State.ACTIVE,
    State.ACTIVE: Tenant.State.ACTIVE,
    State.CANCELING: Tenant.State.ACTIVE,
    State.PAST_DUE: Tenant.State.ACTIVE,
    State.READ_ONLY: Tenant.State.READ_ONLY,
    State.SUSPENDED: Tenant.State.SUSPENDED,
    State.PAUSED: Tenant.State.READ_ONLY,
    State.CANCELED: Tenant.State.READ_ONLY,
    State.RETENTION: Tenant.State.SUSPENDED,
    State.DELETED: Tenant.State.SUSPENDED,
}
"""What each means for the workspace; one to be deleted is suspended until billing.sweeps.lifecycle has dropped it."""
SUBSCRIPTION_STATUSES = frozenset(
    "trialing active past_due unpaid paused canceled incomplete incomplete_expired".split()  # noqa: SIM905
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What access depends on. ``status`` is Stripe's word for the newest subscription, None where there never was one.

    ``lost_at`` is when the workspace stopped being paid for, None while it is; ``last`` the state it was in before.
    """

    status: str | None = None
    is_paused: bool = False
    cancel_at: datetime | None = None
    period_end: datetime | None = None
    grace_until: datetime | None = None
    ended_at: datetime | None = None
    trial_ends_at: datetime | None = None
    has_contract: bool = False
    contract_until: datetime | None = None
    is_suspended: bool = False
    is_deleted: bool = False
    last: State = State.PENDING
    last_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What a workspace may do, until when by itself, and, where it is not paid for any more, since when.

    ``is_unknown``: Stripe used a word that we do not know; the last state is kept and an operator has to look.
    """

    state: State
    until: datetime | None = None
    lost_at: datetime | None = None
    is_unknown: bool = False


def access_of(facts: Facts, now: datetime) -> Access:
    """The state by these rules, the first that fits: dropped; suspended by an operator; a contract; the subscription;
    our own trial; nothing paid."""
    if facts.is_deleted:
        return Access(State.DELETED)
    if facts.is_suspended:
        return Access(State.SUSPENDED)
    if facts.has_contract and (facts.contract_until is None or now < facts.contract_until):
        return Access(State.ACTIVE, facts.contract_until)
    if facts.status is not None and facts.status not in SUBSCRIPTION_STATUSES:
        return Access(facts.last, facts.last_until, is_unknown=True)
    if (paid := _by_subscription(facts, now)) is not None:
        return paid
    if facts.trial_ends_at is not None and now < facts.trial_ends_at:
        return Access(State.TRIALING, facts.trial_ends_at)
    ended_at = facts.ended_at
    if ended_at is not None and facts.grace_until is not None:
        # Read-only since its grace ended: that Stripe gave up later begins nothing anew.
        ended_at = min(ended_at, facts.grace_until)
    ends = [one for one in (facts.trial_ends_at, ended_at, facts.contract_until) if one is not None and one <= now]
    if not ends:
        return Access(State.PENDING)
    was_customer = facts.ended_at is not None and facts.status == "canceled"
    return _unpaid(max(ends), now, State.CANCELED if was_customer else State.READ_ONLY)


def _by_subscription(facts: Facts, now: datetime) -> Access | None:
    """What a subscription that exists gives; None where none does."""
    match facts.status:
        case "trialing" | "active" if facts.is_paused:
            return Access(State.PAUSED)
        case "trialing" | "active" if facts.cancel_at is not None:
            return Access(State.CANCELING, facts.cancel_at)
        case "trialing" | "active":
            return Access(State.ACTIVE, facts.period_end)
        case "past_due" | "unpaid":
            return _failed(facts.grace_until, now)
        case "paused":
            return Access(State.PAUSED)
    return None


def _failed(grace_until: datetime | None, now: datetime) -> Access:
    """What is left when a payment fails: all of it for the grace, then what a workspace has that is not paid for."""
    if grace_until is None:
        return Access(State.READ_ONLY)
    if now < grace_until:
        return Access(State.PAST_DUE, grace_until)
    return _unpaid(grace_until, now, State.READ_ONLY)


def _unpaid(since: datetime, now: datetime, read_only: State) -> Access:
    if now < since + READ_ONLY:
        return Access(read_only, since + READ_ONLY, since)
    return Access(State.RETENTION, since + KEPT, since)
