"""Which plan to choose for more, as the rest of the product tells it."""

from billing.plans.catalog import PLANS


def plan_offering(name: str, used: int | None = None) -> str:
    """The name of the smallest plan that has the feature ``name``, or room above ``used`` under that limit."""
    for offer in PLANS:
        if used is None:
            if name in offer.features:
                return offer.name
        elif offer.limits.get(name, used + 1) > used:
            return offer.name
    return ""
