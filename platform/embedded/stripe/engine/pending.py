"""Prorations that wait for the next invoice: Stripe's invoice items."""

import copy

from embedded.stripe.store import Body, Store


def pend(store: Store, subscription: Body, line: Body) -> None:
    """Keep a proration for the next invoice."""
    item = {
        "id": store.new_id("ii"),
        "object": "invoiceitem",
        "amount": line["amount"],
        "currency": line["currency"],
        "customer": subscription["customer"],
        "date": store.now(),
        "description": line["description"],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": subscription["id"]}},
        "period": line["period"],
        "pricing": line["pricing"],
        "proration": True,
        "quantity": line["quantity"],
        "quantity_decimal": str(line["quantity"]),
        "tax_rates": [],
        "_line": line,
        "_subscription": subscription["id"],
    }
    store.put(item)
    store.emit("invoiceitem.created", item)


def pending(store: Store, subscription: Body) -> list[Body]:
    """The lines that wait for the next invoice."""
    lines: list[Body] = []
    for item in store.find("invoiceitem", subscription=subscription["id"]):
        line: Body = copy.deepcopy(item["_line"])
        line["parent"]["subscription_item_details"]["invoice_item"] = item["id"]
        lines.append(line)
    return lines


def forget(store: Store, subscription: Body) -> None:
    """What waited is on an invoice now."""
    for item in store.find("invoiceitem", subscription=subscription["id"]):
        store.put({**item, "_subscription": None, "invoice": subscription["latest_invoice"]})
