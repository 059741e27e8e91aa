"""What the page of a list or a board shows."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.urls import reverse
from django.utils.functional import cached_property

from crm.records.access.visibility import hidden_slugs, may_write
from crm.records.display.presenting import NUMERIC, Line, expanded, lines, needed_columns, shown_fields
from crm.records.lists import grouping
from crm.records.lists.footers import Footer, label_of
from crm.records.lists.grouping import Group
from crm.records.lists.list_address import BOARD, LIST, footers_text, view_address, with_condition
from crm.records.lists.list_state import ListState
from crm.records.lists.saved_views import ALL, DONE, MAX_CARD_FIELDS, NO_FOOTER, footers_for, groupable, listed_fields
from crm.records.query.paging import sortable_fields
from crm.records.read import reading
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind

PAGE_SIZE = 50
UNFIT_FOR_BULK = frozenset(
    {Kind.LINKS, Kind.REFERENCE, Kind.REFERENCES, Kind.LONG_TEXT, Kind.ADDRESS, Kind.EMAILS, Kind.PHONES}
)


@dataclass(frozen=True, slots=True)
class Column:
    field: Field
    numeric: bool
    sort_url: str
    sorted: str  # "ascending", "descending" or "" as in aria-sort


@dataclass(frozen=True, slots=True)
class FooterCell:
    """``choices`` are a label, an address, and whether it is what stands there."""

    field: Field
    footer: Footer | None
    choices: list[tuple[str, str, bool]]


@dataclass(frozen=True, slots=True)
class Tab:
    key: str
    name: str
    url: str
    current: bool
    sharing: str
    layout: str


@dataclass(frozen=True)
class Listing(ListState):
    """A list or board with its rows, groups, footers and columns, and the addresses that its page leads to."""

    @cached_property
    def groups(self) -> list[tuple[Group, str, str]]:
        """The groups, each with the address of its rows and of a list of these alone."""
        one = self.record_type.field(self.grouping)
        found = grouping.groups(self.actor, self.record_type, self.query, self.grouping, self.summed)
        return [
            (
                group,
                self.url(**{"in": group.key}),
                self.url(group="", filter=with_condition(self.tree, grouping.condition(one, group.key))),
            )
            for group in found.groups
        ]

    @property
    def summed(self) -> Field | None:
        """The first column with money, which groups are summed up by."""
        return next((one for one in self.columns if one.kind is Kind.MONEY), None)

    @property
    def footers_used(self) -> dict[str, str]:
        """How columns are summed up: money by its sum, unless something else was chosen."""
        return {one.slug: "sum" for one in self.columns if one.kind is Kind.MONEY} | dict(self.footers)

    def footer_cells(self, found: Mapping[str, Footer]) -> list[FooterCell]:
        """Each column with its figure, and what else could stand there."""
        used = self.footers_used
        return [
            FooterCell(
                one,
                found.get(one.slug),
                [
                    (
                        label_of(one, how),
                        self.url(footers=footers_text({**self.footers, one.slug: how})),
                        used.get(one.slug, NO_FOOTER) == how,
                    )
                    for how in footers_for(one)
                ],
            )
            for one in self.columns
        ]

    @property
    def more_id(self) -> str:
        return f"more-{self.inside}" if self.inside else "more"

    @cached_property
    def query(self) -> reading.Query:
        fields = needed_columns(self.record_type, self.columns)
        return reading.Query(
            filter=self.condition,
            sort=self.sort_used,
            search=self.search,
            limit=PAGE_SIZE,
            cursor=self.cursor,
            fields=fields,
            expand=expanded(self.record_type, fields),
        )

    @cached_property
    def page(self) -> reading.Page:
        return reading.page(self.actor, self.record_type, self.query)

    @cached_property
    def lines(self) -> list[Line]:
        return lines(self.actor, self.record_type, self.columns, self.page.rows)

    @property
    def next_url(self) -> str:
        inside = {"in": self.inside} if self.inside else {}
        return self.url(cursor=self.page.next_cursor, **inside) if self.page.next_cursor else ""

    @property
    def headings(self) -> list[Column]:
        return [self.column(one, sortable=one.sortable) for one in self.columns]

    @property
    def sortings(self) -> list[Column]:
        """What the list can be sorted by, also what is no column of it."""
        known = sortable_fields(self.record_type, hidden_slugs(self.actor, self.record_type))
        return [self.column(one) for one in listed_fields(self.actor, self.record_type) if one.slug in known]

    def column(self, one: Field, *, sortable: bool = True) -> Column:
        first = self.sort_used[0]
        ascending, descending = first == one.slug, first == f"-{one.slug}"
        return Column(
            field=one,
            numeric=one.kind in NUMERIC,
            sort_url=self.url(sort=f"-{one.slug}" if ascending else one.slug) if sortable else "",
            sorted="ascending" if ascending else "descending" if descending else "",
        )

    @cached_property
    def tabs(self) -> list[Tab]:
        """The reader's tabs; the view they look at is among them even if it is not one of theirs."""
        keys = self.views.tabs
        if self.view.key not in keys:
            keys = [*keys, self.view.key]
        return [self.tab(key) for key in keys]

    @cached_property
    def other_views(self) -> list[Tab]:
        """Views that are shared with the reader or were put aside by them."""
        shown = {tab.key for tab in self.tabs}
        return [self.tab(key) for key in self.views.keys if key not in shown]

    def tab(self, key: str) -> Tab:
        saved = next((one for one in self.views.saved if str(one.pk) == key), None)
        return Tab(
            key=key,
            name=self.views.name(key),
            url=self.view_url(key),
            current=key == self.view.key,
            sharing=saved.sharing if saved else "",
            layout=self.views.layout(key),
        )

    @property
    def has_rows(self) -> bool:
        return bool(self.groups if self.is_grouped else self.lines)

    @property
    def save_as_url(self) -> str:
        return self.url("records:view_new")

    @property
    def clear_url(self) -> str:
        return self.url(filter=None, q=None, quick=None)

    @property
    def reset_url(self) -> str:
        return view_address(self.record_type, self.key_in_address(self.view.key, self.layout), self.layout)

    @property
    def groupings(self) -> list[tuple[Field, str, bool]]:
        """What the list can be grouped by: the field, the address, and whether it is."""
        return [
            (one, self.url(group=one.slug), one.slug == self.grouping)
            for one in groupable(self.actor, self.record_type)
        ]

    @property
    def ungrouped_url(self) -> str:
        return self.url(group="")

    @property
    def list_url(self) -> str:
        return reverse("records:list", args=[self.record_type.plural])

    @property
    def as_list_url(self) -> str:
        return self.shown_as(LIST).url()

    @property
    def all_url(self) -> str:
        return self.view_url(ALL)

    @property
    def done_url(self) -> str:
        return self.view_url(DONE)

    @property
    def board_url(self) -> str:
        return self.shown_as(BOARD).url()

    @property
    def new_url(self) -> str:
        return reverse("records:new", args=[self.record_type.plural])

    @property
    def columns_url(self) -> str:
        return reverse("records:columns", args=[self.record_type.plural])

    @property
    def bulk_url(self) -> str:
        return reverse("records:bulk", args=[self.record_type.plural])

    @property
    def bulk_field_url(self) -> str:
        return reverse("records:bulk_field", args=[self.record_type.plural])

    @property
    def filter_path(self) -> str:
        return reverse("records:filter", args=[self.record_type.plural])

    @property
    def width(self) -> int:
        return len(self.columns) + 1

    @property
    def totals_url(self) -> str:
        return self.url("records:totals")

    @property
    def filter_url(self) -> str:
        return self.url("records:filter")

    @property
    def choosable(self) -> list[tuple[Field, bool]]:
        """Every field that can be a column, chosen ones first and in their order."""
        chosen = {one.slug for one in self.columns}
        rest = [one for one in listed_fields(self.actor, self.record_type) if one.slug not in chosen]
        return [*((one, True) for one in self.columns), *((one, False) for one in rest)]

    @property
    def most_on_cards(self) -> int:
        return MAX_CARD_FIELDS

    @property
    def choosable_on_cards(self) -> list[tuple[Field, bool]]:
        """Every field that can stand on a card beside the title, chosen ones first and in their order."""
        known = {
            one.slug: one for one in listed_fields(self.actor, self.record_type) if one.slug != self.record_type.title
        }
        chosen = [slug for slug in self.cards or self.record_type.card_fields if slug in known]
        rest = [one for slug, one in known.items() if slug not in chosen]
        return [*((known[slug], True) for slug in chosen), *((one, False) for one in rest)]

    @property
    def bulk_fields(self) -> list[Field]:
        return [
            one
            for one in shown_fields(self.actor, self.record_type)
            if may_write(self.actor, self.record_type, one)
            and one.slug != self.record_type.title
            and one.kind not in UNFIT_FOR_BULK
        ]
