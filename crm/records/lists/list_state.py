"""The state of a list or a board: read from its address and written into it, so that every list can be linked, shared
and gone back to."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse

from crm.records.errors import BadQuery
from crm.records.lists import grouping
from crm.records.lists.list_address import (
    BOARD,
    LIST,
    PIPELINE,
    chosen_columns,
    clean_search,
    differing,
    footers_text,
    names_field,
    of_pipeline,
    old_key,
    read_cards,
    read_filter,
    read_footers,
    read_grouping,
    read_quick,
    read_sort,
    view_address,
    with_condition,
    without_pipeline,
)
from crm.records.lists.saved_views import ALL, DONE, MINE, View, Views
from crm.records.schema.field import Field
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor


@dataclass(frozen=True)
class ListState:
    """One list or board as its reader asked for it: a view, and what the address says otherwise.

    ``tree`` is the filter that is shown and can be changed; a built-in view has a condition of its own beside it.
    ``problem`` says which part of the address was left out, and why. A board is of one ``pipeline``: a condition on it
    stands there and not in ``tree``.
    """

    actor: Actor
    record_type: RecordType
    views: Views
    view: View
    columns: tuple[Field, ...]
    search: str = ""
    tree: Mapping[str, Any] | None = None
    sort: tuple[str, ...] = ()
    grouping: str = ""
    footers: Mapping[str, str] = field(default_factory=dict)
    cursor: str | None = None
    problem: BadQuery | None = None
    trashed: bool = False
    inside: str = ""
    layout: str = LIST
    pipeline: str = ""
    quick: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()

    @classmethod
    def of(cls, actor: Actor, record_type: RecordType, request: HttpRequest, layout: str = "") -> Self:
        """Raises NotFound for a view that is not there or not shared with the reader."""
        data = request.GET if request.method == "GET" else request.POST
        views = Views(actor, record_type)
        layout = BOARD if record_type.board_field and (layout or data.get("layout")) == BOARD else LIST
        view = views.get(data.get("view", "") or old_key(data), layout)
        problem = None
        tree = None if view.is_built_in else view.filter
        pipeline = data.get(PIPELINE, "") if PIPELINE in data else without_pipeline(tree)[0]
        if "filter" in data:
            try:
                tree = read_filter(actor, record_type, data["filter"])
            except BadQuery as error:
                problem = error
        if layout == BOARD:
            named, tree = without_pipeline(tree)
            pipeline = pipeline or named
        sort = () if view.is_built_in else view.sort
        if "sort" in data:
            try:
                sort = read_sort(actor, record_type, data["sort"])
            except BadQuery as error:
                problem = problem or error
        chosen = data["columns"].split(".") if "columns" in data else view.columns
        footers = read_footers(actor, record_type, data["footers"]) if "footers" in data else dict(view.footers)
        return cls(
            actor=actor,
            record_type=record_type,
            views=views,
            view=view,
            columns=chosen_columns(actor, record_type, chosen),
            search=clean_search(data.get("q", "")),
            tree=tree,
            sort=sort,
            grouping=read_grouping(actor, record_type, data["group"]) if "group" in data else view.grouping,
            footers=footers,
            cursor=data.get("cursor") or None,
            problem=problem,
            inside=data.get("in", ""),
            layout=layout,
            pipeline=pipeline if layout == BOARD else "",
            quick=read_quick(record_type, data["quick"].split(",") if "quick" in data else view.quick),
            cards=read_cards(actor, record_type, data["cards"].split(".") if "cards" in data else view.card_fields),
        )

    @property
    def is_board(self) -> bool:
        return self.layout == BOARD

    @property
    def mine(self) -> bool:
        return self.view.key == MINE

    @property
    def done(self) -> bool:
        return self.view.key == DONE

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search or self.tree)

    @property
    def condition(self) -> dict[str, Any] | None:
        """All that a record must satisfy to be listed, the search left out."""
        parts = [part for part in (self.tree, self.base, self.of_group) if part]
        if not parts:
            return None
        return dict(parts[0]) if len(parts) == 1 else {"all": parts}

    @property
    def base(self) -> Mapping[str, Any] | None:
        """What a built-in view says itself; what is still open is not asked for where the filter speaks of it."""
        if not self.view.is_built_in or self.view.filter is None:
            return None
        if self.view.key != DONE and self.record_type.opens_on_open and names_field(self.tree, "done"):
            return next((one for one in self.view.filter.get("all", ()) if one["field"] != "done"), None)
        return self.view.filter

    @property
    def of_group(self) -> Mapping[str, Any] | None:
        """What the rows of the one group that is asked for have in common."""
        if not self.inside or not self.grouping:
            return None
        return grouping.condition(self.record_type.field(self.grouping), self.inside)

    @property
    def is_grouped(self) -> bool:
        return bool(self.grouping) and not self.inside

    @property
    def sort_used(self) -> tuple[str, ...]:
        return self.sort or (self.view.sort if self.view.is_built_in else ()) or self.record_type.default_sort

    @property
    def state_of_view(self) -> dict[str, Any]:
        """What is saved of this list or board as a view."""
        if self.is_board:
            return {
                "filter": with_condition(of_pipeline(self.pipeline), self.condition) or {},
                "quick": list(self.quick),
                "card_fields": list(self.cards),
            }
        return {
            "filter": self.condition or {},
            "sort": list(self.sort or (self.view.sort if self.view.is_built_in else ())),
            "columns": [{"field": one.slug} for one in self.columns],
            "grouping": self.grouping,
            "footers": dict(self.footers),
        }

    @property
    def is_changed(self) -> bool:
        """Whether it differs from its view; to look at another pipeline is no change of a built-in one."""
        same = {PIPELINE: None} if self.view.is_built_in else {}
        return bool(self.parameters(view=None, q=None, **same))

    def parameters(self, **changes: Any) -> dict[str, str]:
        """The address's parameters with these changed: the view, and what differs from it."""
        view = self.view
        if self.is_board:
            pipeline, tree = without_pipeline(None if view.is_built_in else view.filter)
            now: dict[str, Any] = {
                "view": self.key_in_address(view.key, BOARD),
                PIPELINE: self.pipeline,
                "q": self.search,
                "filter": self.tree,
                "quick": ",".join(self.quick),
                "cards": ".".join(self.cards),
            } | changes
            kept: dict[str, Any] = {
                PIPELINE: pipeline,
                "filter": tree,
                "quick": ",".join(view.quick),
                "cards": ".".join(view.card_fields),
            }
            return differing(now, kept)
        now = {
            "view": self.key_in_address(view.key, LIST),
            "q": self.search,
            "filter": self.tree,
            "sort": ",".join(self.sort),
            "group": self.grouping,
            "columns": ".".join(one.slug for one in self.columns),
            "footers": footers_text(self.footers),
        } | changes
        kept = {
            "filter": None if view.is_built_in else view.filter,
            "sort": "" if view.is_built_in else ",".join(view.sort),
            "group": view.grouping,
            "columns": ".".join(one.slug for one in chosen_columns(self.actor, self.record_type, view.columns)),
            "footers": footers_text(view.footers),
        }
        return differing(now, kept)

    def key_in_address(self, key: str, layout: str) -> str:
        """A view as an address names it: blank for what the layout opens with. A bare list may lead to a board."""
        bare = key == self.views.first(layout) and (layout == BOARD or not self.views.opens_on_board)
        return "" if bare else key

    def url(self, name: str = "", **changes: Any) -> str:
        """This list or board with these parameters changed, or another page that is told of it."""
        parameters = self.parameters(**changes)
        if name and self.is_board:
            parameters["layout"] = BOARD
        path = reverse(name or f"records:{self.layout}", args=[self.record_type.plural])
        return f"{path}?{urlencode(parameters)}" if parameters else path

    def shown_as(self, layout: str) -> Self:
        """The same records in the other layout."""
        if layout == self.layout:
            return self
        if layout == LIST:
            tree = with_condition(of_pipeline(self.pipeline), self.tree)
            return replace(self, layout=LIST, pipeline="", tree=tree)
        pipeline, rest = without_pipeline(self.tree)
        return replace(self, layout=BOARD, pipeline=pipeline, tree=rest)

    def view_url(self, key: str) -> str:
        """That view, in its own layout; a built-in one in that of this page."""
        layout = self.views.layout(key) or self.layout
        return view_address(self.record_type, self.key_in_address(key, layout), layout)

    @property
    def link(self) -> str:
        """The address by which others see the same: it names the view, for a bare one opens what its reader chose."""
        return self.url(view=self.view.key)

    @property
    def state(self) -> list[tuple[str, str]]:
        """For the hidden inputs of a form that keeps all of this."""
        return [*self.parameters().items(), *([("layout", BOARD)] if self.is_board else [])]

    @property
    def here(self) -> str:
        return self.url()

    def plain(self) -> Self:
        """This list with nothing left out."""
        return replace(self, view=self.views.get(ALL), tree=None, sort=(), grouping="", cursor=None, quick=())

    def without_cursor(self) -> Self:
        return replace(self, cursor=None)
