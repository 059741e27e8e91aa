"""Products and prices at Stripe: one product a plan, and a price by lookup key for each interval and currency."""

from billing import stripe_reads, stripe_writes
from billing.models import Plan, PlanPrice
from billing.money import Money
from billing.outgoing import Fetched, Params
from tenants.db.scopes import shared

KEYS_A_CALL = 10


@shared()
def prices_sync() -> int:
    """Make at Stripe what is sold and not there yet, or there at another amount; how many prices were made.

    A price at Stripe cannot be changed: a new one takes over the lookup key, and who subscribed before keeps the old.
    Raises StripeAway and StripeRefused.
    """
    prices = list(PlanPrice.objects.select_related("plan").filter(plan__is_sold=True).order_by("plan__rank", "id"))
    known: dict[str, Fetched] = {}
    for start in range(0, len(prices), KEYS_A_CALL):
        keys = [one.lookup_key for one in prices[start : start + KEYS_A_CALL]]
        known |= {one["lookup_key"]: one for one in stripe_reads.prices_with_keys(keys)}
    made = 0
    products: set[str] = set()
    for price in prices:
        found = known.get(price.lookup_key)
        if found is None or not _is_same(found, price):
            if price.plan.code not in products:
                _product_ensure(price.plan)
                products.add(price.plan.code)
            found = stripe_writes.price_create(price_params(price))
            made += 1
        if price.stripe_price_id != found["id"]:
            PlanPrice.objects.filter(id=price.id).update(stripe_price_id=found["id"])
    return made


def price_ensure(price: PlanPrice) -> str:
    """Stripe's id of a price; where there is none, all that is sold is brought to Stripe first."""
    if not price.stripe_price_id:
        prices_sync()
        price.refresh_from_db(fields=["stripe_price_id"])
    return price.stripe_price_id


def product_id(plan: Plan) -> str:
    return f"rapport_{plan.code}"


def _is_same(found: Fetched, price: PlanPrice) -> bool:
    wanted = Money(price.amount, price.currency)
    return bool(
        found["unit_amount"] == wanted.coins
        and found["currency"] == price.currency.lower()
        and (found["recurring"] or {}).get("interval") == price.interval
    )


def _product_ensure(plan: Plan) -> None:
    if stripe_reads.product_find(product_id(plan)) is None:
        stripe_writes.product_create(product_params(plan))


def product_params(plan: Plan) -> Params:
    return {"id": product_id(plan), "name": f"Rapport {plan.name}"}


def price_params(price: PlanPrice) -> Params:
    return {
        "product": product_id(price.plan),
        "currency": price.currency.lower(),
        "unit_amount": Money(price.amount, price.currency).coins,
        "recurring": {"interval": str(price.interval)},
        "lookup_key": price.lookup_key,
        "transfer_lookup_key": True,
        "tax_behavior": "exclusive",
        "metadata": {"plan": price.plan.code},
    }
