"""A billing account for each workspace: made with it, with a trial that needs no card."""

from datetime import timedelta
from uuid import UUID

from billing import clock
from billing.access import TRIAL
from billing.accounts.granting import access_apply
from billing.models import BillingAccount, Plan
from billing.plans.catalog import TRIAL_PLAN, plans_load
from tenants.actors import TenantRef
from tenants.db.scopes import shared
from tenants.models import Tenant, User


class NoAccount(LookupError):
    """The workspace has no billing account."""


def account_provision(tenant: TenantRef, owner: User | None) -> None:
    """What a new workspace gets. Nobody's address is kept yet: whoever may pay is told about money by their own."""
    account_make(tenant.id)


@shared()
def account_make(tenant_id: UUID, *, trial: timedelta = TRIAL) -> BillingAccount:
    """The workspace's account; where there is none it is made, and its trial begins now."""
    account = BillingAccount.objects.filter(tenant_id=tenant_id).first()
    if account is None:
        now = clock.now()
        account, _made = BillingAccount.objects.get_or_create(
            tenant_id=tenant_id,
            defaults={"trial_plan": _trial_plan(), "trial_ends_at": now + trial, "created_at": now},
        )
    access_apply(account.id)
    account.refresh_from_db()
    return account


def _trial_plan() -> Plan:
    plan = Plan.objects.filter(code=TRIAL_PLAN).first()
    if plan is None:
        plans_load()
        plan = Plan.objects.get(code=TRIAL_PLAN)
    return plan


@shared()
def account_of(tenant_id: UUID) -> BillingAccount:
    """Raises NoAccount."""
    account = BillingAccount.objects.filter(tenant_id=tenant_id).first()
    if account is None:
        raise NoAccount(str(tenant_id))
    return account


@shared()
def accounts_make_missing() -> int:
    """Give an account, with a trial from now on, to each workspace that has none and is in service; how many."""
    served = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY)
    missing = list(
        Tenant.objects.filter(state__in=served, billing_account=None)
        .order_by("created_at")
        .values_list("id", flat=True)
    )
    for tenant_id in missing:
        account_make(tenant_id)
    return len(missing)
