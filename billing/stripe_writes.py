"""What is written at Stripe, one function a call that we make.

Each is an operation of billing.outgoing: sent with a key that makes it happen once, and looked for where its answer was
lost.
"""

from collections.abc import Callable, Mapping
from typing import Any, cast

from django.utils.translation import gettext as _

from billing.errors import BillingRefused
from billing.models import BillingAccount
from billing.outgoing import Fetched, Operation, Params, write
from billing.stripe_client import ask, client, options
from billing.stripe_reads import (
    checkout_fetch,
    checkouts_of,
    customer_fetch,
    customers_with_email,
    prices_with_keys,
    product_find,
    refunds_of,
    subscription_fetch,
)


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
    lambda params, key: ask(lambda: client().v1.customers.create(cast(Any, params), options(key))),
    _customer_find,
    is_once=True,
)
CUSTOMER_UPDATE = Operation(
    "customer.update",
    lambda params, key: ask(lambda: client().v1.customers.update(params["id"], _rest(params), options(key))),
    lambda params, _result_id: None,
)
CHECKOUT_CREATE = Operation(
    "checkout.create",
    lambda params, key: ask(lambda: client().v1.checkout.sessions.create(cast(Any, params), options(key))),
    _checkout_find,
    is_once=True,
)
CHECKOUT_EXPIRE = Operation(
    "checkout.expire",
    lambda params, key: ask(lambda: client().v1.checkout.sessions.expire(params["id"], {}, options(key))),
    _checkout_expired,
    is_safe=True,
)
PORTAL_CONFIGURE = Operation(
    "portal.configure",
    lambda params, key: ask(lambda: client().v1.billing_portal.configurations.create(cast(Any, params), options(key))),
    _portal_find,
    is_once=True,
)
PORTAL_OPEN = Operation(
    "portal.open",
    lambda params, key: ask(lambda: client().v1.billing_portal.sessions.create(cast(Any, params), options(key))),
    lambda params, _result_id: None,
)
SUBSCRIPTION_UPDATE = Operation(
    "subscription.update",
    lambda params, key: ask(lambda: client().v1.subscriptions.update(params["id"], _rest(params), options(key))),
    _subscription_find,
    is_alone=True,
)
SUBSCRIPTION_CANCEL = Operation(
    "subscription.cancel",
    lambda params, key: ask(lambda: client().v1.subscriptions.cancel(params["id"], _rest(params), options(key))),
    _subscription_ended,
    is_once=True,
    is_safe=True,
)
INVOICE_VOID = Operation(
    "invoice.void",
    lambda params, key: ask(lambda: client().v1.invoices.void_invoice(params["id"], {}, options(key))),
    _invoice_voided,
    is_once=True,
    is_safe=True,
)
REFUND_CREATE = Operation(
    "refund.create",
    lambda params, key: ask(lambda: client().v1.refunds.create(cast(Any, params), options(key))),
    _refund_find,
    is_once=True,
    is_safe=True,
)
PRODUCT_CREATE = Operation(
    "product.create",
    lambda params, key: ask(lambda: client().v1.products.create(cast(Any, params), options(key))),
    lambda params, _result_id: product_find(params["id"]),
    is_safe=True,
)
PRICE_CREATE = Operation(
    "price.create",
    lambda params, key: ask(lambda: client().v1.prices.create(cast(Any, params), options(key))),
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
