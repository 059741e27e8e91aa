"""Record types: a noun declared once, and everything generic driven by the declaration."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model, Q, QuerySet
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.records.errors import UnknownType
from crm.records.schema.mentions import plain
from crm.records.schema.policies import VisibilityPolicy
from crm.workspace.colors import COLORS
from tenants.actors import Actor, Scope

if TYPE_CHECKING:
    from crm.records.models import Record
    from crm.records.write.batch import Batch
    from crm.records.write.gate import Change

type Text = str | Promise
type Rule = Callable[[Batch], None]
type Hook = Callable[[Batch], None]
type Options = Callable[[Actor, Mapping[str, Any]], Iterable[tuple[UUID, str]]]

MEMBER_TARGET = "member"


class Misdeclared(Exception):
    """A declaration lacks something or contradicts itself; raised at import or by ``registry.check()``."""


class Kind(StrEnum):
    TEXT = "text"
    LONG_TEXT = "long_text"
    EMAILS = "emails"
    PHONES = "phones"
    URL = "url"
    INTEGER = "integer"
    DECIMAL = "decimal"
    MONEY = "money"
    CURRENCY = "currency"
    PERCENT = "percent"
    BOOLEAN = "boolean"
    DATE = "date"
    DATETIME = "datetime"
    CHOICE = "choice"
    ADDRESS = "address"
    RELATION = "relation"
    MEMBER = "member"
    LINKS = "links"
    REFERENCE = "reference"
    REFERENCES = "references"
    JSON_LIST = "json_list"
    CONDITION = "condition"


SORTABLE_KINDS = frozenset(Kind) - {
    Kind.LONG_TEXT,
    Kind.EMAILS,
    Kind.PHONES,
    Kind.ADDRESS,
    Kind.LINKS,
    Kind.REFERENCE,
    Kind.REFERENCES,
    Kind.JSON_LIST,
    Kind.CONDITION,
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    value: str
    label: Text
    color: str = "gray"

    def __post_init__(self) -> None:
        if self.color not in COLORS:
            raise Misdeclared(f"Choice {self.value!r}: {self.color!r} is none of the colour tokens {COLORS}.")


@dataclass(frozen=True, kw_only=True)
class CompositeWidget:
    """A control of several inputs, named ``<slug>.…``, in place of one. ``read`` puts what they say together to a value
    for the gate; ``shown`` is what ``template`` shows as ``pieces``: of a value, or of what was sent."""

    template: str
    read: Callable[[QueryDict], Any]
    shown: Callable[[Any, QueryDict | None], Any]


@dataclass(frozen=True, slots=True)
class PartialValue:
    """For a value that names fields of another record type: ``split`` gives what a reader sees and what their role
    hides; ``join`` a new value of theirs with the latter, which they leave as it is."""

    split: Callable[[Actor, Any], tuple[Any, Any]]
    join: Callable[[Any, Any], Any]


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a record type; its slug is the column, the API name and the form name.

    RELATION and MEMBER are foreign keys named by the slug, their native value is the id (UUID). REFERENCE has the
    columns ``<slug>_type`` and ``<slug>_id`` and the native value ``{"type", "id"}``; REFERENCES are a JSON list of
    these, to records of one of ``targets`` if it names some, each with one of ``choices`` under the key ``mark``.
    A DATETIME's ``day`` names the DATE that it stands for when no time of day is meant. EMAILS and PHONES are a JSON
    list of ``{"value", "label"}`` beside an array of normalised keys in ``<slug>_keys``. LINKS are rows of the model
    ``through``, with foreign keys named by the two record types' slugs and a ``role``; native
    ``[{"id": UUID, "role": str}]``. ADDRESS is a JSON object with some of ``ADDRESS_PARTS``. PERCENT is 0 to 100.
    ``words`` say a value where its kind alone would not, ``pieces`` are its control where one input is not enough.
    CONDITION is a tree of the query language that a rule of the type judges; it cannot be filtered by. A value that is
    ``partial_value`` is not shown whole to everybody.

    ``tidy`` brings what was typed into a TEXT, or looked for in it, into one form.
    ``options`` says what a form offers in a RELATION, by the other values of the record: ids and what they are called.
    """

    slug: str
    label: Text
    kind: Kind
    required: bool = False
    editable: bool = True
    sortable: bool = False
    filterable: bool = True
    choices: tuple[Choice, ...] = ()
    target: str = ""
    targets: tuple[str, ...] = ()
    mark: str = ""
    max_length: int | None = None
    minimum: Decimal | int | None = None
    maximum: Decimal | int | None = None
    currency: str = ""
    day: str = ""
    default: Any = None
    through: str = ""
    searchable: bool = False
    unique: bool = False
    help_text: Text = ""
    words: Callable[[Any], str] | None = None
    pieces: CompositeWidget | None = None
    group: str = "main"
    hidden: bool = False
    options: Options | None = None
    partial_value: PartialValue | None = None
    tidy: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        def claim(holds: bool, problem: str) -> None:
            if not holds:
                raise Misdeclared(f"Field {self.slug!r}: {problem}")

        if self.kind is Kind.CONDITION:
            object.__setattr__(self, "filterable", False)
        claim(self.slug.isidentifier() and self.slug.islower(), "a slug is a lower-case identifier.")
        claim(
            (self.kind is Kind.CHOICE or bool(self.mark)) == bool(self.choices),
            "choices belong to CHOICE and to the mark of REFERENCES, and these need some.",
        )
        claim(self.kind is Kind.REFERENCES or not (self.mark or self.targets), "targets and mark belong to REFERENCES.")
        claim(
            bool(self.target) == (self.kind in {Kind.RELATION, Kind.LINKS, Kind.MEMBER}),
            'RELATION, LINKS and MEMBER (as "member"), and no other kind, need a target.',
        )
        claim(self.kind is not Kind.MEMBER or self.target == MEMBER_TARGET, 'a MEMBER\'s target is "member".')
        claim((self.kind is Kind.LINKS) == bool(self.through), "through belongs to LINKS, and LINKS needs one.")
        claim((self.kind is Kind.MONEY) == bool(self.currency), "MONEY, and no other kind, names its currency field.")
        claim(self.options is None or self.kind is Kind.RELATION, "options belong to RELATION.")
        claim(self.kind is Kind.DATETIME or not self.day, "day belongs to DATETIME.")
        claim(not self.sortable or self.kind in SORTABLE_KINDS, f"{self.kind} cannot be sorted by.")
        claim(
            not self.unique or self.kind in {Kind.TEXT, Kind.URL, Kind.INTEGER, Kind.EMAILS, Kind.PHONES},
            f"{self.kind} cannot be unique.",
        )

    @property
    def column(self) -> str:
        """The attribute that holds the stored value: ``owner_id`` for a foreign key, else the slug."""
        return f"{self.slug}_id" if self.kind in {Kind.RELATION, Kind.MEMBER} else self.slug

    @property
    def companion(self) -> str:
        """The field that is read, written and shown together with this one, never alone."""
        return self.currency or self.day

    @property
    def keys_column(self) -> str:
        """The array of normalised keys beside EMAILS and PHONES; empty for other kinds."""
        return f"{self.slug}_keys" if self.kind in {Kind.EMAILS, Kind.PHONES} else ""

    def redact(self, actor: Actor, value: Any) -> Any:
        """What of a value the actor sees."""
        return self.partial_value.split(actor, value)[0] if self.partial_value and value else value

    def merge_hidden(self, actor: Actor, before: Any, after: Any) -> Any:
        """A new value of the actor, with what they did not see of the one before."""
        unseen = self.partial_value.split(actor, before)[1] if self.partial_value else None
        return self.partial_value.join(after, unseen) if self.partial_value and unseen else after

    def choice(self, value: str) -> Choice | None:
        return next((one for one in self.choices if one.value == value), None)

    def default_for(self, actor: Actor) -> Any:
        return self.default(actor) if callable(self.default) else self.default


