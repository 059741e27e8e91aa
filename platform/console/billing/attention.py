"""What waits for an operator: accounts that billing cannot go on with, and requests to Stripe without an answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from billing.models import BillingAccount, StripeEvent, StripeRequest

SHOWN = 100
LATE = timedelta(minutes=5)
"""An answer that has not come for so long does not come by itself: a sweep asks every minute."""


def requests_late() -> QuerySet[StripeRequest]:
    """The requests that were begun and of which nobody knows what became, the oldest first."""
    rows = StripeRequest.objects.filter(state=StripeRequest.State.BEGUN, created_at__lt=Now() - LATE)
    return rows.order_by("created_at", "id")


def events_dead() -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(state=StripeEvent.State.DEAD)


def accounts_troubled() -> QuerySet[BillingAccount]:
    """The accounts with which something is wrong."""
    return BillingAccount.objects.filter(
        ~Q(needs_attention="")
        | ~Q(seats_error="")
        | Q(Exists(events_dead().filter(account=OuterRef("pk"))))
        | Q(Exists(requests_late().order_by().filter(account=OuterRef("pk"))))
    )


@dataclass(frozen=True, slots=True)
class Attention:
    """The first of each sort, and how many there are in all."""

    accounts: Sequence[BillingAccount]
    account_count: int
    seats: Sequence[BillingAccount]
    seat_count: int
    requests: Sequence[StripeRequest]
    request_count: int
    dead: int


def attention() -> Attention:
    accounts = BillingAccount.objects.select_related("tenant").order_by("tenant__name", "id")
    raised, seats = accounts.exclude(needs_attention=""), accounts.exclude(seats_error="")
    requests = requests_late().select_related("account__tenant")
    return Attention(
        accounts=list(raised[:SHOWN]),
        account_count=raised.count(),
        seats=list(seats[:SHOWN]),
        seat_count=seats.count(),
        requests=list(requests[:SHOWN]),
        request_count=requests.count(),
        dead=events_dead().count(),
    )
