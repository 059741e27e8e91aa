"""Where one can go from any page, in the order of the sidebar."""

from dataclasses import dataclass, field

from django import template
from django.template.context import Context
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.records.types import RecordType, registry
from tenants.actors import Actor

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

    @property
    def keys(self) -> list[Entry]:
        return [one for one in (*self.main, *self.records) if one.hotkey]


@dataclass(frozen=True, slots=True)
class SettingsSection:
    """A page of the settings. ``power`` is what it needs on the workspace, ``words`` what a search finds it by."""

    slug: str
    label: str
    icon: str
    href: str
    group: str
    words: str = field(default="", repr=False)
    current: bool = False


def _is_current(path: str, href: str) -> bool:
    return path == href if href == "/" else path.startswith(href)


def shown_types(actor: Actor) -> list[RecordType]:
    """The record types with a place in the sidebar that the actor may see something of."""
    return [rt for rt in registry.all() if rt.in_sidebar and actor.can(rt.slug, "view")]


def settings_sections(actor: Actor, path: str = "") -> list[SettingsSection]:
    """The pages of the settings that are open to the actor."""
    you, company, sales, makers, data = _("You"), _("Workspace"), _("Sales"), _("Developers"), _("Data")
    rows = (
        ("personal", _("Personal"), "circle-user", "settings:personal", "", you, _("name language time zone theme")),
        (
            "workspace",
            _("Workspace"),
            "building",
            "settings:workspace",
            "settings",
            company,
            _("name currency language"),
        ),
        ("members", _("Members & roles"), "users", "settings:members", "members", company, _("invite people manager")),
        (
            "pipelines",
            _("Pipelines"),
            "square-kanban",
            "settings:pipelines",
            "settings",
            sales,
            _("stages lost reasons"),
        ),
        ("api", _("API"), "key-round", "api_settings:index", "api_keys", makers, _("keys tokens curl reference")),
        ("sample", _("Sample data"), "flask-conical", "settings:data", "sample_data", data, _("demo example clear")),
        ("trash", _("Trash"), "trash-2", "records:trash", "", data, _("deleted restore")),
    )
    found = []
    for slug, label, icon, name, power, group, words in rows:
        if not power or actor.can("workspace", power):
            href = reverse(name)
            found.append(SettingsSection(slug, label, icon, href, group, words, _is_current(path, href)))
    return found


def navigation_of(actor: Actor | None, path: str) -> Navigation:
    """Everything the shell links to, as far as the actor may go there; ``path`` is the present page's."""

    def entry(slug: str, label: str, icon: str, href: str, hotkey: str = "") -> Entry:
        return Entry(slug, label, icon, href, hotkey, _is_current(path, href))

    types = shown_types(actor) if actor else []
    sections = settings_sections(actor) if actor else []
    return Navigation(
        main=[
            entry("home", _("Home"), "house", reverse("home"), "g h"),
            entry("inbox", _("Inbox"), "inbox", reverse("inbox"), "g i"),
            entry("settings", _("Settings"), "settings", reverse("settings:index"), "g s"),
        ],
        records=[
            entry(
                rt.slug,
                str(rt.label_plural),
                rt.icon,
                reverse("records:list", args=[rt.plural]),
                f"g {rt.shortcut}" if rt.shortcut else "",
            )
            for rt in types
        ],
        settings=[Entry(one.slug, one.label, one.icon, one.href) for one in sections],
        create=[
            Entry(
                rt.slug,
                _("New %(noun)s") % {"noun": str(rt.label).lower()},
                rt.icon,
                reverse("records:new", args=[rt.plural]),
                f"c {rt.shortcut}",
            )
            for rt in types
            if rt.shortcut and actor and actor.can(rt.slug, "create")
        ],
        search=reverse("records:search"),
        palette=reverse("palette"),
        appearance=reverse("appearance"),
        sign_out=reverse("signout"),
        personal=reverse("settings:personal"),
        sample=next((one.href for one in sections if one.slug == "sample"), ""),
    )


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> Navigation:
    return navigation_of(context.get("actor"), context["request"].path)


@register.simple_tag(takes_context=True)
def settings_navigation(context: Context) -> list[SettingsSection]:
    """The settings' own list, with the present page marked."""
    actor: Actor | None = context.get("actor")
    return settings_sections(actor, context["request"].path) if actor else []
