"""Invoice lines: a period of an item, and what a change within a period costs.

A change at a moment gives, for each item, the unused time of the old back and asks the remaining time of the new, by
the second: amount · (end - moment) / (end - start), each line rounded half up to the cent. The lines depend on
nothing but the items and the moment, so a preview and a change with the same ``proration_date`` cost the same cents.
"""

from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from embedded.stripe.store import Body, Store


def rounded(amount: Decimal) -> int:
    """To the cent, halves away from zero."""
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))


def part_of(amount: int, left: int, whole: int) -> int:
    return rounded(Decimal(amount) * left / whole) if whole > 0 else 0


def day_of(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b %Y").lstrip("0")


def period_line(store: Store, item: Body, start: int, end: int, *, trial: bool = False) -> Body:
    """One whole period of an item; free while on trial."""
    price, quantity = item["price"], item["quantity"]
    name = store.get("product", price["product"])["name"]
    if trial:
        return _line(store, item, 0, f"Trial period for {name}", start, end)
    each = f"{Decimal(price['unit_amount']) / 100:.2f} {price['currency'].upper()}"
    text = f"{quantity} × {name} (at {each} / {price['recurring']['interval']})"
    return _line(store, item, price["unit_amount"] * quantity, text, start, end)


def change_lines(store: Store, old: list[Body], new: list[Body], moment: int) -> list[Body]:
    """What changing ``old`` items into ``new`` ones at ``moment`` gives back and costs, for the time that is left."""
    before = {item["id"]: item for item in old}
    after = {item["id"]: item for item in new}
    lines = []
    for identity in [*before, *(identity for identity in after if identity not in before)]:
        was, will = before.get(identity), after.get(identity)
        if (
            was
            and will
            and (was["price"]["id"], was["quantity"]) == (will["price"]["id"], will["quantity"])
            and (was["current_period_end"] == will["current_period_end"])
        ):
            continue
        if was:
            lines.append(_part(store, was, moment, credit=True))
        if will and will["current_period_start"] <= moment < will["current_period_end"]:
            lines.append(_part(store, will, moment, credit=False))
    return [line for line in lines if line is not None]


def _part(store: Store, item: Body, moment: int, *, credit: bool) -> Body:
    start, end = item["current_period_start"], item["current_period_end"]
    moment = min(max(moment, start), end)
    whole = item["price"]["unit_amount"] * item["quantity"]
    amount = part_of(whole, end - moment, end - start)
    name = store.get("product", item["price"]["product"])["name"]
    what = "Unused time on" if credit else "Remaining time on"
    text = f"{what} {item['quantity']} × {name} after {day_of(moment)}"
    return _line(store, item, -amount if credit else amount, text, moment, end, proration=True)


def _line(store: Store, item: Body, amount: int, text: str, start: int, end: int, *, proration: bool = False) -> Body:
    price = item["price"]
    return {
        "id": store.new_id("il"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": text,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "livemode": False,
        "metadata": {},
        "parent": {
            "type": "subscription_item_details",
            "subscription_item_details": {
                "invoice_item": None,
                "proration": proration,
                "proration_details": {"credited_items": None} if proration else None,
                "subscription": item["subscription"],
                "subscription_item": item["id"],
            },
        },
        "period": {"start": start, "end": end},
        "pretax_credit_amounts": [],
        "pricing": {
            "type": "price_details",
            "price_details": {"price": price["id"], "product": price["product"]},
            "unit_amount_decimal": str(price["unit_amount"]),
        },
        "quantity": item["quantity"],
        "subscription": item["subscription"],
        "subtotal": amount,
        "taxes": [],
    }
