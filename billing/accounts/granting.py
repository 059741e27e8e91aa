"""What follows from access: written onto the account and the workspace, and told to whoever looks after billing."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from billing import clock
from billing.access import TENANT_STATE, Access, Facts, State, access_of
from billing.mails.notices import access_changed
from billing.models import LIVE, BillingAccount, Plan, Subscription
from billing.seats import seat_limit
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.workspaces.entitlements import Entitlements, entitlements_write


@shared()
def access_apply(account_id: UUID) -> Access:
    """Work out what the workspace may do now, and write it onto the account and the workspace. Safe to repeat.

    Takes the account's row lock; asks nobody but the database.
    """
    now = clock.now()
    with transaction.atomic():
        account = BillingAccount.objects.select_for_update().get(id=account_id)
        subscription = subscription_newest(account)
        before = State(account.access_state)
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
        access_changed(account, before, access)
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
    if (contract := account.contract_at(now)) is not None:
        return contract
    if subscription is not None and subscription.price is not None and subscription.status in LIVE:
        return subscription.price.plan
    if account.trial_ends_at is not None and now < account.trial_ends_at:
        return account.trial_plan
    if subscription is not None and subscription.price is not None:
        return subscription.price.plan
    return account.trial_plan


def limits_of(account: BillingAccount, subscription: Subscription | None, plan: Plan, now: datetime) -> dict[str, int]:
    """The plan's limits, with the seats that were paid for."""
    limits = dict(plan.limits)
    if (seats := seat_limit(account, now)) is not None:
        limits["seats"] = seats
    return limits
