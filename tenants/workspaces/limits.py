"""What a plan counts and what it includes: room under its limits, its features, and how much of each is used.

Higher floors say in ``ready()`` how their things are counted (``usage_register``) and which plan offers more
(``plan_with``).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import ClassVar

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from tenants.actors import TenantRef
from tenants.registration import Hook, Table
from tenants.workspaces.entitlements import LIMITS, NotEntitled

LIMIT_LABELS: Mapping[str, Promise] = {
    "seats": gettext_lazy("Seats"),
    "contacts": gettext_lazy("Contacts"),
    "pipelines": gettext_lazy("Pipelines"),
    "custom_fields": gettext_lazy("Fields of your own"),
    "record_types": gettext_lazy("Record types of your own"),
    "automations": gettext_lazy("Automations"),
    "storage_mb": gettext_lazy("Storage for files"),
    "api_reads_per_minute": gettext_lazy("API requests a minute that read"),
    "api_writes_per_minute": gettext_lazy("API requests a minute that write"),
    "mails_per_minute": gettext_lazy("Mails a minute"),
    "history_days": gettext_lazy("Days that the audit and the API's events reach back"),
}
"""Every limit by what people call it, in the order in which they are shown."""
FEATURES: Mapping[str, Promise] = {
    "teams": gettext_lazy("Teams"),
    "custom_roles": gettext_lazy("Roles of your own"),
    "audit_log": gettext_lazy("Audit"),
}
"""What a plan may include or leave out, by what people call it. What keeps a workspace safe is in every plan."""
REACHED: Mapping[str, Promise] = {
    "seats": ngettext_lazy(
        "The one seat of your plan is taken. Revoke an invitation, or add seats.",
        "All %(most)s seats of your plan are taken. Deactivate somebody, revoke an invitation or add seats.",
        "number",
    ),
    "contacts": ngettext_lazy(
        "Your plan holds %(most)s contact, and this workspace has %(used)s: no more can be added. "
        "Deleting some makes room; so does a larger plan.",
        "Your plan holds %(most)s contacts, and this workspace has %(used)s: no more can be added. "
        "Deleting some makes room; so does a larger plan.",
        "number",
    ),
    "pipelines": ngettext_lazy(
        "Your plan holds %(most)s pipeline, and this workspace has %(used)s: no more can be added. "
        "Archiving one makes room; so does a larger plan.",
        "Your plan holds %(most)s pipelines, and this workspace has %(used)s: no more can be added. "
        "Archiving one makes room; so does a larger plan.",
        "number",
    ),
    "storage_mb": gettext_lazy(
        "Your plan holds %(most)s of files, and this workspace has %(used)s: no more can be stored. "
        "Removing some makes room; so does a larger plan."
    ),
}
MB_IN_A_GB = 1000
OTHER_REACHED = gettext_lazy(
    "%(limit)s: your plan goes as far as %(most)s, and this workspace has %(used)s. "
    "Removing some makes room; so does a larger plan."
)


def amount_text(limit: str, amount: int, number: Callable[[Decimal | int], str] = "{:,}".format) -> str:
    """An amount of a limit as people read it, with its unit where it has one: files in MB, from 1,000 on in GB.

    ``number`` writes a number as the reader does.
    """
    if limit != "storage_mb":
        return number(amount)
    if amount < MB_IN_A_GB:
        return _("%(size)s MB") % {"size": number(amount)}
    gigabytes = round(Decimal(amount) / MB_IN_A_GB, 1)
    is_whole = gigabytes == int(gigabytes)
    return _("%(size)s GB") % {"size": number(int(gigabytes) if is_whole else gigabytes)}


class LimitReached(NotEntitled):
    """A plan's limit leaves no room for what was to be added; nothing was."""

    code: ClassVar[str] = "plan_limit"

    def __init__(self, limit: str, *, most: int, used: int) -> None:
        facts = {
            "limit": LIMIT_LABELS[limit],
            "number": most,
            "most": amount_text(limit, most),
            "used": amount_text(limit, used),
        }
        super().__init__(REACHED.get(limit, OTHER_REACHED) % facts, param=limit)
        self.limit = limit
        self.most = most
        self.used = used


class FeatureMissing(NotEntitled):
    """A plan does not include what was asked for."""

    code: ClassVar[str] = "plan_feature"

    def __init__(self, feature: str) -> None:
        plan = plan_with(feature)
        text = (
            _("“%(feature)s” is not part of your plan. It comes with the plan %(plan)s.")
            if plan
            else _("“%(feature)s” is not part of your plan.")
        )
        super().__init__(text % {"feature": FEATURES[feature], "plan": plan}, param=feature)
        self.feature = feature


def require_room(tenant: TenantRef, limit: str, *, used: int, adding: int = 1) -> None:
    """Raise LimitReached unless so many more fit under the workspace's limit, of which there may be none.

    ``used`` was counted where no other could add at the same time.
    """
    most = tenant.limits.get(limit)
    if most is not None and adding > 0 and used + adding > most:
        raise LimitReached(limit, most=most, used=used)


def require_feature(tenant: TenantRef, feature: str) -> None:
    """Raise FeatureMissing unless the workspace's plan includes it."""
    if not tenant.has_feature(feature):
        raise FeatureMissing(feature)


def history_from(tenant: TenantRef) -> datetime | None:
    """From when on the plan shows what happened, in the audit and the API's events; None is from the beginning.

    What is older is kept, and shown again under a plan that reaches back as far.
    """
    days = tenant.limits.get("history_days")
    return None if days is None else timezone.now() - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of a limit is used. ``most`` None is no limit."""

    limit: str
    label: str
    used: int
    most: int | None

    @property
    def is_full(self) -> bool:
        return self.most is not None and self.used >= self.most

    @property
    def is_over(self) -> bool:
        """More than the plan holds, as after a change to a smaller one: it stays, and nothing is added."""
        return self.most is not None and self.used > self.most


type Counter = Callable[[TenantRef], int]

counters = Table[Counter]("counter")
"""How what is used of a limit is counted, by the limit."""


def usage_register(limit: str, counter: Counter) -> None:
    """Have what a limit is of be counted by ``counter``, which runs in the workspace's scope. Raises ValueError for a
    limit that there is not, ImproperlyConfigured for one that is counted already."""
    if limit not in LIMITS:
        raise ValueError(f"There is no limit named {limit}.")
    counters.add(limit, counter)


def usage_of(tenant: TenantRef, limit: str) -> Usage:
    """How much of one limit is used, inside the workspace's scope. Raises KeyError for one that nobody counts."""
    return Usage(limit, str(LIMIT_LABELS[limit]), counters[limit](tenant), tenant.limits.get(limit))


def usage(tenant: TenantRef) -> list[Usage]:
    """How much is used of everything that is counted, inside the workspace's scope: a statement or two for each."""
    return [usage_of(tenant, limit) for limit in LIMIT_LABELS if limit in counters]


@Hook
def plan_with(name: str, used: int | None = None) -> str:
    """The name of the smallest plan that has the feature, or the limit with room above ``used``; empty for none."""
    return ""
