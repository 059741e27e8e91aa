"""The one place that speaks to Stripe, through the official library. ``stripe_reads`` and ``stripe_writes`` have a
function for each call that we make.

Answers are plain data under Stripe's own names. Each raises StripeAway where Stripe does not answer in time, is down,
or has too much to do, and StripeRefused where it says no. Without a key of one's own it is the stand-in that answers.
"""

import json
import re
import threading
from collections.abc import Callable
from typing import Any, cast

import stripe
import structlog
from celery import current_task
from django.conf import settings
from django.utils.translation import gettext as _

from billing.errors import AlreadyAsked, StripeAway, StripeMissing, StripeRefused
from billing.outgoing import Fetched, Params

log = structlog.get_logger(__name__)

API_VERSION = "2026-10-28.endive"
CONNECT_SECONDS = 3.05
READ_SECONDS = {"web": 7, "worker": 20}
"""How long one try may take: a page has somebody waiting before it, and a thread of the web server behind it."""
RETRIES = {"web": 1, "worker": 2}
PAGE = 100
MAX_PAGES = 20

_clients = threading.local()


def client() -> stripe.StripeClient:
    """The library's client for the key in settings, one a thread, since it keeps its connections open."""
    place = "worker" if current_task else "web"
    wanted = (settings.STRIPE_SECRET_KEY, settings.STRIPE_API_URL, place)
    if getattr(_clients, "made_for", None) != wanted:
        _clients.client = _client(*wanted)
        _clients.made_for = wanted
    return cast(stripe.StripeClient, _clients.client)


def _client(key: str, url: str, place: str) -> stripe.StripeClient:
    if not key:
        raise StripeAway("STRIPE_SECRET_KEY is not set.")
    import requests

    session = requests.Session()
    # What stands in for Stripe is on this machine: no proxy leads there.
    session.trust_env = not url
    return stripe.StripeClient(
        key,
        stripe_version=API_VERSION,
        base_addresses={"api": url} if url else None,
        max_network_retries=RETRIES[place],
        http_client=stripe.RequestsClient(
            timeout=(CONNECT_SECONDS, READ_SECONDS[place]), session=session, verify_ssl_certs=True
        ),
    )


def ask(call: Callable[[], stripe.StripeObject]) -> Fetched:
    """Make one call; its answer as plain data, its errors as ours."""
    try:
        found = call()
    except stripe.StripeError as error:
        raise translated(error) from error
    plain: Fetched = json.loads(str(found))
    return plain


def translated(error: stripe.StripeError) -> StripeAway | StripeRefused:
    status = error.http_status or 0
    detail = f"{type(error).__name__} {status} {error.code or ''} {error.request_id or ''}".strip()
    if isinstance(error, stripe.CardError):
        return StripeRefused(card_message(error), code=_code(error), param=error.param or "", is_card=True)
    # The library gives an error of this status no code of its own.
    if status == 409 and error.error is not None and error.error.code == "idempotency_key_in_use":
        return AlreadyAsked(detail)
    if isinstance(error, stripe.APIConnectionError | stripe.RateLimitError) or status in (409, 429):
        return StripeAway(detail)
    if status >= 500 or isinstance(error, stripe.APIError):
        return StripeAway(detail, has_answered=True)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        log.error("stripe.key_refused", status=status)
        return StripeAway(detail)
    log.warning("stripe.refused", code=error.code, status=status, request=error.request_id)
    missing = status == 404 or error.code == "resource_missing"
    message = _("Stripe did not accept this: {reason}").format(reason=error.user_message or detail)
    param = str(getattr(error, "param", None) or "")
    return (StripeMissing if missing else StripeRefused)(message, code=_code(error), param=param)


def _code(error: stripe.StripeError) -> str:
    return str(error.code or "")


def card_message(error: stripe.CardError) -> str:
    if error.code == "authentication_required":
        return _(
            "Your bank wants you to confirm this payment. Confirm it on the page of the invoice, or use another card."
        )
    return _("The payment did not go through: {reason}").format(reason=error.user_message or error.code or "")


def listed(
    call: Callable[[dict[str, Any]], stripe.StripeObject], params: Params, pages: int = MAX_PAGES
) -> list[Fetched]:
    """All that a list holds, the newest first, page by page."""
    found: list[Fetched] = []
    after: dict[str, Any] = {}
    for _page in range(pages):
        wanted = {"limit": PAGE, **params, **after}
        answer = ask(lambda wanted=wanted: call(wanted))  # type: ignore[misc]
        found += answer["data"]
        if not answer["has_more"] or not answer["data"]:
            break
        after = {"starting_after": answer["data"][-1]["id"]}
    return found


def options(key: str) -> stripe.RequestOptions:
    """What goes with a write that is to happen once, however often it is sent."""
    return {"idempotency_key": key}


# Webhooks.

SECONDS = re.compile("[0-9]{1,11}")


def signature_time(header: str) -> int | None:
    """When a webhook says it was signed; None where it does not."""
    found = [part[2:] for part in header.split(",") if part.startswith("t=")]
    return int(found[0]) if len(found) == 1 and SECONDS.fullmatch(found[0]) else None


def is_signed(body: bytes, header: str, secret: str, tolerance: int) -> bool:
    """Whether Stripe signed this body with the secret, at most ``tolerance`` seconds ago."""
    if not header.isascii():
        return False
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance)
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
    return True
