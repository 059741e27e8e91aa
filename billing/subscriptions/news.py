"""What is told of a fetch: invoices that were paid, another plan or number of seats, a card that will not last."""

from dataclasses import dataclass
from datetime import timedelta

from billing import clock
from billing.mails.notices import Kind, notice
from billing.models import LIVE, BillingAccount, Subscription

CARD_AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Standing:
    """What was known before a fetch."""

    unpaid: frozenset[str]
    """Invoices that were not paid."""
    known: frozenset[str]
    bought: tuple[str, str, int] | None
    """The live subscription, its price and seats."""


def standing_of(account: BillingAccount) -> Standing:
    rows = list(account.invoices.values_list("stripe_id", "status"))
    return Standing(
        unpaid=frozenset(one for one, status in rows if status != "paid"),
        known=frozenset(one for one, _status in rows),
        bought=_bought(_live(account)),
    )


def _live(account: BillingAccount) -> Subscription | None:
    return account.subscriptions.select_related("price").filter(status__in=LIVE).first()


def _bought(live: Subscription | None) -> tuple[str, str, int] | None:
    if live is None or live.price is None:
        return None
    return live.stripe_id, live.price.lookup_key, live.quantity


def news_tell(account: BillingAccount, before: Standing) -> None:
    """Tell what a fetch has changed, under the lock of that fetch; each thing once."""
    account.refresh_from_db()
    for invoice in account.invoices.filter(status="paid", paid__gt=0):
        if invoice.stripe_id in before.unpaid or invoice.stripe_id not in before.known:
            notice(account, Kind.RECEIPT, invoice.stripe_id, {"invoice": invoice})
    live = _live(account)
    bought = _bought(live)
    if before.bought is not None and bought is not None and bought[0] == before.bought[0] and bought != before.bought:
        now = clock.now()
        notice(account, Kind.PLAN_CHANGED, f"{bought[1]} {bought[2]} {now:%Y-%m-%dT%H:%M:%S}")
    _card_tell(account, live)


def _card_tell(account: BillingAccount, live: Subscription | None) -> None:
    ends = account.card_expires_on
    if live is None or live.cancel_at is not None or ends is None:
        return
    if ends <= (clock.now() + CARD_AHEAD).date():
        notice(account, Kind.CARD_EXPIRING, f"{account.card_last4} {ends:%Y-%m}")
