"""Writes to Stripe, each noted before it is sent: its idempotency key outlives us, so that nothing is done twice.

A request is *begun* (its row is committed), sent, and then *done* or *refused*. Where no answer came it stays begun,
and who asks for the same again sends the same key. An error that came back is repeated by Stripe for the same key, so
then it is first looked whether the thing was done, and if not a new key is taken. ``requests_finish`` closes what
nobody asked for again.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from billing import clock
from billing.errors import AccountBusy, AnswerAwaited, StripeAway, StripeMissing, StripeRefused
from billing.locking import account_lock
from billing.models import BillingAccount, StripeRequest
from tenants.db.scopes import shared

log = structlog.get_logger(__name__)

type Params = Mapping[str, Any]
type Fetched = dict[str, Any]
"""An object of Stripe's as plain data, under Stripe's own names."""

KEY_LIVES = timedelta(hours=23)
"""How long, by the machine's time, the same key is sent again; Stripe forgets it after 24 hours."""
FRESH = timedelta(minutes=2)
"""How long a request may be under way: the three tries of a worker, and what Stripe takes for the last of them."""
State = StripeRequest.State


@dataclass(frozen=True, slots=True)
class Operation:
    """One sort of write. ``send`` takes the parameters and the key; ``find`` gives what came of it, or None.

    ``is_once``: done once for one intent, however often it is asked for. ``is_alone``: not beside another such request
    of the same account. ``is_safe``: sent again by itself when no answer came.
    """

    name: str
    send: Callable[[Params, str], Fetched]
    find: Callable[[Params, str], Fetched | None]
    is_once: bool = False
    is_alone: bool = False
    is_safe: bool = False


@shared()
def write(
    operation: Operation,
    account: BillingAccount | None,
    intent: str,
    params: Params,
    *,
    check: Callable[[], None] | None = None,
) -> Fetched:
    """Do it at Stripe and give what came of it; ``intent`` says in a few words what it is done for.

    ``check`` is called when no other request of this account can come between. Raises what it raises, StripeAway,
    StripeRefused and AccountBusy.
    """
    try:
        request = begin(operation, account, intent, params)
    except AnswerAwaited:
        assert account is not None
        if not _close_done(operation, account):
            raise
        request = begin(operation, account, intent, params)
    if request.state == State.DONE:
        found = operation.find(params, request.result_id)
        if found is not None:
            return found
        words = "What came of it is gone at Stripe."
        StripeRequest.objects.filter(id=request.id).update(state=State.REFUSED, error=words)
        request = begin(operation, account, intent, params)
    if check is not None:
        try:
            check()
        except Exception as refusal:
            close(request, State.REFUSED, error=f"{type(refusal).__name__}: {refusal}")
            raise
    return send(operation, request)


def send(operation: Operation, request: StripeRequest) -> Fetched:
    """Send a request that is begun, for the first time or again, and close it. Raises StripeAway and StripeRefused."""
    try:
        # The database orders names by its own rule; sent again, the parameters have to be the same to the letter.
        found = operation.send(json.loads(json.dumps(request.params, sort_keys=True)), request.idempotency_key)
    except StripeAway as away:
        StripeRequest.objects.filter(id=request.id).update(error=str(away)[:500])
        if away.has_answered:
            done = operation.find(request.params, "")
            close(request, State.REFUSED if done is None else State.DONE, result_id=id_of(done), error=str(away))
            if done is not None:
                return done
        raise
    except StripeMissing as missing:
        # What is to be ended and is not there may have been ended by a try whose answer was lost.
        done = operation.find(request.params, "") if operation.is_safe else None
        close(request, State.REFUSED if done is None else State.DONE, result_id=id_of(done), error=str(missing))
        if done is None:
            raise
        return done
    except StripeRefused as refusal:
        close(request, State.REFUSED, error=f"{refusal.code}: {refusal}")
        raise
    close(request, State.DONE, result_id=id_of(found))
    return found


def id_of(found: Fetched | None) -> str:
    return "" if found is None else str(found.get("id", ""))


