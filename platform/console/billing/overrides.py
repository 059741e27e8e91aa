"""What operators change in a workspace's billing, with its entry in the audit."""

from datetime import datetime

from django.db import transaction

from billing import tasks, webhooks
from billing.accounts import manual
from billing.checkout.changes import coupon_apply as code_apply
from billing.models import BillingAccount, Plan, StripeEvent, StripeRequest
from billing.outgoing import request_settle
from billing.stripe_writes import OPERATIONS
from billing.subscriptions.sync import subscription_sync
from billing.sweeps import reconcile
from console.auditing import Action, Operator, audit_note, step_noted
from console.wording import EVERYTHING

COMPARISONS = (tasks.events_sweep, tasks.reconcile_all)


def suspend(operator: Operator, account: BillingAccount, *, note: str) -> None:
    """Raises BillingRefused."""
    with transaction.atomic():
        manual.suspend(account, note=note)
        audit_note(operator, Action.SUSPENDED, tenant_id=account.tenant_id, reason=note)


def resume(operator: Operator, account: BillingAccount, *, reason: str) -> None:
    """Raises BillingRefused."""
    with transaction.atomic():
        access = manual.resume(account)
        audit_note(operator, Action.RESUMED, tenant_id=account.tenant_id, reason=reason, state=str(access.state))


def trial_extend(operator: Operator, account: BillingAccount, *, until: datetime, reason: str) -> None:
    """Raises BillingRefused."""
    with transaction.atomic():
        before = account.trial_ends_at
        manual.trial_extend(account, until=until)
        audit_note(
            operator,
            Action.TRIAL_EXTENDED,
            tenant_id=account.tenant_id,
            reason=reason,
            before=before.isoformat() if before else "",
            until=until.isoformat(),
        )


def contract_grant(
    operator: Operator, account: BillingAccount, *, plan: Plan, until: datetime | None, seats: int | None, reason: str
) -> None:
    """Raises BillingRefused."""
    with transaction.atomic():
        manual.contract_grant(account, plan=plan, until=until, seats=seats)
        audit_note(
            operator,
            Action.CONTRACT_GRANTED,
            tenant_id=account.tenant_id,
            about=plan.name,
            reason=reason,
            until=until.isoformat() if until else "",
            seats=seats,
        )


def contract_end(operator: Operator, account: BillingAccount, *, reason: str) -> None:
    """Raises BillingRefused."""
    with transaction.atomic():
        manual.contract_end(account)
        audit_note(operator, Action.CONTRACT_ENDED, tenant_id=account.tenant_id, reason=reason)


def coupon_apply(operator: Operator, account: BillingAccount, *, code: str, instead_of: str = "", reason: str) -> None:
    """Give the discount of a promotion code, in place of the coupon that runs where that is named.

    Raises BillingRefused, AccountBusy and StripeAway.
    """
    with step_noted(operator, Action.COUPON_APPLIED, tenant_id=account.tenant_id, about=code, reason=reason):
        code_apply(account, code, instead_of=instead_of)


def event_replay(operator: Operator, event: StripeEvent, *, reason: str) -> None:
    with transaction.atomic():
        webhooks.event_replay(event, by=operator.user.pk)
        audit_note(
            operator,
            Action.EVENT_REPLAYED,
            tenant_id=event.account.tenant_id if event.account else None,
            about=f"{event.type} {event.stripe_id}",
            reason=reason,
        )


def account_reconcile(operator: Operator, account: BillingAccount, *, reason: str) -> dict[str, tuple[str, str]]:
    """Fetch all of an account from Stripe now; gives what was different, before and after.

    Raises StripeAway and AccountBusy.
    """
    with step_noted(operator, Action.RECONCILED, tenant_id=account.tenant_id, reason=reason) as details:
        before = reconcile.state_of(account)
        subscription_sync(account.id, pages=reconcile.INVOICE_PAGES)
        after = reconcile.state_of(BillingAccount.objects.get(id=account.id))
        found = {
            name: (before.get(name, ""), after.get(name, ""))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }
        details["drift"] = [f"{name}: {one} → {two}" for name, (one, two) in found.items()]
    return found


def request_finish(operator: Operator, request: StripeRequest, *, reason: str) -> str:
    """Find out what became of a request without an answer; gives its state. Raises AccountBusy and StripeAway."""
    account = request.account
    with step_noted(
        operator,
        Action.REQUEST_FINISHED,
        tenant_id=account.tenant_id if account is not None else None,
        about=request.operation,
        reason=reason,
    ) as details:
        details["state"] = request_settle(OPERATIONS, request)
        if account is not None:
            subscription_sync(account.id)
    return str(details["state"])


def reconcile_start(operator: Operator, *, reason: str) -> None:
    """Have workers compare everything with Stripe, now."""
    with transaction.atomic():
        audit_note(operator, Action.RECONCILED, about=EVERYTHING, reason=reason)
        for task in COMPARISONS:
            transaction.on_commit(task.delay, robust=True)


def attention_done(operator: Operator, account: BillingAccount, *, reason: str) -> None:
    with transaction.atomic():
        was = manual.attention_done(account)
        audit_note(operator, Action.ATTENTION_DONE, tenant_id=account.tenant_id, about=was, reason=reason)
