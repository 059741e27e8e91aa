"""The one place that speaks to Stripe, through the official library; one function a call that we make.

Answers are plain data under Stripe's own names. Each raises StripeAway where Stripe does not answer in time, is down,
or has too much to do, and StripeRefused where it says no. Without a key of one's own it is the stand-in that answers.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, cast

import stripe
import structlog
from celery import current_task
from django.conf import settings
from django.utils.translation import gettext as _

from billing.errors import AlreadyAsked, BillingRefused, StripeAway, StripeMissing, StripeRefused
from billing.models import BillingAccount
from billing.outgoing import Fetched, Operation, Params, write

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


# What is read.


def customer_fetch(customer_id: str) -> Fetched:
    """``deleted`` is true where it was deleted at Stripe."""
    expand = ["tax_ids", "invoice_settings.default_payment_method"]
    try:
        return ask(lambda: client().v1.customers.retrieve(customer_id, {"expand": expand}))
    except StripeMissing:
        raise
    except StripeRefused:
        # Of one that was deleted nothing is left to expand.
        return ask(lambda: client().v1.customers.retrieve(customer_id))


def customers_with_email(email: str) -> list[Fetched]:
    return listed(lambda params: client().v1.customers.list(cast(Any, params)), {"email": email}, pages=3)


def subscriptions_of(customer_id: str) -> list[Fetched]:
    """All that the customer ever had, with the card each is paid by."""
    expand = ["data.default_payment_method", "data.discounts.source.coupon"]
    params = {"customer": customer_id, "status": "all", "expand": expand}
    return listed(lambda params: client().v1.subscriptions.list(cast(Any, params)), params)


def subscription_fetch(subscription_id: str) -> Fetched:
    return ask(lambda: client().v1.subscriptions.retrieve(subscription_id, {"expand": ["discounts"]}))


def invoices_of(customer_id: str, *, pages: int = 1) -> list[Fetched]:
    """The newest invoices with what was paid on them."""
    params = {"customer": customer_id, "expand": ["data.payments"]}
    return listed(lambda params: client().v1.invoices.list(cast(Any, params)), params, pages)


def charges_of(customer_id: str, *, pages: int = 1) -> list[Fetched]:
    return listed(lambda params: client().v1.charges.list(cast(Any, params)), {"customer": customer_id}, pages)


def charge_fetch(charge_id: str) -> Fetched:
    return ask(lambda: client().v1.charges.retrieve(charge_id))


def checkout_fetch(session_id: str) -> Fetched:
    return ask(lambda: client().v1.checkout.sessions.retrieve(session_id))


def checkouts_of(customer_id: str) -> list[Fetched]:
    return listed(
        lambda params: client().v1.checkout.sessions.list(cast(Any, params)), {"customer": customer_id}, pages=1
    )


def promotions_used(customer_id: str) -> set[str]:
    """The promotion codes that a customer has typed at checkouts that were paid."""
    paid = [one for one in checkouts_of(customer_id) if one["status"] == "complete"]
    return {used["promotion_code"] for one in paid for used in one.get("discounts") or [] if used.get("promotion_code")}


def refunds_of(payment_intent: str) -> list[Fetched]:
    return listed(
        lambda params: client().v1.refunds.list(cast(Any, params)), {"payment_intent": payment_intent}, pages=1
    )


def prices_with_keys(lookup_keys: list[str]) -> list[Fetched]:
    """Prices by lookup key, at most ten, as Stripe allows."""
    params = {"lookup_keys": lookup_keys, "active": True}
    return listed(lambda params: client().v1.prices.list(cast(Any, params)), params, pages=1)


def product_find(product_id: str) -> Fetched | None:
    try:
        return ask(lambda: client().v1.products.retrieve(product_id))
    except StripeMissing:
        return None


def promotion_code_find(code: str) -> Fetched | None:
    """The active code of that name."""
    found = listed(
        lambda params: client().v1.promotion_codes.list(cast(Any, params)), {"code": code, "active": True}, pages=1
    )
    return found[0] if found else None


def events_since(*, created: int, after: str = "") -> Fetched:
    """One page of events of that second or later, the newest first; ``after``: those older than that event."""
    params: dict[str, Any] = {"created": {"gte": created}, "limit": PAGE}
    if after:
        params["starting_after"] = after
    return ask(lambda: client().v1.events.list(cast(Any, params)))


def change_preview_fetch(params: Params) -> Fetched:
    """The invoice that a change of a subscription would make."""
    return ask(lambda: client().v1.invoices.create_preview(cast(Any, dict(params))))


# What is written: each goes through billing.outgoing.


def _options(key: str) -> stripe.RequestOptions:
    return {"idempotency_key": key}


def _rest(params: Params) -> Any:
    """The parameters without the id that stands in the address."""
    return {name: value for name, value in params.items() if name != "id"}


def _customer_find(params: Params, result_id: str) -> Fetched | None:
    if result_id:
        found = customer_fetch(result_id)
        return None if found.get("deleted") else found
    account = params["metadata"]["account"]
    intent = params["metadata"]["intent"]
    for one in customers_with_email(params["email"]):
        if one["metadata"].get("account") == account and one["metadata"].get("intent") == intent:
            return one
    return None


def _checkout_find(params: Params, result_id: str) -> Fetched | None:
    if result_id:
        return checkout_fetch(result_id)
    attempt = params["metadata"]["attempt"]
    return next((one for one in checkouts_of(params["customer"]) if one["metadata"].get("attempt") == attempt), None)


def _checkout_expired(params: Params, _result_id: str) -> Fetched | None:
    found = checkout_fetch(params["id"])
    return found if found["status"] == "expired" else None


def _subscription_find(params: Params, result_id: str) -> Fetched | None:
    """The subscription, if it is as ``params`` wanted it."""
    found = subscription_fetch(params["id"])
    return found if result_id or _is_as_wanted(found, params) else None


def _is_as_wanted(found: Fetched, params: Params) -> bool:
    items = {one["id"]: one for one in found["items"]["data"]}
    for wanted in params.get("items", []):
        item = items.get(wanted["id"])
        if item is None or item["quantity"] != wanted.get("quantity", item["quantity"]):
            return False
        if item["price"]["id"] != wanted.get("price", item["price"]["id"]):
            return False
    if "cancel_at_period_end" in params and found["cancel_at_period_end"] is not params["cancel_at_period_end"]:
        return False
    if params.get("cancel_at") == "" and found["cancel_at"] is not None:
        return False
    wanted_codes = {one["promotion_code"] for one in params.get("discounts", [])}
    return wanted_codes <= {one["promotion_code"] for one in found["discounts"]}


def _subscription_ended(params: Params, _result_id: str) -> Fetched | None:
    found = subscription_fetch(params["id"])
    return found if found["status"] in ("canceled", "incomplete_expired") else None


def _invoice_voided(params: Params, _result_id: str) -> Fetched | None:
    found = ask(lambda: client().v1.invoices.retrieve(params["id"]))
    return found if found["status"] == "void" else None


def _refund_find(params: Params, result_id: str) -> Fetched | None:
    found = refunds_of(params["payment_intent"])
    intent = params["metadata"]["intent"]
    return next((one for one in found if one["id"] == result_id or one["metadata"].get("intent") == intent), None)


def _price_find(params: Params, _result_id: str) -> Fetched | None:
    found = prices_with_keys([params["lookup_key"]])
    return found[0] if found else None


def _portal_find(_params: Params, result_id: str) -> Fetched | None:
    return ask(lambda: client().v1.billing_portal.configurations.retrieve(result_id)) if result_id else None


CUSTOMER_CREATE = Operation(
    "customer.create",
    lambda params, key: ask(lambda: client().v1.customers.create(cast(Any, params), _options(key))),
    _customer_find,
    is_once=True,
)
CUSTOMER_UPDATE = Operation(
    "customer.update",
    lambda params, key: ask(lambda: client().v1.customers.update(params["id"], _rest(params), _options(key))),
    lambda params, _result_id: None,
)
CHECKOUT_CREATE = Operation(
    "checkout.create",
    lambda params, key: ask(lambda: client().v1.checkout.sessions.create(cast(Any, params), _options(key))),
    _checkout_find,
    is_once=True,
)
CHECKOUT_EXPIRE = Operation(
    "checkout.expire",
    lambda params, key: ask(lambda: client().v1.checkout.sessions.expire(params["id"], {}, _options(key))),
    _checkout_expired,
    is_safe=True,
)
PORTAL_CONFIGURE = Operation(
    "portal.configure",
    lambda params, key: ask(lambda: client().v1.billing_portal.configurations.create(cast(Any, params), _options(key))),
    _portal_find,
    is_once=True,
)
PORTAL_OPEN = Operation(
    "portal.open",
    lambda params, key: ask(lambda: client().v1.billing_portal.sessions.create(cast(Any, params), _options(key))),
    lambda params, _result_id: None,
)
SUBSCRIPTION_UPDATE = Operation(
    "subscription.update",
    lambda params, key: ask(lambda: client().v1.subscriptions.update(params["id"], _rest(params), _options(key))),
    _subscription_find,
    is_alone=True,
)
SUBSCRIPTION_CANCEL = Operation(
    "subscription.cancel",
    lambda params, key: ask(lambda: client().v1.subscriptions.cancel(params["id"], _rest(params), _options(key))),
    _subscription_ended,
    is_once=True,
    is_safe=True,
)
INVOICE_VOID = Operation(
    "invoice.void",
    lambda params, key: ask(lambda: client().v1.invoices.void_invoice(params["id"], {}, _options(key))),
    _invoice_voided,
    is_once=True,
    is_safe=True,
)
REFUND_CREATE = Operation(
    "refund.create",
    lambda params, key: ask(lambda: client().v1.refunds.create(cast(Any, params), _options(key))),
    _refund_find,
    is_once=True,
    is_safe=True,
)
PRODUCT_CREATE = Operation(
    "product.create",
    lambda params, key: ask(lambda: client().v1.products.create(cast(Any, params), _options(key))),
    lambda params, _result_id: product_find(params["id"]),
    is_safe=True,
)
PRICE_CREATE = Operation(
    "price.create",
    lambda params, key: ask(lambda: client().v1.prices.create(cast(Any, params), _options(key))),
    _price_find,
    is_safe=True,
)
OPERATIONS: Mapping[str, Operation] = {
    one.name: one
    for one in (
        CUSTOMER_CREATE,
        CUSTOMER_UPDATE,
        CHECKOUT_CREATE,
        CHECKOUT_EXPIRE,
        PORTAL_CONFIGURE,
        PORTAL_OPEN,
        SUBSCRIPTION_UPDATE,
        SUBSCRIPTION_CANCEL,
        INVOICE_VOID,
        REFUND_CREATE,
        PRODUCT_CREATE,
        PRICE_CREATE,
    )
}


def customer_create(account: BillingAccount, *, email: str, name: str, intent: str) -> Fetched:
    params = {"email": email, "name": name, "metadata": {"account": str(account.id), "intent": intent}}
    return write(CUSTOMER_CREATE, account, intent, params)


def customer_update(account: BillingAccount, **fields: Any) -> Fetched:
    """Change ``email``, ``name`` or ``address`` at Stripe. Raises BillingRefused where there is no customer yet."""
    if not account.customer_id:
        raise BillingRefused(_("There is no customer at Stripe before the first payment."))
    return write(CUSTOMER_UPDATE, account, account.customer_id, {"id": account.customer_id, **fields})


def checkout_create(account: BillingAccount, attempt_id: str, params: Params) -> Fetched:
    return write(CHECKOUT_CREATE, account, attempt_id, params)


def checkout_expire(account: BillingAccount, session_id: str) -> Fetched:
    return write(CHECKOUT_EXPIRE, account, session_id, {"id": session_id})


def portal_configure(params: Params) -> Fetched:
    return write(PORTAL_CONFIGURE, None, "the portal", params)


def portal_create(account: BillingAccount, params: Params) -> Fetched:
    return write(PORTAL_OPEN, account, "open", params)


def subscription_update(
    account: BillingAccount, subscription_id: str, params: Params, *, check: Callable[[], None] | None = None
) -> Fetched:
    """Change a subscription; ``check`` runs when nobody else is changing one of this account, and may raise."""
    wanted = {"id": subscription_id, **params}
    return write(SUBSCRIPTION_UPDATE, account, subscription_id, wanted, check=check)


def subscription_cancel(account: BillingAccount, subscription_id: str) -> Fetched:
    """End a subscription at once, without an invoice."""
    params = {"id": subscription_id, "prorate": False, "invoice_now": False}
    return write(SUBSCRIPTION_CANCEL, account, subscription_id, params)


def invoice_void(account: BillingAccount, invoice_id: str) -> Fetched:
    """Take an open invoice back: nobody can pay it any more."""
    return write(INVOICE_VOID, account, invoice_id, {"id": invoice_id})


def refund_create(account: BillingAccount, payment_intent: str, *, intent: str) -> Fetched:
    params = {"payment_intent": payment_intent, "reason": "duplicate", "metadata": {"intent": intent}}
    return write(REFUND_CREATE, account, intent, params)


def product_create(params: Params) -> Fetched:
    return write(PRODUCT_CREATE, None, str(params["id"]), params)


def price_create(params: Params) -> Fetched:
    return write(PRICE_CREATE, None, str(params["lookup_key"]), params)


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