ID_FIELD = Field(slug="id", label="ID", kind=Kind.RELATION, target="id", editable=False)
SYSTEM_FIELDS: Mapping[str, Field] = {
    one.slug: one
    for one in (
        Field(slug="created_at", label=_("Created"), kind=Kind.DATETIME, editable=False, sortable=True),
        Field(slug="updated_at", label=_("Changed"), kind=Kind.DATETIME, editable=False, sortable=True),
        Field(slug="created_by", label=_("Created by"), kind=Kind.MEMBER, target=MEMBER_TARGET, editable=False),
        Field(slug="deleted_at", label=_("Moved to trash"), kind=Kind.DATETIME, editable=False, hidden=True),
        Field(slug="version", label=_("Version"), kind=Kind.INTEGER, editable=False, hidden=True),
        Field(slug="is_sample", label=_("Sample"), kind=Kind.BOOLEAN, editable=False, hidden=True),
    )
}


@dataclass(frozen=True, kw_only=True)
class EditScopeOption:
    """A choice of the form, sent as ``name``; ``save`` takes what an update of the write gate takes."""

    name: str
    label: Text
    save: Callable[..., "Change"]


@dataclass(frozen=True, kw_only=True)
class EditScope:
    """How far a change of some fields may reach, for a record that ``holds`` names: ``only`` to it, or further."""

    fields: frozenset[str]
    holds: Callable[["Record"], bool]
    only: Text
    options: tuple[EditScopeOption, ...]


