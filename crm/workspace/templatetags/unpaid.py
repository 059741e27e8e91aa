"""What the pages of a workspace that is not paid for show as not working."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django import template
from django.conf import settings
from django.template.context import Context
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm.workspace.people.selectors import payment_remedy
from tenants.actors import Actor
from tenants.web.access import WRITING, Needs, declared
from tenants.workspaces.entitlements import NotEntitled, why_not_writable

register = template.Library()


@register.simple_tag(takes_context=True)
def unpaid_controls(context: Context) -> SafeString | str:
    """Attributes for ``body`` that static/js/unpaid.js reads: what to say, and which addresses work all the same."""
    actor: Actor | None = context.get("actor")
    why = why_not_writable(actor.tenant) if actor else None
    if actor is None or why is None:
        return ""
    works, forms = addresses()
    may_pay = actor.can("workspace", "billing")
    return format_html(
        ' data-unpaid="{}" data-unpaid-works="{}" data-unpaid-forms="{}" data-unpaid-url="{}" data-unpaid-label="{}"',
        f"{why} {payment_remedy(actor)}",
        works,
        forms,
        NotEntitled.where if may_pay else "",
        _("Open billing") if may_pay else "",
    )


@cache
def addresses() -> tuple[str, str]:
    """As patterns: the addresses whose views write though nobody pays, and those that only open the form of a write."""
    views = list(_views(get_resolver(settings.TENANT_URLCONF), ""))
    works = [path for path, view in views if getattr(view, "writes_unpaid", False)]
    forms = [path for path, view in views if _is_form(view)]
    return _pattern(works), _pattern(forms)


def _views(resolver: URLResolver, before: str) -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = before + str(entry.pattern)
        if isinstance(entry, URLPattern):
            yield path, entry.callback
        else:
            yield from _views(entry, path)


def _is_form(view: Any) -> bool:
    needed = declared(view)
    return isinstance(needed, Needs) and needed.action in WRITING


def _pattern(paths: list[str]) -> str:
    return f"^/({'|'.join(re.sub(r'<[^>]+>', '[^/]+', path) for path in paths)})$"
