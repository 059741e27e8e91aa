"""Views: how the records of a noun are looked at.

Some are built in, others are saved by a member for themselves, for their team or for everyone; which of them are tabs,
and which opens first, everyone chooses for themselves.

A view never shows more than its reader may see: of fields that are gone or hidden from them nothing is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from crm.records.access.visibility import hidden_slugs, may_read, readable_quick_filters
from crm.records.display.presenting import shown_fields
from crm.records.errors import BadQuery, Forbidden, MissingScope, NotFound
from crm.records.models import SavedView, ViewChoice
from crm.records.query.language import parse, validate
from crm.records.query.paging import sortable_fields
from crm.records.schema.field import SYSTEM_FIELDS, Field
from crm.records.schema.kinds import SORTABLE, Kind
from crm.records.schema.record_type import RecordType
from crm.workspace.models import Member, Team
from tenants.actors import Actor

MAX_VIEWS = 100
MAX_COLUMNS = 20
MAX_SORTS = 3
MAX_CARD_FIELDS = 6
ALL, MINE, DONE = "all", "mine", "done"
LISTED_SYSTEM_FIELDS = ("created_at", "updated_at", "created_by")
GROUPED_KINDS = frozenset({Kind.CHOICE, Kind.RELATION, Kind.MEMBER, Kind.DATE, Kind.DATETIME, Kind.BOOLEAN})
SUMMED_KINDS = frozenset({Kind.MONEY, Kind.DECIMAL, Kind.INTEGER, Kind.PERCENT})
RANGED_KINDS = SUMMED_KINDS | {Kind.DATE, Kind.DATETIME}
NO_FOOTER = "none"
FOOTERS = ("sum", "average", "min", "max", "count", "empty", NO_FOOTER)


@dataclass(frozen=True)
class View:
    """A view as its reader may have it. ``key`` is ``all``, ``mine``, ``done`` or the id of a saved one.

    ``columns``, ``card_fields`` and ``sort`` are field slugs, empty for the type's own choice. ``dropped`` says in
    words what was left out.
    """

    key: str
    name: str
    layout: str = "list"
    filter: Mapping[str, Any] | None = None
    sort: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    grouping: str = ""
    footers: Mapping[str, str] = field(default_factory=dict)
    card_fields: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    sharing: str = ""
    owner_id: UUID | None = None
    may_change: bool = False
    dropped: tuple[str, ...] = ()

    @property
    def is_built_in(self) -> bool:
        return self.owner_id is None


class Views:
    """The views of a noun, as one reader has them."""

    def __init__(self, actor: Actor, record_type: RecordType) -> None:
        self.actor = actor
        self.record_type = record_type

    @cached_property
    def choice(self) -> ViewChoice:
        """What the reader chose; a blank one when they have not."""
        found = None
        if self.actor.member_id is not None:
            found = ViewChoice.objects.filter(member_id=self.actor.member_id, noun=self.record_type.slug).first()
        return found or ViewChoice(noun=self.record_type.slug)

    @cached_property
    def saved(self) -> list[SavedView]:
        return list(seen(self.actor, self.record_type).order_by("created_at", "id")[: 2 * MAX_VIEWS])

    @cached_property
    def built_in(self) -> list[View]:
        return built_in(self.actor, self.record_type)

    @cached_property
    def default(self) -> str:
        return self.choice.default if self.choice.default in self.keys else ALL

    def layout(self, key: str) -> str:
        """How a view is shown, blank for a built-in one: it fits any layout."""
        return next((one.layout for one in self.saved if str(one.pk) == key and self.record_type.board_field), "")

    @property
    def opens_on_board(self) -> bool:
        """Whether the reader's first view is a board."""
        return self.layout(self.default) == SavedView.Layout.BOARD

    def first(self, layout: str) -> str:
        """The view that a list or a board opens with."""
        return self.default if self.layout(self.default) in ("", layout) else ALL

    @cached_property
    def keys(self) -> list[str]:
        """All views in the reader's order: those they have not placed come last."""
        known = [*(one.key for one in self.built_in), *(str(one.pk) for one in self.saved)]
        placed = [key for key in self.choice.tabs if key in known]
        return [*placed, *(key for key in known if key not in placed)]

    @property
    def tabs(self) -> list[str]:
        return [key for key in self.keys if key not in self.choice.hidden]

    def name(self, key: str) -> str:
        named = {one.key: one.name for one in self.built_in} | {str(one.pk): one.name for one in self.saved}
        return named[key]

    def get(self, key: str, layout: str = SavedView.Layout.LIST) -> View:
        """The view with that key, for a blank one what the layout opens with. Raises NotFound."""
        key = key or self.first(layout)
        for one in self.built_in:
            if one.key == key:
                return (
                    one
                    if not self.choice.columns
                    else with_columns(self.actor, self.record_type, one, self.choice.columns)
                )
        found = next((one for one in self.saved if str(one.pk) == key), None)
        if found is None:
            raise NotFound(
                _("There is no such view, or it is not shared with you. Ask who sent you the link to share it.")
            )
        return view_of(self.actor, self.record_type, found)

    def get_whole(self, key: str) -> View:
        """A view as ``get``, for who does not look at what was left out of it: a program would take more for less.

        Raises also MissingScope and Forbidden where its filter goes by what the reader may not see.
        """
        view = self.get(key)
        saved = next((one for one in self.saved if str(one.pk) == view.key), None)
        try:
            parse(self.actor, self.record_type, saved.filter if saved else None)
        except BadQuery:
            problem = _("The filter of this view goes by something that is not shown to you, so it cannot be used.")
            raise Forbidden(problem) from None
        return view


