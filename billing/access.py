"""What a workspace may do: a pure function of what Stripe says, of our own trial and contract, and of the time."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from billing import clock
from billing.models import LIVE, BillingAccount, Plan, Subscription
from billing.seats import seat_limit
from tenants.entitlements import Entitlements, entitlements_write
from tenants.models import Tenant
from tenants.scopes import shared

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
"""What each means for the workspace; one to be deleted is suspended until billing.lifecycle has dropped it."""
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
        case "trialing":
            return Access(State.TRIALING, facts.period_end)
        case "active":
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


@shared()
def access_apply(account_id: UUID) -> Access:
    """Work out what the workspace may do now, and write it onto the account and the workspace. Safe to repeat.

    Takes the account's row lock; asks nobody but the database.
    """
    now = clock.now()
    with transaction.atomic():
        account = BillingAccount.objects.select_for_update().get(id=account_id)
        subscription = subscription_newest(account)
        access = access_of(facts_of(account, subscription), now)
        _account_write(account, access, now)
        plan = plan_of(account, subscription, now)
        tenant = Tenant.objects.get(id=account.tenant_id)
        if subscription is not None and subscription.status in LIVE and subscription.price_id is None:
            # A price that was made at Stripe by hand: what the workspace had goes on until somebody has looked.
            plan = None
        granted = Entitlements(
            tenant_state=TENANT_STATE[access.state],
            access_state=access.state,
            access_until=access.until,
            plan_name=tenant.plan_name if plan is None else plan.name,
            limits=tenant.limits if plan is None else limits_of(account, subscription, plan, now),
            features=tenant.features if plan is None else plan.features,
            note=account.suspended_note if account.suspended_at is not None else "",
        )
        entitlements_write(account.tenant_id, granted, detail=f"billing: {access.state}")
    return access


def _account_write(account: BillingAccount, access: Access, now: datetime) -> None:
    if account.access_state != access.state:
        account.access_changed_at = now
    account.access_state, account.access_until, account.access_lost_at = access.state, access.until, access.lost_at
    if access.is_unknown:
        account.needs_attention = str(_("The subscription is in a state that is not known here."))
    account.save(
        update_fields=["access_state", "access_until", "access_lost_at", "access_changed_at", "needs_attention"]
    )


def subscription_newest(account: BillingAccount) -> Subscription | None:
    """The one that exists, else the last that there was."""
    found = list(account.subscriptions.select_related("price__plan").order_by("-started_at", "-id"))
    return next((one for one in found if one.status in LIVE), found[0] if found else None)


def facts_of(account: BillingAccount, subscription: Subscription | None) -> Facts:
    """What the account's access depends on, as it is known here."""
    own = Facts(
        trial_ends_at=account.trial_ends_at,
        has_contract=account.contract_plan_id is not None,
        contract_until=account.contract_until,
        is_suspended=account.suspended_at is not None,
        is_deleted=account.deleted_at is not None,
        last=State(account.access_state),
        last_until=account.access_until,
    )
    if subscription is None:
        return own
    return replace(
        own,
        status=subscription.status,
        is_paused=subscription.is_paused,
        cancel_at=subscription.cancel_at,
        period_end=subscription.period_end,
        grace_until=subscription.grace_until,
        ended_at=subscription.ended_at,
    )


def plan_of(account: BillingAccount, subscription: Subscription | None, now: datetime) -> Plan | None:
    """The plan whose limits and features hold: by contract, bought, else that of the trial."""
    contract = account.contract_plan
    if contract is not None and (account.contract_until is None or now < account.contract_until):
        return contract
    if subscription is not None and subscription.price is not None and subscription.status in LIVE:
        return subscription.price.plan
    if account.trial_ends_at is not None and now < account.trial_ends_at:
        return account.trial_plan
    if subscription is not None and subscription.price is not None:
        return subscription.price.plan
    return account.trial_plan


def limits_of(
    account: BillingAccount, subscription: Subscription | None, plan: Plan, now: datetime
) -> dict[str, int]:
    """The plan's limits, with the seats that were paid for."""
    limits = dict(plan.limits)
    if (seats := seat_limit(account, now)) is not None:
        limits["seats"] = seats
    return limits
