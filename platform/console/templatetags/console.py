"""Words and colours of the console's pages."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.access import State
from billing.models import PlanPrice
from billing.plans.wording import STATE_COLORS, price_text
from console import wording
from console.models import AuditEntry
from tenants.models import TenantStep

register = template.Library()

TABS = (
    ("workspaces", "building-2", _("Workspaces")),
    ("figures", "trending-up", _("Figures")),
    ("events", "webhook", _("Events")),
    ("drift", "git-compare", _("Drift")),
    ("attention", "triangle-alert", _("Attention")),
    ("setups", "hammer", _("Setups")),
    ("announcements", "megaphone", _("Announcements")),
    ("audit", "scroll-text", _("Audit")),
)
"""The pages of the console by the names of their addresses, with icon and label."""


@dataclass(frozen=True, slots=True)
class Tab:
    """``current`` is the value of aria-current: *page* on the tab's own page, *true* on those below it, else empty."""

    href: str
    icon: str
    label: str | Promise
    current: str


@register.simple_tag
def console_tabs(path: str) -> list[Tab]:
    """The tabs, as seen from the page at a path."""
    place = path.removeprefix(reverse("console:workspaces")).partition("/")[0] or "workspaces"
    found = []
    for name, icon, label in TABS:
        href = reverse(f"console:{name}")
        current = "page" if href == path else "true" if name == place else ""
        found.append(Tab(href, icon, label, current))
    return found


@register.filter
def price(value: PlanPrice | None) -> str:
    return price_text(value)


@register.filter
def called(value: str, sort: str) -> str:
    """``{{ invoice.status|called:"invoice" }}``: see console.wording."""
    return wording.called(value, sort)


@register.filter
def access_color(state: str) -> str:
    return STATE_COLORS.get(cast(State, state), "gray")


@register.filter
def life(step: TenantStep) -> str:
    return wording.life_text(step)


@register.filter
def life_detail(step: TenantStep) -> str:
    return wording.life_detail(step)


@register.filter
def action(entry: AuditEntry) -> str:
    return wording.action_text(entry)


@register.filter
def details(entry: AuditEntry) -> Iterable[tuple[str, str]]:
    return wording.details_of(entry)


@register.filter
def audience(value: Mapping[str, Any]) -> str:
    return wording.audience_text(value)


@register.filter
def language_name(code: str) -> str:
    return str(dict(settings.LANGUAGES).get(code, code))


@register.filter
def about(entry: AuditEntry) -> str:
    return wording.about_text(entry)


@register.filter
def drift(what: str) -> str:
    return wording.drift_text(what)