def seen(actor: Actor, record_type: RecordType) -> QuerySet[SavedView]:
    """The saved views of a noun that the actor may open: their own and those shared with them."""
    shared = Q(sharing=SavedView.Sharing.EVERYONE)
    if actor.member_id is not None:
        team = Member.objects.filter(pk=actor.member_id, team__isnull=False).values("team")
        shared |= Q(owner=actor.member_id) | Q(sharing=SavedView.Sharing.TEAM, owner__team__in=team)
    return SavedView.objects.filter(shared, noun=record_type.slug)


def may_change(actor: Actor, saved: SavedView) -> bool:
    """Its owner; of a shared one also who has the settings."""
    if actor.member_id is not None and saved.owner_id == actor.member_id:
        return True
    return saved.sharing != SavedView.Sharing.PRIVATE and actor.can("workspace", "settings")


def sharings(owner_id: UUID | None, now: str) -> list[tuple[str, str]]:
    """With whom a view of that member can be shared, in words: with the team where there is one."""
    team = Team.objects.filter(members=owner_id).values_list("name", flat=True).first() if owner_id else None
    labels = {value: str(label) for value, label in SavedView.Sharing.choices}
    if team:
        labels[SavedView.Sharing.TEAM] = _("The team %(team)s") % {"team": team}
    elif now != SavedView.Sharing.TEAM:
        del labels[SavedView.Sharing.TEAM]
    return list(labels.items())


def built_in(actor: Actor, record_type: RecordType) -> list[View]:
    ticked = record_type.opens_on_open and may_read(actor, record_type, "done")
    still_open = {"field": "done", "op": "eq", "value": False} if ticked else None
    views = [View(ALL, _("Open") if ticked else _("All"), filter=still_open)]
    if (
        record_type.owner_field in record_type.by_slug
        and may_read(actor, record_type, record_type.owner_field)
        and actor.member_id is not None
    ):
        mine = {"field": record_type.owner_field, "op": "eq", "value": "me"}
        views.append(View(MINE, _("Mine"), filter={"all": [mine, still_open]} if still_open else mine))
    if ticked:
        done = {"field": "done", "op": "eq", "value": True}
        views.append(View(DONE, _("Done"), filter=done, sort=("-done_at",) if "done_at" in record_type.by_slug else ()))
    return views


def view_of(actor: Actor, record_type: RecordType, saved: SavedView) -> View:
    """A saved view without what its reader may not see."""
    dropped: list[str] = []
    tree = cleaned(actor, record_type, saved.filter, dropped) if saved.filter else None
    known = {one.slug for one in listed_fields(actor, record_type)}
    sortable = set(sortable_fields(record_type, hidden_slugs(actor, record_type)))
    columns = [one for one in saved.columns if one["field"] in known]
    sort = tuple(one for one in saved.sort if one.removeprefix("-") in sortable)
    grouping = saved.grouping if saved.grouping in {one.slug for one in groupable(actor, record_type)} else ""
    if len(columns) < len(saved.columns):
        dropped.append(_("a column"))
    if len(sort) < len(saved.sort):
        dropped.append(_("a sorting"))
    if grouping != saved.grouping:
        dropped.append(_("the grouping"))
    return View(
        key=str(saved.pk),
        name=saved.name,
        layout=saved.layout,
        filter=tree,
        sort=sort,
        columns=tuple(one["field"] for one in columns),
        grouping=grouping,
        footers={slug: how for slug, how in saved.footers.items() if slug in known},
        card_fields=tuple(slug for slug in saved.card_fields if slug in known),
        quick=tuple(one for one in saved.quick if one in readable_quick_filters(actor, record_type)),
        sharing=saved.sharing,
        owner_id=saved.owner_id,
        may_change=may_change(actor, saved),
        dropped=tuple(dropped),
    )


def with_columns(actor: Actor, record_type: RecordType, view: View, columns: Sequence[str]) -> View:
    known = {one.slug for one in listed_fields(actor, record_type)}
    return replace(view, columns=tuple(slug for slug in columns if slug in known))


def cleaned(
    actor: Actor, record_type: RecordType, tree: Mapping[str, Any], dropped: list[str]
) -> dict[str, Any] | None:
    """A tree without the conditions that its reader cannot ask; for each of these a word in ``dropped``."""
    if "field" in tree:
        try:
            return dict(validate(actor, record_type, tree))
        except (BadQuery, MissingScope):
            dropped.append(_("a condition of its filter"))
            return None
    joint, inner = next(iter(tree.items()))
    if joint == "not":
        kept = cleaned(actor, record_type, inner, dropped)
        return None if kept is None else {"not": kept}
    parts = [part for part in (cleaned(actor, record_type, one, dropped) for one in inner) if part is not None]
    return {joint: parts} if parts or not inner else None


def listed_fields(actor: Actor, record_type: RecordType) -> list[Field]:
    """What can be a column: what is shown of a record, and when and by whom it was made."""
    return [*shown_fields(actor, record_type), *(SYSTEM_FIELDS[slug] for slug in LISTED_SYSTEM_FIELDS)]


def groupable(actor: Actor, record_type: RecordType) -> list[Field]:
    return [one for one in listed_fields(actor, record_type) if one.kind in GROUPED_KINDS and one.filterable]


def footers_for(one: Field) -> tuple[str, ...]:
    """How the values of a field can be summed up."""
    if one.kind in SUMMED_KINDS:
        return FOOTERS
    if one.kind in RANGED_KINDS:
        return ("min", "max", "count", "empty", NO_FOOTER)
    return ("count", "empty", NO_FOOTER) if one.kind in SORTABLE else ()
