"""Coupons at work: discounts on subscriptions and what they take from an invoice's lines."""

from decimal import Decimal

from embedded.stripe.clock import after
from embedded.stripe.engine.prorations import rounded
from embedded.stripe.errors import Refused
from embedded.stripe.store import Body, Store


def coupon_use(store: Store, given: Body, *, customer: str, currency: str) -> tuple[Body, Body | None]:
    """The coupon and promotion code that ``{coupon|promotion_code}`` name, checked for this customer; raises
    Refused.
    """
    code = None
    if given.get("promotion_code"):
        code = store.get("promotion_code", given["promotion_code"], "discounts[0][promotion_code]")
        coupon = store.get("coupon", code["promotion"]["coupon"])
        if not code_usable(store, code) or code["customer"] not in (None, customer):
            raise Refused("This promotion code cannot be redeemed.", code="promotion_code_invalid", param="discounts")
        if code["restrictions"]["first_time_transaction"] and store.find("invoice", customer=customer, status="paid"):
            raise Refused(
                "This promotion code cannot be redeemed because the associated customer has prior transactions.",
                code="promotion_code_customer_not_first_time",
                param="discounts",
            )
    else:
        coupon = store.get("coupon", given.get("coupon") or "", "discounts[0][coupon]")
    if not coupon_valid(store, coupon):
        raise Refused(
            f"Coupon {coupon['id']} is used up and cannot be applied.", code="coupon_expired", param="discounts"
        )
    if coupon["amount_off"] is not None and coupon["currency"] != currency:
        raise Refused(
            f"The coupon's currency ({coupon['currency']}) does not match the subscription's ({currency}).",
            param="discounts",
        )
    return coupon, code


def coupon_valid(store: Store, coupon: Body) -> bool:
    most, by = coupon["max_redemptions"], coupon["redeem_by"]
    return (most is None or coupon["times_redeemed"] < most) and (by is None or store.now() < by)


def code_usable(store: Store, code: Body) -> bool:
    most, by = code["max_redemptions"], code["expires_at"]
    used_up = most is not None and code["times_redeemed"] >= most
    return bool(code["active"]) and not used_up and (by is None or store.now() < by)


def discount_shape(store: Store, coupon: Body, code: Body | None, *, customer: str, subscription: str | None) -> Body:
    """A discount from now on, not yet kept."""
    end = after(store.now(), "month", coupon["duration_in_months"]) if coupon["duration"] == "repeating" else None
    return {
        "id": store.new_id("di"),
        "object": "discount",
        "checkout_session": None,
        "customer": customer,
        "end": end,
        "promotion_code": code["id"] if code else None,
        "source": {"coupon": coupon["id"], "type": "coupon"},
        "start": store.now(),
        "subscription": subscription,
        "_subscription": subscription,
    }


def redeem(store: Store, discount: Body) -> Body:
    """Keep the discount and count its coupon and promotion code as used once more."""
    store.put(discount)
    for kind, identity in (("coupon", discount["source"]["coupon"]), ("promotion_code", discount["promotion_code"])):
        if identity:
            used = store.get(kind, identity)
            used["times_redeemed"] += 1
            if kind == "coupon":
                used["valid"] = coupon_valid(store, used)
            store.put(used)
    store.emit("customer.discount.created", discount)
    return discount


def apply_to_lines(store: Store, lines: list[Body], discounts: list[Body]) -> dict[str, int]:
    """Write each discount's share onto the lines; gives what each discount takes in all."""
    totals: dict[str, int] = {}
    for discount in discounts:
        coupon = store.get("coupon", discount["source"]["coupon"])
        open_ = [line["amount"] - sum(one["amount"] for one in line["discount_amounts"]) for line in lines]
        if coupon["percent_off"] is not None:
            shares = [rounded(Decimal(str(coupon["percent_off"])) * amount / 100) for amount in open_]
        else:
            shares = spread(min(coupon["amount_off"], max(sum(open_), 0)), open_)
        for line, share in zip(lines, shares, strict=True):
            if share:
                line["discount_amounts"].append({"amount": share, "discount": discount["id"]})
                line["discounts"] = [*line["discounts"], discount["id"]]
        totals[discount["id"]] = sum(shares)
    return totals


def spread(amount: int, over: list[int]) -> list[int]:
    """``amount`` split in proportion to ``over``, the remainder to the largest parts, so that the sum is exact."""
    whole = sum(over)
    if whole <= 0:
        return [0 for _ in over]
    shares = [amount * one // whole for one in over]
    rest = sorted(range(len(over)), key=lambda index: (-(amount * over[index] % whole), index))
    for index in rest[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def at_work(store: Store, subscription: Body, moment: int) -> list[Body]:
    """The subscription's discounts that an invoice of that moment has."""
    found = [store.get("discount", one) for one in subscription["discounts"]]
    return [one for one in found if one["end"] is None or moment < one["end"]]


def spend_once(store: Store, subscription: Body) -> None:
    """After an invoice: a coupon for one invoice and one whose months are over leave the subscription."""
    kept = []
    for identity in subscription["discounts"]:
        discount = store.get("discount", identity)
        coupon = store.get("coupon", discount["source"]["coupon"])
        if coupon["duration"] == "once" or (discount["end"] is not None and discount["end"] <= store.now()):
            store.emit("customer.discount.deleted", discount)
        else:
            kept.append(identity)
    subscription["discounts"] = kept
