"""Webhooks: each is proven, kept once and answered at once; what it hints at is fetched later, by ``event_process``.

An event is *new*, *processing* while a worker has claimed it, *done*, *failed* until its next try, or *dead* once it
was tried too often: then an operator sees it and can have it replayed. A claim ends by itself, so that a worker that
is killed leaves nothing behind.
"""

import time
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing import clock
from billing.errors import AccountBusy, StripeAway, StripeMissing
from billing.models import BillingAccount, StripeEvent
from billing.outgoing import Fetched
from billing.stripe_client import API_VERSION, is_signed, signature_time
from billing.stripe_reads import charge_fetch
from billing.subscriptions.mirror import moment
from billing.subscriptions.sync import subscription_sync
from tenants.db.scopes import shared
from tenants.http import Request
from tenants.strict_json import NotJson, read_json
from tenants.web.access import PUBLIC, access
from tenants.work.task_classes import SharedTask

log = structlog.get_logger(__name__)

MAX_BYTES = 1024 * 1024
LONGEST_ID = 80
LATEST = 1 << 34
"""A time of an event, in seconds, that none has."""
TOLERANCE = 300
"""Seconds that a signature is good for."""
AHEAD = 30
"""Seconds that Stripe's clock may be ahead of ours."""
CLAIM = timedelta(seconds=150)
"""As long as a task may live and a bit: then its worker is gone."""
FIRST_LOOK = timedelta(seconds=60)
"""After so long without a worker the sweep takes an event up: the queue has lost it."""
KEPT = timedelta(days=90)
"""How long an event that is done can be looked at. Stripe lists them for 30 days: until then none is taken again."""
MAX_ATTEMPTS = 6
MAX_BACKOFF = timedelta(hours=1)
State = StripeEvent.State


class Refused(Exception):
    """A webhook that is not taken; its text is for the log of whoever sent it."""


@csrf_exempt
@require_POST
@access(PUBLIC)
def webhook(request: Request) -> HttpResponse:
    """400 for what is not Stripe's, not ours or not now; 200 for what is kept, and for what was kept before."""
    try:
        event = verified(request.body, request.headers.get("Stripe-Signature", ""))
    except Refused as refusal:
        log.warning("stripe.webhook_refused", why=str(refusal))
        return JsonResponse({"error": str(refusal)}, status=400)
    event_take(event)
    return JsonResponse({"received": True})


def verified(body: bytes, header: str) -> Fetched:
    """The event in a webhook's body. Raises Refused."""
    if len(body) > MAX_BYTES:
        raise Refused("The body is too large.")
    signed_at = signature_time(header)
    if signed_at is None or signed_at > time.time() + AHEAD:
        raise Refused("The signature has no time, or one that is still to come.")
    secrets = [one.strip() for one in settings.STRIPE_WEBHOOK_SECRET.split(",") if one.strip()]
    if not any(is_signed(body, header, secret, TOLERANCE) for secret in secrets):
        raise Refused("The signature is not Stripe's, or too old.")
    try:
        event = read_json(body)
    except NotJson as problem:
        raise Refused(f"The body is not JSON: {problem}") from None
    _require_ours(event)
    return dict(event)


def _require_ours(event: Any) -> None:
    if not isinstance(event, dict) or event.get("object") != "event" or not _is_id(event.get("id")):
        raise Refused("This is no event.")
    if event.get("livemode") is not settings.STRIPE_LIVEMODE:
        raise Refused("The event is of the other mode, live or test.")
    if event.get("api_version") != API_VERSION:
        raise Refused(f"The event is of another version of the API than {API_VERSION}.")
    if event.get("account"):
        raise Refused("The event is of a connected account.")
    if not isinstance(event.get("type"), str):
        raise Refused("The event has no type.")
    created = event.get("created")
    if type(created) is not int or not 0 <= created < LATEST:
        raise Refused("The event has no time.")
    about = event.get("data")
    if not isinstance(about, dict) or not isinstance(about.get("object"), dict):
        raise Refused("The event is about nothing.")


def _is_id(name: Any) -> bool:
    return isinstance(name, str) and 0 < len(name) <= LONGEST_ID


@shared()
def event_take(event: Fetched) -> StripeEvent | None:
    """Keep an event once and have it looked at after the commit; None where it was kept before."""
    now = clock.now()
    event = _storable(event)
    with transaction.atomic():
        row, is_new = StripeEvent.objects.get_or_create(
            stripe_id=event["id"],
            livemode=event["livemode"],
            defaults={
                "type": event["type"][:80],
                "payload": event,
                "account": account_named(event),
                "happened_at": moment(event["created"]),
                "next_try_at": now + FIRST_LOOK,
            },
        )
        if not is_new:
            return None
        enqueue(row.id)
    return row


