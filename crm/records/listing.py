"""What a list shows: read from its address and cookies, so that every list can be linked, shared and gone back to."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from crm.records import reading
from crm.records.errors import BadQuery
from crm.records.presenting import NUMERIC, Line, expanded, line, needed_columns, shown_fields
from crm.records.query import validate
from crm.records.types import Field, Kind, RecordType
from tenants.actors import Actor

PAGE_SIZE = 50
LONGEST_SEARCH = 200
MOST_COLUMNS = 20
UNFIT_FOR_BULK = frozenset({Kind.LINKS, Kind.REFERENCE, Kind.LONG_TEXT, Kind.ADDRESS, Kind.EMAILS, Kind.PHONES})
LISTED_SYSTEM_FIELDS = ("created_at", "updated_at", "created_by")


@dataclass(frozen=True, slots=True)
class Column:
    field: Field
    numeric: bool
    sort_url: str
    sorted: str  # "ascending", "descending" or "" as in aria-sort


@dataclass(frozen=True)
class Listing:
    """One list as its reader asked for it. ``problem`` says which part of the address was left out, and why."""

    actor: Actor
    rt: RecordType
    columns: tuple[Field, ...]
    search: str = ""
    tree: Mapping[str, Any] | None = None
    sort: tuple[str, ...] = ()
    mine: bool = False
    done: bool = False
    cursor: str | None = None
    problem: BadQuery | None = None
    trashed: bool = False

    @classmethod
    def of(cls, actor: Actor, rt: RecordType, request: HttpRequest) -> Self:
        data = request.GET if request.method == "GET" else request.POST
        problem = None
        tree = None
        try:
            tree = read_filter(actor, rt, data.get("filter", ""))
        except BadQuery as error:
            problem = error
        sort: tuple[str, ...] = ()
        try:
            sort = read_sort(rt, data.get("sort", ""))
        except BadQuery as error:
            problem = problem or error
        return cls(
            actor=actor,
            rt=rt,
            columns=chosen_columns(rt, request.COOKIES.get(columns_cookie(rt), "")),
            search=clean_search(data.get("q", "")),
            tree=tree,
            sort=sort,
            mine=data.get("mine") == "1" and bool(rt.owner_field) and actor.member_id is not None,
            done=data.get("done") == "1" and rt.is_done_or_open,
            cursor=data.get("cursor") or None,
            problem=problem,
        )

    @property
    def is_narrowed(self) -> bool:
        return bool(self.search or self.tree)

    @property
    def condition(self) -> dict[str, Any] | None:
        parts: list[Mapping[str, Any]] = []
        if self.tree:
            parts.append(self.tree)
        if self.mine:
            parts.append({"field": self.rt.owner_field, "op": "eq", "value": "me"})
        if self.rt.is_done_or_open and not names_field(self.tree, "done"):
            parts.append({"field": "done", "op": "eq", "value": self.done})
        if not parts:
            return None
        return dict(parts[0]) if len(parts) == 1 else {"all": parts}

    @property
    def sort_used(self) -> tuple[str, ...]:
        return self.sort or (("-done_at",) if self.done else self.rt.default_sort)

    @cached_property
    def query(self) -> reading.Query:
        fields = needed_columns(self.rt, self.columns)
        return reading.Query(
            filter=self.condition,
            sort=self.sort_used,
            search=self.search,
            limit=PAGE_SIZE,
            cursor=self.cursor,
            fields=fields,
            expand=expanded(self.rt, fields),
        )

    @cached_property
    def page(self) -> reading.Page:
        return reading.page(self.actor, self.rt, self.query)

    @cached_property
    def lines(self) -> list[Line]:
        return [line(self.actor, self.rt, self.columns, row) for row in self.page.rows]

    @property
    def next_url(self) -> str:
        return self.url(cursor=self.page.next_cursor) if self.page.next_cursor else ""

    @property
    def headings(self) -> list[Column]:
        first = self.sort_used[0]
        found = []
        for one in self.columns:
            ascending, descending = first == one.slug, first == f"-{one.slug}"
            found.append(
                Column(
                    field=one,
                    numeric=one.kind in NUMERIC,
                    sort_url=self.url(sort=f"-{one.slug}" if ascending else one.slug) if one.sortable else "",
                    sorted="ascending" if ascending else "descending" if descending else "",
                )
            )
        return found

    @property
    def filter_text(self) -> str:
        return orjson.dumps(self.tree).decode() if self.tree else ""

    def parameters(self, **changes: Any) -> dict[str, str]:
        """The address's parameters with these changed; one that is None or blank goes."""
        known: dict[str, Any] = {
            "q": self.search,
            "filter": self.filter_text,
            "sort": ",".join(self.sort),
            "mine": "1" if self.mine else "",
            "done": "1" if self.done else "",
        }
        known |= changes
        if isinstance(known["filter"], Mapping):
            known["filter"] = orjson.dumps(known["filter"]).decode()
        return {name: str(value) for name, value in known.items() if value}

    def url(self, name: str = "records:list", **changes: Any) -> str:
        parameters = self.parameters(**changes)
        path = reverse(name, args=[self.rt.plural])
        return f"{path}?{urlencode(parameters)}" if parameters else path

    @property
    def state(self) -> list[tuple[str, str]]:
        """For the hidden inputs of a form that keeps all of this."""
        return list(self.parameters().items())

    @property
    def list_url(self) -> str:
        return reverse("records:list", args=[self.rt.plural])

    @property
    def here(self) -> str:
        return self.url()

    @property
    def all_url(self) -> str:
        return self.url(mine="", done="")

    @property
    def mine_url(self) -> str:
        return self.url(mine="1", done="")

    @property
    def done_url(self) -> str:
        return self.url(mine="", done="1")

    @property
    def board_url(self) -> str:
        return self.url("records:board", sort=None)

    @property
    def new_url(self) -> str:
        return reverse("records:new", args=[self.rt.plural])

    @property
    def columns_url(self) -> str:
        return reverse("records:columns", args=[self.rt.plural])

    @property
    def bulk_url(self) -> str:
        return reverse("records:bulk", args=[self.rt.plural])

    @property
    def bulk_field_url(self) -> str:
        return reverse("records:bulk_field", args=[self.rt.plural])

    @property
    def filter_path(self) -> str:
        return reverse("records:filter", args=[self.rt.plural])

    @property
    def width(self) -> int:
        return len(self.columns) + 1

    @property
    def clear_url(self) -> str:
        return self.url(filter=None, q=None)

    @property
    def totals_url(self) -> str:
        return self.url("records:totals")

    @property
    def filter_url(self) -> str:
        return self.url("records:filter")

    def plain(self) -> Self:
        """This list with nothing left out."""
        return replace(self, tree=None, sort=(), cursor=None)

    def without_cursor(self) -> Self:
        return replace(self, cursor=None)

    @property
    def choosable(self) -> list[tuple[Field, bool]]:
        """Every field that can be a column, chosen ones first and in their order."""
        chosen = {one.slug for one in self.columns}
        rest = [one for one in column_fields(self.rt) if one.slug not in chosen]
        return [*((one, True) for one in self.columns), *((one, False) for one in rest)]

    @property
    def bulk_fields(self) -> list[Field]:
        return [
            one
            for one in shown_fields(self.rt)
            if one.editable and one.slug != self.rt.title and one.kind not in UNFIT_FOR_BULK
        ]