@dataclass(frozen=True, kw_only=True)
class RecordType:
    """A noun. ``visible`` is the policy by which its records are seen.

    Rules run before a write on a Batch and may set values and add errors; after_write hooks run after it, in the same
    transaction. ``event_types`` names the events that rules and hooks add to the usual four. ``fields_of`` says which
    fields a record with these values is shown with (None: all), as where a deal's pipeline has fields of its own.
    ``more_columns`` stand in the form of a new record behind "More"; ``edit_scope`` asks how far a change reaches.
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
    quick_filters: Mapping[str, str] = field(default_factory=dict, hash=False)
    card_fields: tuple[str, ...] = ()
    owner_field: str = ""
    still_open: Q | None = None
    is_history: bool = False
    lock_order: int = 0
    serialize_writes: bool = False
    rules: tuple[Rule, ...] = ()
    after_write: tuple[Hook, ...] = ()
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
    edit_scope: EditScope | None = None
    by_slug: Mapping[str, Field] = field(init=False, repr=False, compare=False)

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
    def always_shown(self) -> frozenset[str]:
        """The fields that no role can hide: what a record is called and about, whose it is, what lists go by."""
        named = {self.title, self.own_field, self.board_field, "done", *(one.lstrip("-") for one in self.default_sort)}
        board = self.by_slug.get(self.board_field)
        if board is not None and board.target:
            named |= {f"{board.slug}_entered_at", *(one.slug for one in registry.get(board.target).relations)}
        return frozenset(
            one.slug for one in self.fields if one.slug in named or one.required or one.kind is Kind.REFERENCE
        )

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


class Registry:
    """Record types by their names, in the order they were registered in."""

    def __init__(self) -> None:
        self._by_slug: dict[str, RecordType] = {}
        self._by_plural: dict[str, RecordType] = {}
        self._models: set[str] = set()

    def register(self, *types: RecordType) -> None:
        for record_type in types:
            if self._by_slug.get(record_type.slug) is record_type:
                continue
            if (
                record_type.slug in self._by_slug
                or record_type.plural in self._by_plural
                or record_type.model.lower() in self._models
            ):
                raise Misdeclared(f"Record type {record_type.slug!r}: its slug, plural or model is taken.")
            self._by_slug[record_type.slug] = self._by_plural[record_type.plural] = record_type
            self._models.add(record_type.model.lower())

    def get(self, slug: str) -> RecordType:
        try:
            return self._by_slug[slug]
        except KeyError:
            raise UnknownType(slug) from None

    def by_plural(self, plural: str) -> RecordType:
        try:
            return self._by_plural[plural]
        except KeyError:
            raise UnknownType(plural) from None

    def all(self) -> tuple[RecordType, ...]:
        return tuple(self._by_slug.values())

    def __contains__(self, slug: object) -> bool:
        return slug in self._by_slug


registry = Registry()
register = registry.register