def _storable(value: Any) -> Any:
    """JSON without the one character that Postgres keeps in no text: one such event would stop each sweep."""
    match value:
        case str():
            return value.replace("\x00", "")
        case list():
            return [_storable(one) for one in value]
        case dict():
            return {_storable(name): _storable(one) for name, one in value.items()}
    return value


def enqueue(event_id: UUID) -> None:
    transaction.on_commit(partial(event_process.delay, event_id=str(event_id)), robust=True)


def account_named(event: Fetched) -> BillingAccount | None:
    """The account that an event is about, by the customer it names; None for one that is none of ours."""
    about = event["data"]["object"]
    return _account_of(about.get("id") if about.get("object") == "customer" else about.get("customer"))


def _account_of(customer: Any) -> BillingAccount | None:
    """By Stripe's customer, as its id or whole."""
    if isinstance(customer, dict):
        customer = customer.get("id")
    return BillingAccount.objects.filter(customer_id=customer).first() if isinstance(customer, str) else None


def account_charged(event: Fetched) -> BillingAccount | None:
    """The account that a dispute is about: it names a charge and no customer. Raises StripeAway."""
    about = event["data"]["object"]
    charge = about.get("charge")
    if about.get("object") != "dispute" or not isinstance(charge, str):
        return None
    try:
        return _account_of(charge_fetch(charge).get("customer"))
    except StripeMissing:
        return None


@shared_task(base=SharedTask, name="billing.event_process", queue="interactive", ignore_result=True)
def event_process(*, event_id: str) -> None:
    """Do what an event hints at: fetch its account again. Nothing where it is done or another worker has it.

    What fails is tried again later, longer each time; after MAX_ATTEMPTS it is dead. While Stripe is away it is tried
    again for as long as that takes.
    """
    event = event_claim(UUID(event_id))
    if event is None:
        return
    try:
        account = event.account or account_named(event.payload) or account_charged(event.payload)
        if account is not None:
            if event.account_id is None:
                StripeEvent.objects.filter(id=event.id).update(account=account)
            subscription_sync(account.id)
    except (StripeAway, AccountBusy) as away:
        _event_failed(event, away, is_away=True)
    except Exception as problem:
        log.error("stripe.event_failed", event_id=event.stripe_id, type=event.type, exc_info=problem)
        _event_failed(event, problem, is_away=False)
    else:
        StripeEvent.objects.filter(id=event.id).update(
            state=State.DONE, done_at=clock.now(), next_try_at=None, error=""
        )


@shared()
def event_claim(event_id: UUID) -> StripeEvent | None:
    """Claim an event for this worker; None where it is done, dead, or another worker's."""
    now = clock.now()
    free = Q(state=State.NEW) | Q(state__in=(State.FAILED, State.PROCESSING), next_try_at__lte=now)
    claimed = StripeEvent.objects.filter(free, id=event_id).update(
        state=State.PROCESSING, attempts=F("attempts") + 1, next_try_at=now + CLAIM
    )
    return StripeEvent.objects.select_related("account").get(id=event_id) if claimed else None


def _event_failed(event: StripeEvent, problem: Exception, *, is_away: bool) -> None:
    is_dead = not is_away and event.attempts >= MAX_ATTEMPTS
    backoff = min(timedelta(seconds=10 * 2 ** min(event.attempts, 10)), MAX_BACKOFF)
    StripeEvent.objects.filter(id=event.id, state=State.PROCESSING).update(
        state=State.DEAD if is_dead else State.FAILED,
        error=f"{type(problem).__name__}: {problem}"[:2000],
        next_try_at=None if is_dead else clock.now() + backoff,
    )
    if is_dead:
        log.error("stripe.event_dead", event_id=event.stripe_id, type=event.type)


@shared()
def events_pick_up(limit: int = 200) -> int:
    """Queue events whose time has come: those to be tried again, of workers that were killed, lost by the queue."""
    due = StripeEvent.objects.filter(
        state__in=(State.NEW, State.FAILED, State.PROCESSING), next_try_at__lte=clock.now()
    ).order_by("next_try_at")
    found = list(due.values_list("id", flat=True)[:limit])
    for event_id in found:
        enqueue(event_id)
    return len(found)


@shared()
def event_replay(event: StripeEvent, by: UUID | None = None) -> None:
    """Have an event looked at again, whatever became of it; ``by`` is the operator, for the log."""
    with transaction.atomic():
        StripeEvent.objects.filter(id=event.id).update(state=State.NEW, attempts=0, error="", next_try_at=clock.now())
        enqueue(event.id)
    log.info("stripe.event_replayed", event_id=event.stripe_id, by=str(by))


@shared()
def events_forget() -> int:
    """Delete events that are done and of which Stripe's own list knows nothing any more; how many."""
    old = StripeEvent.objects.filter(state=State.DONE, received_at__lt=clock.now() - KEPT)
    return old.delete()[0]
