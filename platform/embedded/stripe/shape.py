"""The shape of an answer: what we keep for ourselves taken out, and what is empty said as null.

Which fields an object can have is read from the classes of the installed ``stripe`` library, so that none is forgotten.
"""

import types
from functools import cache
from importlib import import_module
from typing import Any, Union, get_args, get_origin

from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import StripeObject

# Left out rather than null: what comes only on request (expand), and marks of what an object is not.
ABSENT = {
    "deleted",
    "sources",
    "subscriptions",
    "tax_ids",
    "cash_balance",
    "tax",
    "currency_options",
    "tiers",
    "line_items",
    "payments",
    "confirmation_secret",
    "refunds",
    "customer_account",
    "account",
    "context",
    "payment_method_options",
    "invoice_credit_balance",
    "managed_payments",
    "presentment_details",
    "current_trial",
    "billing_cycle_anchor_config",
    "billed_until",
    "status_details",
    "secret",
}
UNIONS: tuple[Any, ...] = (Union, types.UnionType)
PAYMENT_METHODS = "payment_method"


def shaped(value: Any) -> Any:
    """``value`` as it leaves: without our own keys, its objects with every field that the library knows.

    An event is as it was when it was noted.
    """
    if isinstance(value, list):
        return [shaped(one) for one in value]
    if not isinstance(value, dict):
        return value
    kind = class_of(value.get("object"))
    if value.get("object") == "event":
        return value
    if kind is None or value.get("deleted"):
        return {name: shaped(one) for name, one in value.items() if not name.startswith("_")}
    return _filled(value, kind)


@cache
def class_of(name: Any) -> type[StripeObject] | None:
    """The library's class for what ``object`` says."""
    if not isinstance(name, str) or name not in OBJECT_CLASSES:
        return None
    module, attribute = OBJECT_CLASSES[name]
    found: type[StripeObject] = getattr(import_module(module), attribute)
    return found


def _filled(value: dict[str, Any], kind: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    nullable, inner = fields_of(kind)
    for name, one in value.items():
        if name.startswith("_"):
            continue
        part = inner.get(name)
        if part is None or (isinstance(one, dict) and isinstance(one.get("object"), str)):
            found[name] = shaped(one)
        elif isinstance(one, dict):
            found[name] = _filled(one, part)
        elif isinstance(one, list):
            found[name] = [
                _filled(each, part) if isinstance(each, dict) and "object" not in each else shaped(each) for each in one
            ]
        else:
            found[name] = one
    if value.get("object") != PAYMENT_METHODS:
        found.update({name: None for name in nullable if name not in found})
    return found


@cache
def fields_of(kind: Any) -> tuple[tuple[str, ...], dict[str, type[StripeObject]]]:
    """The names that may be null, and the classes of those that are objects without a life of their own."""
    nullable, inner = [], {}
    for name, annotation in kind.__annotations__.items():
        parts = get_args(annotation) if get_origin(annotation) in UNIONS else (annotation,)
        if type(None) in parts and name not in ABSENT:
            nullable.append(name)
        for part in parts:
            part = next(iter(get_args(part)), part) if get_origin(part) is list else part
            if isinstance(part, type) and issubclass(part, StripeObject) and part.__qualname__ != part.__name__:
                inner[name] = part
    return tuple(nullable), inner
