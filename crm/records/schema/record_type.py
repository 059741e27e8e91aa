"""Record types: a class of things declared once, and everything generic driven by the declaration."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db.models import Model, Q, QuerySet

from crm.records.schema.field import SYSTEM_FIELDS, Field, Misdeclared, Text
from crm.records.schema.kinds import Kind
from crm.records.schema.mentions import plain
from crm.records.schema.policies import VisibilityPolicy
from tenants.actors import Actor, Scope

if TYPE_CHECKING:
    from crm.records.models import Record


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordType:
    """A noun. ``visible`` is the policy by which its records are seen.

    What must hold of every write is registered beside it (``write.rules``). ``event_types`` names the events that these
    rules add to the usual four. ``fields_of`` says which fields a record with these values is shown with (None: all),
    as where a deal's pipeline has fields of its own. ``more_columns`` stand in the form of a new record behind "More".
    ``still_open`` are the rows that still need somebody (None: all), which is what goes to others when their owner
    leaves; ``is_history`` says that records tell what somebody did, and stay theirs. Who locks records of several nouns
    begins with those of the lowest ``lock_order``; writers of a noun with ``serialize_writes`` wait for each other
    first. ``limit`` is the plan's limit under which its records are counted.
    """

    slug: str
    plural: str
    label: Text
    label_plural: Text
    icon: str
    model: str
    fields: tuple[Field, ...]
    visible: VisibilityPolicy
    title: str = "name"
    subtitle: str = ""
    default_columns: tuple[str, ...] = ()
    more_columns: tuple[str, ...] = ()
    default_sort: tuple[str, ...] = ("-created_at",)
    board_field: str = ""
    quick_filters: Mapping[str, str] = field(default_factory=dict)
    card_fields: tuple[str, ...] = ()
    owner_field: str = ""
    still_open: Q | None = None
    is_history: bool = False
    lock_order: int = 0
    serialize_writes: bool = False
    event_types: tuple[str, ...] = ()
    in_sidebar: bool = True
    in_search: bool = False
    in_related: bool = True
    open_first: bool = True
    shortcut: str = ""
    parent_label: Text = ""
    description: Text = ""
    limit: str = ""
    fields_of: Callable[[Actor, Mapping[str, Any]], Collection[str] | None] | None = None
    by_slug: Mapping[str, Field] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        by_slug = {one.slug: one for one in self.fields}
        object.__setattr__(self, "by_slug", by_slug)

        def claim(holds: bool, problem: str) -> None:
            if not holds:
                raise Misdeclared(f"Record type {self.slug!r}: {problem}")

        claim(isinstance(self.visible, VisibilityPolicy), "a visibility policy is missing.")
        claim(len(by_slug) == len(self.fields), "two fields have the same slug.")
        claim(not by_slug.keys() & SYSTEM_FIELDS.keys(), f"{sorted(SYSTEM_FIELDS)} are every record's already.")
        claim(self.title in by_slug, f"the title field {self.title!r} is unknown.")
        claim(
            by_slug[self.title].kind in {Kind.TEXT, Kind.LONG_TEXT}, f"the title field {self.title!r} must be a text."
        )
        for slug in (*self.default_columns, *self.more_columns, *([self.subtitle] if self.subtitle else ())):
            claim(slug in by_slug or slug in SYSTEM_FIELDS, f"the column {slug!r} is unknown.")
        for sort in self.default_sort:
            found = by_slug.get(sort.lstrip("-")) or SYSTEM_FIELDS.get(sort.lstrip("-"))
            claim(found is not None and found.sortable, f"{sort!r} cannot be sorted by.")
        if self.board_field:
            found = by_slug.get(self.board_field)
            claim(
                found is not None and found.kind in {Kind.CHOICE, Kind.RELATION},
                f"the board field {self.board_field!r} must be a CHOICE or a RELATION.",
            )
        if self.owner_field:
            found = by_slug.get(self.owner_field) or SYSTEM_FIELDS.get(self.owner_field)
            claim(
                found is not None and found.kind is Kind.MEMBER,
                f"the owner field {self.owner_field!r} must be a MEMBER.",
            )
        for one in self.fields:
            if one.currency:
                claim(
                    one.currency in by_slug and by_slug[one.currency].kind is Kind.CURRENCY,
                    f"{one.slug!r} needs a CURRENCY field {one.currency!r}.",
                )
            if one.day:
                claim(
                    one.day in by_slug and by_slug[one.day].kind is Kind.DATE,
                    f"{one.slug!r} needs a DATE field {one.day!r}.",
                )
        for event in self.event_types:
            claim(event.startswith(f"{self.slug}."), f"the event {event!r} must begin with {self.slug!r}.")

    @cached_property
    def model_class(self) -> type["Record"]:
        return apps.get_model(self.model)

    @cached_property
    def shown_fields(self) -> tuple[Field, ...]:
        """The fields that the declaration does not keep to itself."""
        return tuple(one for one in self.fields if not one.hidden)

    @cached_property
    def relations(self) -> tuple[Field, ...]:
        """Fields that are a foreign key to another record type."""
        return tuple(one for one in self.fields if one.kind is Kind.RELATION)

    @cached_property
    def members(self) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.kind is Kind.MEMBER)

    @cached_property
    def links(self) -> tuple[Field, ...]:
        return tuple(one for one in self.fields if one.kind is Kind.LINKS)

    @cached_property
    def companions(self) -> frozenset[str]:
        """Fields that stand beside another one, as a currency beside its amount."""
        return frozenset(one.companion for one in self.fields if one.companion)

    @property
    def title_field(self) -> Field:
        return self.by_slug[self.title]

    @property
    def own_field(self) -> str:
        """The MEMBER field that makes a record somebody's own: the owner field, else who created it."""
        return self.owner_field or "created_by"

    @property
    def is_done_or_open(self) -> bool:
        """Whether its records are ticked off."""
        return "done" in self.by_slug

    @property
    def opens_on_open(self) -> bool:
        """Whether its lists open on what is still to do."""
        return self.is_done_or_open and self.open_first

    @property
    def open_rows(self) -> Q:
        """The rows that still need somebody."""
        if self.still_open is not None:
            return self.still_open
        return Q(done=False) if self.is_done_or_open else Q()

    def has_field(self, slug: str) -> bool:
        return slug in self.by_slug or slug in SYSTEM_FIELDS

    def field(self, slug: str) -> Field:
        """A declared field, or one that every record has (``created_at`` …). Raises KeyError."""
        return self.by_slug.get(slug) or SYSTEM_FIELDS[slug]

    def nearest(self, slug: str) -> str:
        """The known field slug most like ``slug``, or an empty string."""
        return nearest(slug, [*self.by_slug, *SYSTEM_FIELDS])

    def sort_column(self, slug: str) -> str:
        """The column that a list sorted by a field is ordered by: names sort by their folded key."""
        return "sort_name" if slug == self.title else self.field(slug).column

    @property
    def rows(self) -> QuerySet[Any]:
        """All rows, whoever may see them: for the engine itself, never for an answer."""
        return self.model_class._default_manager.all()

    def visible_to(self, actor: Actor, queryset: QuerySet[Any] | None = None) -> QuerySet[Any]:
        """Rows the actor may see, trashed ones included; nothing unless the actor's permissions say so."""
        rows = self.rows if queryset is None else queryset
        if actor.scope(self.slug, "view") is Scope.NONE:
            return rows.none()
        return self.visible.rows(actor, self.slug, rows)

    def shows_all_to(self, actor: Actor) -> bool:
        """Whether the actor sees every row, so that a statement for them is everybody's."""
        query = self.visible_to(actor).query
        return not (query.where or query.combinator or query.is_sliced or query.distinct)

    def title_of(self, record: Model) -> str:
        """What a record is called, on one line of at most 120 characters."""
        text = " ".join(plain(str(getattr(record, self.title) or "")).split())
        return text if len(text) <= 120 else f"{text[:119]}…"


def nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return found[0] if found else ""
