"""The one way by which we learn of a subscription: it is fetched whole, under the account's row lock, and copied here.

Whoever has a hint that something changed (a webhook, the page that Stripe sends people back to, a sweep) calls
``subscription_sync``. It is the same however often and in whatever order it is called, since it believes no hint.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from billing import clock, stripe_reads, stripe_writes
from billing.accounts.granting import access_apply, subscription_newest
from billing.errors import StripeAway, StripeMissing, StripeRefused
from billing.locking import account_lock
from billing.models import LIVE, BillingAccount, CheckoutAttempt, InvoiceMirror, StripeEvent, Subscription
from billing.outgoing import Fetched
from billing.subscriptions.ledger import change_note
from billing.subscriptions.mirror import (
    customer_mirror,
    invoices_mirror,
    issued_at,
    moment,
    payment_intents,
    subscription_mirror,
    subscription_of,
)
from billing.subscriptions.news import news_tell, standing_of
from tenants.db.scopes import shared

log = structlog.get_logger(__name__)

FETCH_WARNING = 10.0
"""Seconds under the lock after which the log says so."""
PAID_LATE = timedelta(days=1)
"""How long before a workspace is dropped nothing was owed for it any more."""
BEST = ("active", "trialing", "past_due", "paused", "unpaid")
PAYABLE = ("open", "uncollectible")
"""Stripe's states of an invoice whose page takes a payment."""
WAITING = (StripeEvent.State.NEW, StripeEvent.State.PROCESSING, StripeEvent.State.FAILED)


@dataclass(slots=True)
class Snapshot:
    """What Stripe says of one customer; ``customer`` is None where it was deleted there.

    ``known`` is the subscription that was live here before.
    """

    customer: Fetched | None
    known: str = ""
    subscriptions: list[Fetched] = field(default_factory=list)
    invoices: list[Fetched] = field(default_factory=list)
    charges: list[Fetched] = field(default_factory=list)

    @property
    def live(self) -> list[Fetched]:
        """Subscriptions that exist, the one to keep first: in the best state, of those the known, else the oldest."""
        found = [one for one in self.subscriptions if one["status"] in LIVE]
        return sorted(
            found,
            key=lambda one: (BEST.index(one["status"]), one["id"] != self.known, one["created"], one["id"]),
        )


@shared()
def subscription_sync(account_id: UUID, *, wait: bool = True, pages: int = 1) -> Subscription | None:
    """Fetch all that Stripe has of an account, keep it, and let the workspace do what follows; the subscription.

    Gives the live one, else the last there was, else None. ``wait`` False is for pages: raises AccountBusy at once
    where somebody else is fetching. ``pages`` of a hundred invoices are looked at. A second live subscription is paid
    back and ended, and so is that of a workspace that is gone. Raises StripeAway: then all is as it was before.
    """
    with transaction.atomic():
        account = account_lock(account_id, wait=wait)
        before = standing_of(account)
        covered = list(StripeEvent.objects.filter(account=account, state__in=WAITING).values_list("id", flat=True))
        snapshot = fetch(account, pages) if account.customer_id else None
        if snapshot is not None:
            _keep(account, snapshot)
        access_apply(account.id)
        news_tell(account, before)
        # They were here before the fetch began, so what they hint at is in it.
        StripeEvent.objects.filter(id__in=covered, state__in=WAITING).update(
            state=StripeEvent.State.DONE, done_at=clock.now(), next_try_at=None, error=""
        )
    if snapshot is not None:
        for extra in unwanted(account, snapshot):
            _undo(account, extra, snapshot)
        _void_unserved(account, snapshot)
    return subscription_newest(account)


def unwanted(account: BillingAccount, snapshot: Snapshot) -> list[Fetched]:
    """Live subscriptions that nobody should pay: all but one, and of a workspace that is gone every one."""
    return snapshot.live if account.deleted_at is not None else snapshot.live[1:]