def begin(operation: Operation, account: BillingAccount | None, intent: str, params: Params) -> StripeRequest:
    """The row of a request that is open, or of one that is done once and for all; committed when this returns."""
    plain = json.dumps(params, sort_keys=True)
    base = f"{operation.name}:{hashlib.sha256(f'{intent}\n{plain}'.encode()).hexdigest()[:40]}"
    try:
        with transaction.atomic(durable=True):
            if account is not None:
                account_lock(account.id)
            rows = StripeRequest.objects.filter(idempotency_key__startswith=f"{base}:").order_by("-created_at", "-id")
            newest = rows.first()
            now = timezone.now()
            if newest is not None and newest.state == State.DONE and operation.is_once:
                return newest
            if newest is not None and newest.state == State.BEGUN and newest.created_at > now - KEY_LIVES:
                return newest
            if operation.is_alone and account is not None:
                _require_alone(operation, account)
            return StripeRequest.objects.create(
                account=account,
                operation=operation.name,
                idempotency_key=f"{base}:{rows.count()}",
                params=json.loads(plain),
            )
    except IntegrityError:
        raise AccountBusy from None


def _underway(operation: Operation, account: BillingAccount) -> QuerySet[StripeRequest]:
    """The account's requests of a sort of which Stripe may still do something."""
    rows = StripeRequest.objects.filter(account=account, operation=operation.name, state=State.BEGUN)
    return rows.filter(created_at__gt=timezone.now() - FRESH).order_by("created_at")


def _require_alone(operation: Operation, account: BillingAccount) -> None:
    other = _underway(operation, account).last()
    if other is not None:
        raise AnswerAwaited(other.created_at, other.created_at + FRESH)


def _close_done(operation: Operation, account: BillingAccount) -> bool:
    """Close the requests that Stripe has done and for whose answer nobody waits any more; whether that was all.

    One that Stripe does not have yet may still be on its way there, so it is waited for: sent again it would be done,
    and the customer has seen that nothing was certain and may want something else by now. Raises StripeAway.
    """
    open_ones = list(_underway(operation, account))
    for request in open_ones:
        found = operation.find(request.params, "") if request.error else None
        if found is None:
            return False
        close(request, State.DONE, result_id=id_of(found))
    return True


def close(request: StripeRequest, state: str, *, result_id: str = "", error: str = "") -> None:
    StripeRequest.objects.filter(id=request.id, state=State.BEGUN).update(
        state=state, result_id=result_id, error=error[:500], done_at=clock.now()
    )


@shared()
def requests_finish(operations: Mapping[str, Operation], *, limit: int = 50) -> list[StripeRequest]:
    """Close requests whose answer nobody waits for any more, and give those that were: for a sweep.

    What is safe is sent again with its key, as long as Stripe knows that. Of the others it is looked at what Stripe
    has: the customer has seen that nothing was certain, and may want something else by now. Raises StripeAway.
    """
    rows = StripeRequest.objects.select_related("account").filter(
        state=State.BEGUN, created_at__lt=timezone.now() - FRESH
    )
    closed = []
    for request in rows.order_by("created_at")[:limit]:
        _finish(operations.get(request.operation), request)
        closed.append(request)
    return closed


@shared()
def request_settle(operations: Mapping[str, Operation], request: StripeRequest) -> str:
    """Do the same for one request, now; gives its state. Raises AnswerAwaited while it may still be under way and
    Stripe does not have it, and StripeAway."""
    request.refresh_from_db()
    operation = operations.get(request.operation)
    if request.state == State.BEGUN and request.created_at > timezone.now() - FRESH:
        found = operation.find(request.params, "") if operation is not None and request.error else None
        if found is None:
            raise AnswerAwaited(request.created_at, request.created_at + FRESH)
        close(request, State.DONE, result_id=id_of(found))
        request.refresh_from_db()
    elif request.state == State.BEGUN:
        _finish(operation, request)
    return request.state


def _finish(operation: Operation | None, request: StripeRequest) -> None:
    if operation is None:
        close(request, State.REFUSED, error="Nobody knows how to finish this any more.")
    elif operation.is_safe and request.created_at > timezone.now() - KEY_LIVES:
        try:
            send(operation, request)
        except StripeRefused as refusal:
            log.warning("stripe.request_refused", operation=request.operation, error=str(refusal))
        except StripeAway as away:
            if not away.has_answered:
                raise
    else:
        found = operation.find(request.params, "")
        words = "No answer came. Stripe was asked what became of it."
        close(request, State.REFUSED if found is None else State.DONE, result_id=id_of(found), error=words)
    request.refresh_from_db()
    log.info("stripe.request_finished", operation=request.operation, state=request.state)
