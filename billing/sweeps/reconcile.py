"""What webhooks missed is found, mended and said: hourly by Stripe's list of events, nightly by fetching everything.

Both work in turns of less than a minute: a run keeps how far it came, and the next turn goes on from there.
"""

import json
from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils.translation import gettext as _

from billing import clock, stripe_reads
from billing.access import State
from billing.errors import AccountBusy, StripeAway
from billing.models import BillingAccount, ReconcileRun
from billing.plans.wording import INVOICES, STATES, SUBSCRIPTIONS, price_text
from billing.subscriptions.sync import subscription_sync
from billing.webhooks import event_take
from tenants.db.scopes import shared

log = structlog.get_logger(__name__)

TURN_SECONDS = 40.0
OVERLAP = timedelta(minutes=15)
"""Events become visible a little after their own time."""
FIRST_LOOK_BACK = timedelta(days=3)
MAX_DRIFT = 1000
INVOICE_PAGES = 20
GIVEN_UP = timedelta(hours=12)
Kind = ReconcileRun.Kind


@shared()
def events_sweep(seconds: float = TURN_SECONDS) -> ReconcileRun:
    """Take each event that Stripe has and we have not, from the last sweep on. The run is finished when
    ``finished_at`` is set; else call it again. Raises StripeAway."""
    run = _run_open(Kind.EVENTS)
    place: dict[str, Any] = json.loads(run.position) if run.position else {"since": _events_since(), "after": ""}
    until = monotonic() + seconds
    while True:
        page = _asked(run, lambda: stripe_reads.events_since(created=place["since"], after=place["after"]))
        for event in page["data"]:
            run.looked_at += 1
            if (row := event_take(event)) is not None:
                _drift_add(run, row.account_id, f"{row.type} {row.stripe_id}", "", _("taken up now"))
        if not page["has_more"] or not page["data"]:
            return _run_finish(run)
        place["after"] = page["data"][-1]["id"]
        run.position = json.dumps(place)
        run.save()
        if monotonic() > until:
            return run


def _events_since() -> int:
    # One that was given up has not seen all from the one before it on.
    last = ReconcileRun.objects.filter(kind=Kind.EVENTS, error="").exclude(finished_at=None).first()
    since = clock.now() - FIRST_LOOK_BACK if last is None else last.started_at - OVERLAP
    return int(since.timestamp())


@shared()
def reconcile_all(seconds: float = TURN_SECONDS) -> ReconcileRun:
    """Fetch every account that has a customer again, and note what was not as it should have been.

    The run is finished when ``finished_at`` is set; else call it again. Raises StripeAway.
    """
    run = _run_open(Kind.FULL)
    until = monotonic() + seconds
    while True:
        account = _account_after(run.position)
        if account is None:
            return _run_finish(run)
        _asked(run, lambda account=account: account_reconcile(run, account))  # type: ignore[misc]
        run.position = str(account.id)
        run.looked_at += 1
        run.save()
        if monotonic() > until:
            return run


def _account_after(position: str) -> BillingAccount | None:
    rows = BillingAccount.objects.exclude(customer_id=None).filter(deleted_at=None).order_by("id")
    return (rows.filter(id__gt=UUID(position)) if position else rows).first()


def account_reconcile(run: ReconcileRun, account: BillingAccount) -> None:
    """Fetch one account and add to the run's drift what that changed."""
    before = state_of(account)
    try:
        subscription_sync(account.id, pages=INVOICE_PAGES)
    except AccountBusy:
        # Somebody is fetching it at this moment, which is as good.
        return
    after = state_of(BillingAccount.objects.get(id=account.id))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            _drift_add(run, account.id, name, before.get(name, ""), after.get(name, ""))


def state_of(account: BillingAccount) -> dict[str, str]:
    """What is known here of an account, a line a thing, to be compared."""
    found = {
        "customer": account.customer_id or "",
        "access": str(STATES.get(State(account.access_state), account.access_state)),
        "card": f"{account.card_brand} {account.card_last4} {account.card_expires_on or ''}".strip(),
        "VAT ID": f"{account.vat_id} {account.vat_status}".strip(),
    }
    for one in account.subscriptions.select_related("price__plan"):
        dates = {_("paid until"): one.period_end, _("ends"): one.cancel_at, _("ended"): one.ended_at}
        parts = [str(SUBSCRIPTIONS.get(one.status, one.status)), f"{price_text(one.price)} × {one.quantity}"]
        found[one.stripe_id] = " · ".join(
            [*parts, *(f"{word} {at:%Y-%m-%d %H:%M:%S}" for word, at in dates.items() if at)]
        )
    for invoice in account.invoices.all():
        paid_back = [_("paid back {amount}").format(amount=invoice.refunded)] if invoice.refunded else []
        parts = [str(INVOICES.get(invoice.status, invoice.status)), f"{invoice.total} {invoice.currency}"]
        found[invoice.stripe_id] = " · ".join([*parts, *paid_back])
    return found


def _run_open(kind: str) -> ReconcileRun:
    """The run that is not finished, or a new one; one that nobody went on with is given up."""
    now = clock.now()
    with transaction.atomic():
        run = ReconcileRun.objects.select_for_update().filter(kind=kind, finished_at=None).first()
        if run is not None and run.started_at < now - GIVEN_UP:
            run.error, run.finished_at = "Given up: nobody went on with it.", now
            run.save(update_fields=["error", "finished_at"])
            run = None
        return run or ReconcileRun.objects.create(kind=kind, started_at=now)


def _run_finish(run: ReconcileRun) -> ReconcileRun:
    run.finished_at, run.error, run.position = clock.now(), "", ""
    run.save()
    log.info("billing.reconciled", kind=run.kind, looked_at=run.looked_at, drift=len(run.drift))
    return run


def _asked[T](run: ReconcileRun, ask: Callable[[], T]) -> T:
    try:
        return ask()
    except StripeAway as away:
        run.error = str(away)[:500]
        run.save()
        raise


def _drift_add(run: ReconcileRun, account_id: UUID | None, what: str, before: str, after: str) -> None:
    if len(run.drift) < MAX_DRIFT:
        run.drift.append(
            {"account": "" if account_id is None else str(account_id), "what": what, "before": before, "after": after}
        )
