"""What a page tells beside a control that the plan does not have: what it would need, and what the reader can do."""

from dataclasses import dataclass

from crm.workspace.people.selectors import payment_remedy
from tenants.actors import Actor
from tenants.workspaces.entitlements import NotEntitled
from tenants.workspaces.limits import LimitReached, require_feature, require_room, usage_of


@dataclass(frozen=True, slots=True)
class PlanNeed:
    """For ``components/plan_need.html``. ``where`` is the page with the plans, for who may choose one."""

    text: str
    where: str

    @classmethod
    def of(cls, actor: Actor, error: NotEntitled) -> "PlanNeed":
        if actor.can("workspace", "billing"):
            return cls(error.message, error.where)
        return cls(f"{error.message} {payment_remedy(actor)}", "")


def feature_need(actor: Actor, feature: str) -> PlanNeed | None:
    """What a feature would need; None where the plan has it."""
    try:
        require_feature(actor.tenant, feature)
    except NotEntitled as error:
        return PlanNeed.of(actor, error)
    return None


def room_need(actor: Actor, limit: str) -> PlanNeed | None:
    """What one more would need; None where there is room, or no such limit."""
    missing = missing_room(actor, limit)
    return None if missing is None else PlanNeed.of(actor, missing)


def missing_room(actor: Actor, limit: str) -> LimitReached | None:
    """What adding one more would raise; None where there is room, or no such limit."""
    if limit not in actor.tenant.limits:
        return None
    try:
        require_room(actor.tenant, limit, used=usage_of(actor.tenant, limit).used)
    except LimitReached as reached:
        return reached
    return None