def fetch(account: BillingAccount, pages: int = 1) -> Snapshot:
    """Ask Stripe for all of the account's customer. Raises StripeAway."""
    began = monotonic()
    customer_id = str(account.customer_id)
    try:
        customer: Fetched | None = stripe_reads.customer_fetch(customer_id)
    except StripeMissing:
        customer = None
    if customer is None or customer.get("deleted"):
        return Snapshot(None)
    found = Snapshot(
        customer,
        account.subscriptions.filter(status__in=LIVE).values_list("stripe_id", flat=True).first() or "",
        stripe_reads.subscriptions_of(customer_id),
        stripe_reads.invoices_of(customer_id, pages=pages),
        stripe_reads.charges_of(customer_id, pages=pages),
    )
    if (seconds := monotonic() - began) > FETCH_WARNING:
        log.warning("billing.fetch_slow", account=str(account.id), seconds=round(seconds, 1))
    return found


def _keep(account: BillingAccount, snapshot: Snapshot) -> None:
    now = clock.now()
    trouble: list[str] = []
    if snapshot.customer is None:
        _customer_gone(account, now)
        return
    extra = unwanted(account, snapshot)
    live = [one for one in snapshot.live if one not in extra]
    _subscriptions_keep(account, snapshot, live, now)
    kept = account.subscriptions.select_related("price").filter(status__in=LIVE).first()
    customer_mirror(account, snapshot.customer, live[0] if live else None)
    changed = invoices_mirror(account, snapshot.invoices, snapshot.charges, now)
    disputed = [one.number for one in changed if one.is_disputed]
    if disputed:
        trouble.append(_("Payments are disputed: invoice {numbers}.").format(numbers=", ".join(disputed)))
    if extra and live:
        trouble.append(_("There was a second subscription: it is ended, and what was paid for two is paid back."))
    elif extra:
        trouble.append(_("The workspace was paid for when it was gone: that is ended and paid back."))
    if kept is not None and kept.price is None:
        trouble.append(_("The subscription is for a price that is not known here."))
    if trouble:
        account.needs_attention = " ".join(trouble)[:500]
        log.error("billing.needs_attention", account=str(account.id), why=account.needs_attention)
    account.synced_at = now
    account.save()
    change_note(account, kept, now)
    _checkouts_close(account, snapshot.subscriptions, now)


def _subscriptions_keep(account: BillingAccount, snapshot: Snapshot, live: Sequence[Fetched], now: datetime) -> None:
    """Those that are over first: at most one row of an account is live."""
    over = [one for one in snapshot.subscriptions if one["status"] not in LIVE]
    kept = {one["id"] for one in [*over, *live]}
    account.subscriptions.filter(status__in=LIVE).exclude(stripe_id__in=kept).update(
        status="canceled", ended_at=now, synced_at=now
    )
    for one in [*over, *live]:
        subscription_mirror(account, one, snapshot.invoices, now)


def _customer_gone(account: BillingAccount, now: datetime) -> None:
    """The customer was deleted at Stripe, and all that it paid for with it; the next checkout makes a new one."""
    account.subscriptions.filter(status__in=LIVE).update(status="canceled", ended_at=now, synced_at=now)
    account.checkouts.filter(state=CheckoutAttempt.State.OPEN).update(state=CheckoutAttempt.State.EXPIRED, ended_at=now)
    account.needs_attention = _("The customer {id} was deleted at Stripe.").format(id=account.customer_id)
    log.error("billing.customer_gone", account=str(account.id))
    account.customer_id = None
    account.currency = ""
    account.card_brand = account.card_last4 = ""
    account.card_expires_on = None
    account.synced_at = now
    account.save()
    change_note(account, None, now)


