"""What templates build pages from: icons, formats, people, and components with a body."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django import template
from django.contrib.messages.storage.base import Message
from django.template.context import Context
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

from crm.workspace.colors import COLORS, tint
from crm.workspace.text import formats
from tenants.workspaces.limits import amount_text

MESSAGE_KINDS = {"success": "success", "warning": "warning", "error": "error"}
UNDO_TAG = "undo:"
REDO_TAG = "redo:"

register = template.Library()


@lru_cache(maxsize=512)
def _icon(name: str, size: int, css: str) -> SafeString:
    attributes = {"aria_hidden": "true", "focusable": "false", "stroke_width": "1.75"}
    if css:
        attributes["class"] = css
    return mark_safe(lucide(name, size=size, **attributes))  # noqa: S308 - an icon of the package, no input


@register.simple_tag
def icon(name: str, size: int = 16, css: str = "") -> SafeString:
    """An icon by its lucide name; decoration only, so give what it stands on a name of its own."""
    return _icon(str(name), int(size), str(css))


@register.filter
def money(amount: Decimal | int | None, currency: str) -> str:
    """``{{ deal.amount|money:deal.currency }}``"""
    return formats.money_text(amount, currency)


@register.filter
def money_exact(amount: Decimal | int | None, currency: str) -> str:
    """To the cent, as amounts stand on invoices and below each other."""
    return formats.money_text(amount, currency, exact=True)


@register.filter
def money_short(amount: Decimal | int | None, currency: str) -> str:
    return formats.money_text(amount, currency, compact=True)


@register.filter
def rate(value: Decimal) -> str:
    """A number with all its digits."""
    return formats.rate_text(value)


@register.filter
def by_currency(sums: Mapping[str, Decimal], first: str) -> str:
    """Sums of several currencies in a line, that of ``first`` before the others."""
    found = sorted(
        ((code or first, amount) for code, amount in sums.items() if amount), key=lambda one: one[0] != first
    )
    return " · ".join(formats.money_text(amount, code) for code, amount in found)


@register.filter
def number(value: Decimal | int | float | None) -> str:
    return "" if value is None else formats.number_text(value)


@register.filter
def amount(value: int, limit: str) -> str:
    """So much of a plan's limit, with its unit."""
    return amount_text(limit, value, formats.number_text)


@register.filter
def when(value: date | datetime | None) -> SafeString | str:
    """A day or a moment, in full, in the reader's zone and language."""
    if value is None:
        return ""
    text = formats.moment_text(value) if isinstance(value, datetime) else formats.date_text(value)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), text)


@register.filter
def day(value: date | datetime | None) -> SafeString | str:
    """A day, short."""
    if value is None:
        return ""
    local = timezone.localtime(value).date() if isinstance(value, datetime) else value
    return format_html('<time datetime="{}">{}</time>', local.isoformat(), formats.day_text(local))


@register.filter
def date_plain(value: datetime) -> str:
    """A day as text, for mails."""
    return formats.date_text(timezone.localtime(value).date())


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """How long ago or how soon, with the exact moment as its title."""
    if value is None:
        return ""
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.isoformat(),
        formats.moment_text(value),
        formats.ago_text(value),
    )


@register.filter
def initials(name: str) -> str:
    return formats.initials(str(name))


register.filter(tint)


@register.simple_tag
def avatar(name: str, color: str = "", size: int = 20, shape: str = "") -> SafeString:
    """A picture made of somebody's initials. ``size`` 20, 24, 28 or 40; ``shape`` "square" for companies."""
    return format_html(
        '<span class="avatar avatar-{}{}" data-color="{}" aria-hidden="true">{}</span>',
        size,
        " avatar-square" if shape == "square" else "",
        color if color in COLORS else tint(name),
        initials(name),
    )


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The page's own query string with some parameters set, or left out when None: ``{% query sort="name" %}``."""
    parameters = context["request"].GET.copy()
    for name, value in changes.items():
        if value is None or value == "":
            parameters.pop(name, None)
        elif isinstance(value, (list, tuple)):
            parameters.setlist(name, [str(one) for one in value])
        else:
            parameters[name] = str(value)
    return f"?{parameters.urlencode()}"


@register.filter
def message_kind(message: Message) -> str:
    return MESSAGE_KINDS.get(message.level_tag, "info")


@register.filter
def message_undo(message: Message) -> str:
    """The address that undoes what a message tells of, from its extra tag ``undo:/undo/…/``."""
    return _tagged(message, UNDO_TAG)


@register.filter
def message_redo(message: Message) -> str:
    """The address that does again what a message says was undone, from its extra tag ``redo:/undo/…/``."""
    return _tagged(message, REDO_TAG)


def _tagged(message: Message, name: str) -> str:
    tags: Iterable[str] = (message.extra_tags or "").split()
    return next((tag.removeprefix(name) for tag in tags if tag.startswith(f"{name}/")), "")


def _component(name: str, content: str, values: Mapping[str, Any]) -> SafeString:
    return render_to_string(f"components/{name}.html", {**values, "content": content})


@register.simple_block_tag
def card(
    content: str, title: str = "", icon: str = "", actions: str = "", flush: bool = False, id: str = ""
) -> SafeString:
    """A panel with a heading. ``flush`` leaves the padding to the content."""
    return _component("card", content, {"title": title, "icon": icon, "actions": actions, "flush": flush, "id": id})


@register.simple_block_tag
def menu(
    content: str,
    id: str,
    label: str = "",
    title: str = "",
    icon: str = "",
    css: str = "btn-ghost",
    hotkey: str = "",
) -> SafeString:
    """A button and the menu it opens, filled with ``.menu-item`` links and buttons.

    ``title`` is the button's accessible name when it shows no ``label``.
    """
    return _component(
        "menu", content, {"id": id, "label": label, "title": title, "icon": icon, "css": css, "hotkey": hotkey}
    )


@register.simple_block_tag
def field(content: str, label: str, id: str, help: str = "", errors: Any = (), required: bool = False) -> SafeString:
    """A labelled control written by hand. Give the control the same id and ``aria-describedby="<id>-note"``."""
    return _component(
        "field_frame",
        content,
        {"label": label, "id": id, "help": help, "errors": list(errors or ()), "required": required},
    )
