"""Where one can go from any page, in the order of the sidebar."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.settings.pages import SettingsPage, open_pages, search
from tenants.actors import Actor
from tenants.models import Tenant

register = template.Library()


@dataclass(frozen=True, slots=True)
class Entry:
    slug: str
    label: str
    icon: str
    href: str
    hotkey: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class Navigation:
    """``main`` and ``records`` are the sidebar, ``create`` what the actor may create, ``keys`` all a key goes to."""

    main: list[Entry]
    records: list[Entry]
    settings: list[Entry]
    create: list[Entry]
    search: str
    palette: str
    appearance: str
    sign_out: str
    personal: str
    sample: str
    ends_support: bool
    billing: str

    @property
    def keys(self) -> list[Entry]:
        return [one for one in (*self.main, *self.records) if one.hotkey]


@dataclass(frozen=True, slots=True)
class SettingsPart:
    """A section of a settings page, shown when a search finds it."""

    label: str
    href: str
    words: str
    found: bool


@dataclass(frozen=True, slots=True)
class SettingsEntry:
    """A page of the settings as its navigation shows it; ``words`` is what a search finds it by."""

    slug: str
    label: str
    about: str
    icon: str
    href: str
    group: str
    words: str = field(default="", repr=False)
    current: bool = False
    found: bool = True
    parts: tuple[SettingsPart, ...] = ()


def _is_current(path: str, href: str) -> bool:
    return path == href if href == "/" else path.startswith(href)


def shown_types(actor: Actor) -> list[RecordType]:
    """The record types with a place in the sidebar that the actor may see something of."""
    return [
        record_type for record_type in registry.all() if record_type.in_sidebar and actor.can(record_type.slug, "view")
    ]


def settings_entries(actor: Actor, path: str = "", text: str = "") -> list[SettingsEntry]:
    """The pages of the settings that are open to the actor, group by group; with ``text``, those where it is found."""
    found = {hit.href for hit in search(actor, text)}

    def parts(page: SettingsPage) -> Iterator[SettingsPart]:
        for one in page.sections:
            href = f"{page.href}#{one.anchor}"
            yield SettingsPart(str(one.label), href, str(one.words), href in found)

    entries = [
        SettingsEntry(
            page.slug,
            str(page.label),
            str(page.about),
            page.icon,
            page.href,
            page.group.label,
            f"{page.about} {page.words}",
            _is_current(path, page.href),
            not text or page.href in found,
            tuple(parts(page)),
        )
        for page in open_pages(actor)
    ]
    return [one for one in entries if one.found or any(part.found for part in one.parts)]


def navigation_of(actor: Actor | None, path: str) -> Navigation:
    """Everything the shell links to, as far as the actor may go there; ``path`` is the present page's.

    In a suspended workspace that is what is open until it is deleted; its home page says what.
    """

    def entry(slug: str, label: str, icon: str, href: str, hotkey: str = "") -> Entry:
        return Entry(slug, label, icon, href, hotkey, _is_current(path, href))

    suspended = actor is not None and actor.tenant.state == Tenant.State.SUSPENDED
    types = shown_types(actor) if actor and not suspended else []
    plans = any(record_type.slug in {"task", "call", "meeting"} for record_type in types)
    calendar = entry("calendar", _("Calendar"), "calendar-days", reverse("activities:calendar"), "g e")
    sections = settings_entries(actor) if actor else []
    return Navigation(
        main=[
            entry("home", _("Home"), "house", reverse("home"), "g h"),
            *([calendar] if plans else []),
            *([] if suspended else [entry("inbox", _("Inbox"), "inbox", reverse("inbox"), "g i")]),
            entry("settings", _("Settings"), "settings", reverse("settings:index"), "g s"),
        ],
        records=[
            entry(
                record_type.slug,
                str(record_type.label_plural),
                record_type.icon,
                reverse("records:list", args=[record_type.plural]),
                f"g {record_type.shortcut}" if record_type.shortcut else "",
            )
            for record_type in types
        ],
        settings=[Entry(one.slug, one.label, one.icon, one.href) for one in sections],
        create=[
            Entry(
                record_type.slug,
                _("New %(noun)s") % {"noun": str(record_type.label).lower()},
                record_type.icon,
                reverse("records:new", args=[record_type.plural]),
                f"c {record_type.shortcut}",
            )
            for record_type in types
            if record_type.shortcut and actor and actor.can(record_type.slug, "create")
        ],
        search=reverse("records:search"),
        palette=reverse("palette"),
        appearance=reverse("appearance"),
        sign_out=reverse("signout"),
        personal=reverse("settings:personal"),
        ends_support=actor is not None and actor.can("workspace", "owners"),
        sample=next((one.href for one in sections if one.slug == "sample"), ""),
        billing=next((one.href for one in sections if one.slug == "billing"), ""),
    )


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> Navigation:
    return navigation_of(context.get("actor"), context["request"].path)


@register.simple_tag(takes_context=True)
def settings_navigation(context: Context) -> list[SettingsEntry]:
    """The settings' own list, with the present page marked."""
    actor: Actor | None = context.get("actor")
    return settings_entries(actor, context["request"].path) if actor else []