def _in_vain_since(account: BillingAccount, extra: Fetched, snapshot: Snapshot) -> datetime:
    """From when on a subscription was paid for nothing: since it began, and where it is older than the one that is
    kept, since that began. What was paid for the time before was owed."""
    began = moment(extra["created"])
    if account.deleted_at is not None:
        return max(began, account.deleted_at - PAID_LATE)
    kept = snapshot.live[0]["created"]
    return began if extra["created"] >= kept else moment(kept)


def _not_paid_back(account: BillingAccount, invoice: Fetched, refusal: StripeRefused) -> None:
    words = _("Invoice {number} is to be paid back by hand: {reason}").format(number=invoice["number"], reason=refusal)
    _left_to_an_operator(account, words)
    log.error("billing.not_paid_back", account=str(account.id), invoice=invoice["id"], code=refusal.code)


def _left_to_an_operator(account: BillingAccount, words: str) -> None:
    was = BillingAccount.objects.values_list("needs_attention", flat=True).get(id=account.id)
    if words not in was:
        BillingAccount.objects.filter(id=account.id).update(needs_attention=f"{words} {was}".strip()[:500])


def _checkouts_close(account: BillingAccount, subscriptions: Sequence[Fetched], now: datetime) -> None:
    State = CheckoutAttempt.State
    paid = [(one.get("metadata") or {}).get("attempt") for one in subscriptions if one["status"] in LIVE]
    for attempt in CheckoutAttempt.objects.filter(account=account, state=State.OPEN):
        if str(attempt.id) in paid or attempt.expires_at <= now:
            attempt.state = State.COMPLETED if str(attempt.id) in paid else State.EXPIRED
            attempt.ended_at = now
            attempt.save(update_fields=["state", "ended_at"])


def _void_unserved(account: BillingAccount, snapshot: Snapshot) -> None:
    """Void what whoever paid it now would get nothing for: the renewals that ended subscriptions left open, and of a
    workspace that is gone all that was not paid.

    What Stripe does not do now is tried again with the next sync. Of a workspace that is gone there may be none, so
    there StripeAway is raised, and what Stripe refuses is left to an operator.
    """
    is_gone = account.deleted_at is not None
    ended = {one["id"] for one in snapshot.subscriptions if one["status"] == "canceled"}
    for invoice in snapshot.invoices:
        is_renewal = invoice["billing_reason"] == "subscription_cycle" and subscription_of(invoice) in ended
        if not (invoice["status"] in PAYABLE if is_gone else invoice["status"] == "open" and is_renewal):
            continue
        try:
            voided = stripe_writes.invoice_void(account, invoice["id"])
        except (StripeAway, StripeRefused) as trouble:
            log.warning("billing.not_voided", account=str(account.id), invoice=invoice["id"], why=str(trouble))
            if is_gone and isinstance(trouble, StripeAway):
                raise
            if is_gone:
                words = _("Invoice {number} can still be paid, for a workspace that is gone: {reason}")
                _left_to_an_operator(account, words.format(number=invoice["number"], reason=trouble))
        else:
            InvoiceMirror.objects.filter(stripe_id=invoice["id"]).update(status=voided["status"], next_attempt_at=None)


def _undo(account: BillingAccount, extra: Fetched, snapshot: Snapshot) -> None:
    """Pay back what a subscription was paid in vain and end it, in this order: as long as it lives, the next sync
    finds it again. What cannot be paid back is left to an operator, and it ends all the same."""
    since = _in_vain_since(account, extra, snapshot)
    for invoice in snapshot.invoices:
        if subscription_of(invoice) == extra["id"] and invoice["amount_paid"] and issued_at(invoice) >= since:
            for intent in payment_intents(invoice):
                try:
                    stripe_writes.refund_create(account, intent, intent=f"unwanted:{intent}")
                except StripeRefused as refusal:
                    if refusal.code != "charge_already_refunded":
                        _not_paid_back(account, invoice, refusal)
    stripe_writes.subscription_cancel(account, extra["id"])
    log.error("billing.subscription_undone", account=str(account.id), subscription=extra["id"])
