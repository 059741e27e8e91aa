"""What an operator changes by hand: a suspension, a longer trial, a plan by contract without Stripe."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from billing import clock
from billing.access import Access
from billing.accounts.granting import access_apply
from billing.errors import BillingRefused
from billing.models import LIVE, BillingAccount, Plan
from tenants.db.scopes import shared

MAX_TRIAL = timedelta(days=180)
"""How far from now a trial may end."""
MAX_CONTRACT = timedelta(days=20 * 366)


@contextmanager
def _locked(account: BillingAccount) -> Iterator[BillingAccount]:
    """The account under its row lock, refused once its workspace was dropped."""
    with shared(), transaction.atomic():
        found = BillingAccount.objects.select_for_update().get(id=account.id)
        if found.deleted_at is not None:
            raise BillingRefused(_("The workspace was deleted: there is nothing to change any more."))
        yield found


def suspend(account: BillingAccount, *, note: str) -> Access:
    """Close the workspace; its people read ``note``. Raises BillingRefused."""
    with _locked(account) as found:
        if found.suspended_at is not None:
            raise BillingRefused(_("The workspace is suspended already."))
        found.suspended_at, found.suspended_note = clock.now(), note
        found.save(update_fields=["suspended_at", "suspended_note"])
        return access_apply(found.id)


def resume(account: BillingAccount) -> Access:
    """Open it again, as far as it is paid for. Raises BillingRefused."""
    with _locked(account) as found:
        if found.suspended_at is None:
            raise BillingRefused(_("The workspace is not suspended."))
        found.suspended_at, found.suspended_note = None, ""
        found.save(update_fields=["suspended_at", "suspended_note"])
        return access_apply(found.id)


def trial_extend(account: BillingAccount, *, until: datetime) -> Access:
    """Let the trial, gone on or over, end later. Raises BillingRefused."""
    with _locked(account) as found:
        now = clock.now()
        if found.subscriptions.filter(status__in=LIVE).exists():
            raise BillingRefused(_("The workspace has a subscription, so that a trial would change nothing."))
        if until <= now or (found.trial_ends_at is not None and until <= found.trial_ends_at):
            raise BillingRefused(_("Choose a time after the end that the trial has now."))
        if until > now + MAX_TRIAL:
            raise BillingRefused(
                _("A trial ends %(days)s days from now at the latest: grant a plan by contract.")
                % {"days": MAX_TRIAL.days}
            )
        found.trial_ends_at = until
        found.save(update_fields=["trial_ends_at"])
        return access_apply(found.id)


def contract_grant(account: BillingAccount, *, plan: Plan, until: datetime | None, seats: int | None) -> Access:
    """Give a plan without Stripe, for good where there is no ``until``; ``seats`` None is as many as the plan has.

    Raises BillingRefused, also beside a subscription that renews: both would be paid.
    """
    with _locked(account) as found:
        if found.subscriptions.filter(status__in=LIVE, cancel_at=None).exists():
            raise BillingRefused(
                _("The workspace has a subscription that renews, and would pay twice: have it cancelled first.")
            )
        now = clock.now()
        if until is not None and until <= now:
            raise BillingRefused(_("Choose a time to come."))
        if until is not None and until > now + MAX_CONTRACT:
            raise BillingRefused(
                _("A contract ends %(years)s years from now at the latest, or leave its end out: then it is for good.")
                % {"years": MAX_CONTRACT.days // 365}
            )
        found.contract_plan, found.contract_until, found.contract_seats = plan, until, seats
        found.save(update_fields=["contract_plan", "contract_until", "contract_seats"])
        return access_apply(found.id)


def contract_end(account: BillingAccount) -> Access:
    """End the contract now; what was paid for or is left of the trial holds. Raises BillingRefused."""
    with _locked(account) as found:
        now = clock.now()
        if found.contract_at(now) is None:
            raise BillingRefused(_("The workspace has no contract."))
        # Its end stays noted: the time until a workspace that nobody pays for is closed runs from there.
        found.contract_until = now
        found.save(update_fields=["contract_until"])
        return access_apply(found.id)


def attention_done(account: BillingAccount) -> str:
    """Say that somebody has looked at what the account needed an operator for; gives what that was."""
    with _locked(account) as found:
        was = found.needs_attention
        found.needs_attention = ""
        found.save(update_fields=["needs_attention"])
        return was