def names_field(tree: Any, slug: str) -> bool:
    """Whether a filter says anything about a field of the listed records themselves."""
    if not isinstance(tree, Mapping):
        return False
    if tree.get("field") == slug:
        return True
    below = [*(tree.get("all") or ()), *(tree.get("any") or ()), tree.get("not")]
    return any(names_field(one, slug) for one in below)


def clean_search(text: str) -> str:
    return text.replace("\x00", "").strip()[:LONGEST_SEARCH]


def read_filter(actor: Actor, rt: RecordType, text: str) -> dict[str, Any] | None:
    """The tree of a ``filter=`` parameter. Raises BadQuery when it is not JSON or not a filter of this type."""
    if not text:
        return None
    try:
        tree = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise BadQuery(_("The filter in this address is broken, so it was left out."), param="filter") from None
    if not isinstance(tree, dict):
        raise BadQuery(_("The filter in this address is broken, so it was left out."), param="filter")
    if not tree:
        return None
    return dict(validate(actor, rt, tree))


def read_sort(rt: RecordType, text: str) -> tuple[str, ...]:
    found = tuple(part for part in text.split(",") if part)[:3]
    for part in found:
        slug = part.removeprefix("-")
        if not rt.has_field(slug) or not rt.field(slug).sortable:
            raise BadQuery(
                _("This list cannot be sorted by “%(name)s”.") % {"name": slug[:60]},
                param="sort",
                nearest=rt.nearest(slug),
            )
    return found


def columns_cookie(rt: RecordType) -> str:
    return f"columns_{rt.slug}"


def column_fields(rt: RecordType) -> list[Field]:
    return [*shown_fields(rt), *(rt.field(slug) for slug in LISTED_SYSTEM_FIELDS)]


def chosen_columns(rt: RecordType, text: str) -> tuple[Field, ...]:
    """The fields named in a cookie or form, the title always first; the type's own choice when none is usable."""
    return pick_columns(rt, text.split(".")) or tuple(rt.field(slug) for slug in with_title(rt, rt.default_columns))


def pick_columns(rt: RecordType, slugs: Iterable[str]) -> tuple[Field, ...]:
    allowed = {one.slug: one for one in column_fields(rt)}
    chosen = [slug for slug in dict.fromkeys(slugs) if slug in allowed][:MOST_COLUMNS]
    return tuple(allowed[slug] for slug in with_title(rt, chosen)) if chosen else ()


def with_title(rt: RecordType, slugs: Iterable[str]) -> list[str]:
    return [rt.title, *(slug for slug in slugs if slug != rt.title)]
