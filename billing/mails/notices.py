"""What whoever looks after billing is told by mail, each thing once."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from django.db import transaction

from billing import clock
from billing.access import Access, State
from billing.mails.letters import notice_letters
from billing.models import BillingAccount, BillingNotice
from tenants.db.scopes import shared


class Kind(StrEnum):
    TRIAL_ENDING_3 = "trial_ending_3"
    TRIAL_ENDING_1 = "trial_ending_1"
    TRIAL_ENDED = "trial_ended"
    RECEIPT = "receipt"
    PAYMENT_FAILED = "payment_failed"
    CARD_EXPIRING = "card_expiring"
    PLAN_CHANGED = "plan_changed"
    CANCELLED = "cancelled"
    READ_ONLY = "read_only"
    DELETION_AHEAD = "deletion_ahead"
    DELETED = "deleted"
    REACTIVATED = "reactivated"


LOST = (State.READ_ONLY, State.CANCELED, State.RETENTION)


def notice(account: BillingAccount, kind: Kind | str, key: str, context: Mapping[str, Any] | None = None) -> bool:
    """Tell it once for ``key`` (an invoice's id, a day …), by mails that go after the commit; False if told before.

    The words take plan, seats, dates and card from the account and its subscription as they are now, so call it when
    those are written. ``context`` adds the ``invoice`` (an InvoiceMirror) of a receipt and of a failed payment, where
    it is not the open one. Raises ValueError for a kind that there is not.
    """
    kind = Kind(kind)
    with shared(), transaction.atomic():
        wanted = {"account": account, "kind": kind, "key": key[:120]}
        if BillingNotice.objects.filter(**wanted).exists():
            return False
        # To whom it goes stands in the row from the first: nobody may change one later.
        letters = notice_letters(account, kind, dict(context or {}))
        given = {"at": clock.now(), "sent_to": [one.to for one in letters]}
        _row, is_new = BillingNotice.objects.get_or_create(**wanted, defaults=given)
        if is_new:
            for one in letters:
                one.keep(account)
    return is_new


def access_changed(account: BillingAccount, before: State, after: Access) -> None:
    """Tell what follows from a change of access; called when the account has its new state."""
    kind = kind_of_change(before, after.state)
    if kind is not None:
        notice(account, kind, f"{after.state} {account.access_changed_at:%Y-%m-%dT%H:%M:%S}")


def kind_of_change(before: State, after: State) -> Kind | None:
    """What a change of state is told as; paying is told by receipts."""
    if before == after:
        return None
    match after:
        case State.PAST_DUE:
            return Kind.PAYMENT_FAILED
        case State.CANCELING:
            return Kind.CANCELLED
        case State.READ_ONLY if before == State.TRIALING:
            return Kind.TRIAL_ENDED
        case State.READ_ONLY | State.CANCELED if before not in LOST:
            return Kind.READ_ONLY
        case State.RETENTION:
            return Kind.DELETION_AHEAD
        case State.DELETED:
            return Kind.DELETED
        case State.ACTIVE | State.TRIALING if before in (*LOST, State.CANCELING, State.PAUSED, State.SUSPENDED):
            return Kind.REACTIVATED
    return None
