"""Fields of record types, declared once for every form, list, filter and answer."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.records.schema.kinds import FOREIGN_KEYS, KEYED, SORTABLE, UNIQUE, Kind
from crm.workspace.colors import COLORS
from tenants.actors import Actor

type Text = str | Promise
type Options = Callable[[Actor, Mapping[str, Any]], Iterable[tuple[UUID, str]]]

MEMBER_TARGET = "member"


class Misdeclared(Exception):
    """A declaration lacks something or contradicts itself; raised at import or by ``registry.check()``."""


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
        claim(not self.sortable or self.kind in SORTABLE, f"{self.kind} cannot be sorted by.")
        claim(
            not self.unique or self.kind in UNIQUE,
            f"{self.kind} cannot be unique.",
        )

    @property
    def column(self) -> str:
        """The attribute that holds the stored value: ``owner_id`` for a foreign key, else the slug."""
        return f"{self.slug}_id" if self.kind in FOREIGN_KEYS else self.slug

    @property
    def companion(self) -> str:
        """The field that is read, written and shown together with this one, never alone."""
        return self.currency or self.day

    @property
    def keys_column(self) -> str:
        """The array of normalised keys beside EMAILS and PHONES; empty for other kinds."""
        return f"{self.slug}_keys" if self.kind in KEYED else ""

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
