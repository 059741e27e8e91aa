"""What time does to a workspace: a trial ends, a grace ends, what was paid ends, what nobody pays for is dropped.

``lifecycle_sweep`` moves whom time has moved, tells beforehand what it will do, and takes a workspace away when all of
these hold: nothing was paid for it since KEPT; that was announced, the first time at least NOTICE before; Stripe was
asked just now and knows of no payment. Each step can be repeated, and a sweep that was cut off is taken up by the next.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Min

from billing import clock
from billing.access import KEPT, State
from billing.accounts.granting import access_apply
from billing.checkout.hosted import checkout_shut
from billing.errors import AccountBusy, BillingRefused, StripeAway
from billing.mails.notices import Kind, notice
from billing.models import LIVE, BillingAccount
from billing.stripe_writes import subscription_cancel
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.workspaces.provisioning import tenant_drop, tenant_state_set

log = structlog.get_logger(__name__)

NOTICE = timedelta(days=7)
"""How long before it is dropped a workspace is told at the latest."""
TRIAL_ENDING = ((timedelta(days=1), Kind.TRIAL_ENDING_1), (timedelta(days=3), Kind.TRIAL_ENDING_3))
DELETION_AHEAD = (timedelta(days=1), timedelta(days=7), timedelta(days=14))
"""How long before each reminder of the deletion is sent; the nearest that has come, once."""
TURN_SECONDS = 40


@shared()
def lifecycle_sweep(seconds: float = TURN_SECONDS) -> int:
    """One turn of at most that long; how many accounts were looked at. What is left comes in the next sweep."""
    end = monotonic() + seconds
    seen = 0
    works = ((account_move, moved_by_time), (announce, ahead), (drop_or_wait, lost), (_finish, _begun))
    for look, accounts in works:
        seen += _each(look, accounts(), end)
    return seen


def _each(look: Callable[[UUID], object], accounts: Iterable[UUID], end: float) -> int:
    """What fails for one account is logged and does not keep the others. Where Stripe is away, all wait."""
    seen = 0
    for account_id in accounts:
        if monotonic() > end:
            break
        seen += 1
        try:
            look(account_id)
        except StripeAway as away:
            log.warning("lifecycle.stripe_away", account=str(account_id), error=str(away))
            break
        except (AccountBusy, BillingRefused) as problem:
            log.warning("lifecycle.put_off", account=str(account_id), error=str(problem))
        except Exception:
            log.exception("lifecycle.failed", account=str(account_id))
    return seen


def moved_by_time() -> list[UUID]:
    """Accounts whose state has lapsed. One without a customer is told from our own rows, so those come first."""
    due = BillingAccount.objects.filter(deleted_at=None, access_until__lte=clock.now()).exclude(
        access_state=State.RETENTION
    )
    return list(due.order_by("customer_id", "access_until").values_list("id", flat=True))


def account_move(account_id: UUID) -> None:
    """Give the account the state it has now; Stripe is asked first, so that nobody loses what was paid just now."""
    if BillingAccount.objects.filter(id=account_id, customer_id=None).exists():
        access_apply(account_id)
    else:
        subscription_sync(account_id)


def ahead() -> list[UUID]:
    """Accounts that have to be told of something to come."""
    now = clock.now()
    trials = BillingAccount.objects.filter(
        access_state=State.TRIALING,
        deleted_at=None,
        trial_ends_at__gt=now,
        trial_ends_at__lte=now + TRIAL_ENDING[-1][0],
    )
    return list(trials.order_by("trial_ends_at").values_list("id", flat=True)) + lost()


def lost() -> list[UUID]:
    """Accounts whose workspace is kept for a while and not served any more."""
    rows = BillingAccount.objects.filter(access_state=State.RETENTION, deleted_at=None)
    return list(rows.order_by("access_until").values_list("id", flat=True))


def announce(account_id: UUID) -> None:
    """Tell what is ahead of the account, each thing once."""
    account = BillingAccount.objects.get(id=account_id)
    now = clock.now()
    if account.access_state == State.TRIALING and account.trial_ends_at is not None:
        left = account.trial_ends_at - now
        kind = next((kind for before, kind in TRIAL_ENDING if left <= before), None)
        if kind is not None:
            notice(account, kind, f"{account.trial_ends_at:%Y-%m-%d}")
    elif account.access_state == State.RETENTION and account.access_lost_at is not None:
        left = dropped_at(account, account.access_lost_at) - now
        before = next((one for one in DELETION_AHEAD if left <= one), None)
        if before is not None:
            notice(account, Kind.DELETION_AHEAD, f"{before.days} {account.access_lost_at:%Y-%m-%dT%H:%M}")


def dropped_at(account: BillingAccount, lost_at: datetime) -> datetime:
    """When the workspace is dropped: KEPT after it was lost, and NOTICE after that was announced."""
    told = account.notices.filter(kind=Kind.DELETION_AHEAD, at__gte=lost_at).aggregate(first=Min("at"))["first"]
    return max(lost_at + KEPT, (told or clock.now()) + NOTICE)


def drop_or_wait(account_id: UUID) -> bool:
    """Drop the workspace if its time has come; whether it was dropped.

    Open checkouts are closed first, so that nobody can pay any more. Then Stripe is asked what was paid, and only if
    that is nothing the workspace is given up, in the transaction that sees it.
    """
    account = BillingAccount.objects.get(id=account_id)
    if not _is_due(account):
        return False
    if account.customer_id is not None:
        checkout_shut(account)
        subscription_sync(account_id)
        account.refresh_from_db()
        if not _is_due(account):
            return False
        for subscription in account.subscriptions.filter(status__in=LIVE):
            subscription_cancel(account, subscription.stripe_id)
    with transaction.atomic():
        account = BillingAccount.objects.select_for_update().get(id=account_id)
        access_apply(account_id)
        account.refresh_from_db()
        if not _is_due(account):
            return False
        tenant_state_set(Tenant.objects.get(id=account.tenant_id), Tenant.State.DELETING, detail="billing: 90 days")
        account.deleted_at = clock.now()
        account.save(update_fields=["deleted_at"])
    _finish(account_id)
    return True


def _is_due(account: BillingAccount) -> bool:
    return (
        account.access_state == State.RETENTION
        and account.deleted_at is None
        and account.access_lost_at is not None
        and account.notices.filter(kind=Kind.DELETION_AHEAD, at__gte=account.access_lost_at).exists()
        and dropped_at(account, account.access_lost_at) <= clock.now()
    )


def _begun() -> list[UUID]:
    """Accounts whose workspace was given up and is not gone yet."""
    rows = BillingAccount.objects.filter(tenant__state=Tenant.State.DELETING, deleted_at__isnull=False)
    return list(rows.order_by("deleted_at").values_list("id", flat=True))


def _finish(account_id: UUID) -> None:
    """Tell that the workspace is gone, as follows from its new state and while it is known whom to tell, void what was
    never paid, and take it away. Invoices and the account stay."""
    subscription_sync(account_id)
    tenant_drop(Tenant.objects.get(billing_account=account_id))
