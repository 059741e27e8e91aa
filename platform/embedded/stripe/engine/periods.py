"""When a subscription wants to be looked at again, and its keeping."""

from typing import Any

from embedded.stripe.clock import DAY, HOUR
from embedded.stripe.store import Body, Store

FIRST_PAYMENT = 23 * HOUR
TRIAL_WARNING = 3 * DAY
OVER = {"canceled", "incomplete_expired"}


def period_end(subscription: Body) -> int:
    return min(int(item["current_period_end"]) for item in subscription["items"]["data"])


def look_at(subscription: Body) -> int | None:
    """The next moment at which something happens to it by itself."""
    status = subscription["status"]
    if status in OVER:
        return None
    if status == "incomplete":
        return int(subscription["created"] + FIRST_PAYMENT)
    moments = [subscription["cancel_at"], (subscription["pending_update"] or {}).get("expires_at")]
    moments.append((subscription["pause_collection"] or {}).get("resumes_at"))
    if status == "trialing":
        moments.append(subscription["trial_end"])
        if not subscription.get("_warned"):
            moments.append(subscription["trial_end"] - TRIAL_WARNING)
    elif status != "paused":
        moments.append(period_end(subscription))
    return min((moment for moment in moments if moment is not None), default=None)


def save(
    store: Store, subscription: Body, *, event: str | None = "customer.subscription.updated", **fields: Any
) -> Body:
    """Set ``fields``, keep the subscription with its next moment, and note ``event`` if anything changed."""
    subscription.update(fields)
    due = look_at(subscription)
    return store.update(subscription, event, _due=None if due is None else max(due, store.now()))
