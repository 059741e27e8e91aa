"""The pages of the settings: one list for their navigation, their menu and the search inside them.

A part adds its page here, in its group, with the words that people look for it by and its sections, each with the
``id`` of its heading. ``about`` says what is on it; ``power`` is what it needs on the workspace, empty for everybody.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from django.urls import resolve, reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.workspace.text.folding import fold, sought, spelled
from tenants.actors import Actor
from tenants.models import Tenant


class Group(StrEnum):
    """In the order in which they stand."""

    PERSONAL = "personal"
    WORKSPACE = "workspace"
    PEOPLE = "people"
    SALES = "sales"
    DEVELOPERS = "developers"
    DATA = "data"

    @property
    def label(self) -> str:
        return str(GROUP_LABELS[self])


GROUP_LABELS = {
    Group.PERSONAL: _("Personal"),
    Group.WORKSPACE: _("Workspace"),
    Group.PEOPLE: _("People & rights"),
    Group.SALES: _("Sales"),
    Group.DEVELOPERS: _("Developers"),
    Group.DATA: _("Data"),
}


@dataclass(frozen=True, slots=True)
class PageSection:
    """A part of a page, found by its title and by ``words``; ``anchor`` is the id of the element to go to."""

    label: Promise
    anchor: str
    words: Promise | str = ""


@dataclass(frozen=True, slots=True)
class SettingsPage:
    slug: str
    label: Promise
    icon: str
    url_name: str
    group: Group
    about: Promise
    power: str = ""
    words: Promise | str = ""
    sections: tuple[PageSection, ...] = ()

    @property
    def href(self) -> str:
        return reverse(self.url_name)

    def open_to(self, actor: Actor) -> bool:
        if actor.tenant.state == Tenant.State.SUSPENDED and not getattr(
            resolve(self.href).func, "serves_suspended", False
        ):
            return False
        return not self.power or actor.can("workspace", self.power)


PAGES: tuple[SettingsPage, ...] = (
    SettingsPage(
        "personal",
        _("Profile"),
        "circle-user",
        "settings:personal",
        Group.PERSONAL,
        _("Name, language, time zone, formats and theme"),
        words=_("me personal account"),
        sections=(
            PageSection(_("Name, language and time zone"), "profile", _("profile colour zone")),
            PageSection(_("Numbers, dates and times"), "formats", _("format decimal comma point")),
            PageSection(_("Theme"), "theme", _("dark light appearance")),
            PageSection(_("Account"), "account", _("email password second factor sessions")),
        ),
    ),
    SettingsPage(
        "support",
        _("Support access"),
        "life-buoy",
        "settings:support",
        Group.PERSONAL,
        _("Whether our support may come in as you, and who came"),
        words=_("help operator consent visit impersonate"),
    ),
    SettingsPage(
        "changes",
        _("Your changes"),
        "history",
        "settings:changes",
        Group.PERSONAL,
        _("What you changed lately, and the way back"),
        words=_("undo redo back history recent"),
    ),
    SettingsPage(
        "notifications",
        _("Notifications"),
        "bell",
        "settings:notifications",
        Group.PERSONAL,
        _("What you are told of, where and when"),
        words=_("mail email inbox mention reminder unsubscribe"),
        sections=(
            PageSection(_("What you are told of"), "kinds", _("channels overdue assigned mentioned invited")),
            PageSection(_("Digest"), "digest", _("daily weekly summary mail")),
            PageSection(_("Quiet hours"), "quiet", _("night weekend holidays do not disturb")),
        ),
    ),
    SettingsPage(
        "calendar",
        _("Calendar feed"),
        "rss",
        "activities:calendar_feed",
        Group.PERSONAL,
        _("Your activities in another calendar"),
        words=_("ical ics subscribe google outlook apple"),
    ),
    SettingsPage(
        "workspace",
        _("General"),
        "building",
        "settings:workspace",
        Group.WORKSPACE,
        _("Name, picture, language, time zone and formats"),
        "settings",
        _("workspace company organisation"),
        (
            PageSection(_("Name, language and time zone"), "general", _("rename zone")),
            PageSection(
                _("Numbers, dates and times"), "formats", _("format decimal comma point week start monday sunday")
            ),
            PageSection(_("Picture"), "picture", _("logo image upload")),
        ),
    ),
    SettingsPage(
        "hours",
        _("Hours & holidays"),
        "calendar-clock",
        "settings:hours",
        Group.WORKSPACE,
        _("When people work, and when overdue work is told"),
        "settings",
        _("office time"),
        (
            PageSection(_("Working hours"), "hours", _("opening weekday break")),
            PageSection(_("Overdue work"), "overdue", _("escalation manager hours late task reminder")),
            PageSection(_("Holidays"), "holidays", _("public bank free day")),
        ),
    ),
    SettingsPage(
        "address",
        _("Address"),
        "globe",
        "settings:address",
        Group.WORKSPACE,
        _("Where the workspace is on the web"),
        "settings",
        _("subdomain url domain host link move"),
    ),
    SettingsPage(
        "billing",
        _("Billing"),
        "credit-card",
        "billing:index",
        Group.WORKSPACE,
        _("Plan, seats, invoices and payment"),
        "billing",
        _("subscription upgrade downgrade price cost money cancel trial limits"),
        (
            PageSection(_("Plan"), "plan", _("upgrade downgrade yearly monthly change reactivate")),
            PageSection(_("Seats"), "seats", _("members paid buy add")),
            PageSection(_("Usage"), "usage", _("limits storage contacts automations")),
            PageSection(_("Invoices"), "invoices", _("receipt pdf refund tax download")),
            PageSection(_("Payment method"), "method", _("card expired bank")),
            PageSection(_("Billing details"), "details", _("address vat id company contact email")),
            PageSection(_("Coupon"), "coupon", _("discount code promotion")),
            PageSection(_("Cancel"), "cancel", _("end leave stop subscription")),
        ),
    ),
    SettingsPage(
        "members",
        _("Members"),
        "users",
        "settings:members",
        Group.PEOPLE,
        _("Who is here, who is invited, who leaves"),
        words=_("invite people colleague manager deactivate hand over leave owner"),
    ),
    SettingsPage(
        "teams",
        _("Teams"),
        "network",
        "settings:teams",
        Group.PEOPLE,
        _("The tree of teams and their heads"),
        words=_("group department head tree"),
    ),
    SettingsPage(
        "roles",
        _("Roles"),
        "key-square",
        "settings:roles",
        Group.PEOPLE,
        _("Who may see and do what"),
        "roles",
        _("rights permissions access hidden fields read-only scope team own export bulk"),
    ),
    SettingsPage(
        "security",
        _("Security"),
        "shield-check",
        "settings:security",
        Group.PEOPLE,
        _("A second factor for everybody"),
        "settings",
        _("second factor two-factor 2fa passkey totp authenticator sign-in"),
        (PageSection(_("Second factor"), "second-factor"), PageSection(_("Members without"), "without-title")),
    ),
    SettingsPage(
        "audit",
        _("Audit"),
        "scroll-text",
        "settings:audit",
        Group.PEOPLE,
        _("Who came in, changed rights, exported"),
        "audit",
        _("log sign-in history export security who did what"),
    ),
    SettingsPage(
        "pipelines",
        _("Pipelines"),
        "square-kanban",
        "settings:pipelines",
        Group.SALES,
        _("Stages, what they ask of a deal, and reasons for losing"),
        "settings",
        _("order probability stale guidance rules of entry archive copy board"),
        (
            PageSection(_("Add a pipeline"), "add", _("new copy")),
            PageSection(_("Reasons for losing"), "reasons", _("lost why")),
        ),
    ),
    SettingsPage(
        "currencies",
        _("Currencies"),
        "coins",
        "settings:currencies",
        Group.SALES,
        _("Rates by day, and the currency of sums"),
        "settings",
        _("money exchange euro dollar"),
        (
            PageSection(_("Currencies in use"), "in-use", _("add remove")),
            PageSection(_("Set a rate"), "rate", _("exchange rate day")),
            PageSection(_("Rates from a file"), "file", _("import csv xml central bank ecb")),
            PageSection(_("The workspace's currency"), "own", _("sums base default")),
        ),
    ),
    SettingsPage(
        "api",
        _("API"),
        "key-round",
        "api_settings:index",
        Group.DEVELOPERS,
        _("Keys, examples and the reference"),
        "api_keys",
        _("tokens curl"),
    ),
    SettingsPage(
        "sample",
        _("Sample data"),
        "flask-conical",
        "settings:data",
        Group.DATA,
        _("To look around with, cleared with one click"),
        "sample_data",
        _("demo example"),
    ),
    SettingsPage(
        "trash",
        _("Trash"),
        "trash-2",
        "records:trash",
        Group.DATA,
        _("What was deleted, to be brought back"),
        words=_("deleted restore"),
    ),
)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a search inside the settings finds: a page, or a section of one."""

    page: SettingsPage
    label: str
    href: str


def search(actor: Actor, text: str) -> list[Hit]:
    """Pages open to the actor, and their sections, of which title or words hold every word of the text."""
    wanted = [sought(word) for word in text.split()]
    hits: list[Hit] = []
    for page in open_pages(actor) if wanted else ():
        places = [
            (page.label, f"{page.about} {page.words}", ""),
            *((one.label, one.words, one.anchor) for one in page.sections),
        ]
        for label, words, anchor in places:
            known = f"{label} {words}"
            if all(one.plain in fold(known) or (one.other and one.other in spelled(known)) for one in wanted):
                hits.append(Hit(page, str(label), f"{page.href}#{anchor}" if anchor else page.href))
    return hits


def open_pages(actor: Actor, pages: Iterable[SettingsPage] = PAGES) -> list[SettingsPage]:
    """The pages that the actor may open, group by group."""
    order = list(Group)
    return sorted((page for page in pages if page.open_to(actor)), key=lambda page: order.index(page.group))
