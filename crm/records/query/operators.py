"""The operators of the query language, a table for each kind of field.

Each has its SQL and its judgement in Python, and a property test holds the two equal. To give a kind another operator,
add a line to its table: filters, the API and the forms read it from there.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import contains, eq
from typing import Any, Literal
from uuid import UUID

from django.apps import apps
from django.db.models import F, Q, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Concat, Right
from django.db.models.lookups import Exact, In
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.records.access.targets import as_uuid, target_rows, target_type
from crm.records.fields.normalising import region_of
from crm.records.fields.parsing import ADDRESS_PARTS
from crm.records.fields.parsing import keys as normalised_keys
from crm.records.query.expressions import (
    JsonHas,
    JsonText,
    KeyLike,
    Overlap,
    StartsWith,
    TextArray,
    join_any,
    literal,
    negated,
)
from crm.records.query.folding import escape_like
from crm.records.query.operands import (
    MAX_VALUES,
    OPERANDS,
    Place,
    days_operand,
    domain_operand,
    key_part,
    refuse,
    type_operand,
)
from crm.records.query.periods import falls_in, in_window
from crm.records.schema.field import Field, Text
from crm.records.schema.kinds import Kind
from crm.workspace.text.folding import Fold, FoldSpelled, Sought, fold, spelled, within

type Shape = Literal["one", "many", "none", "range", "days"]


@dataclass(frozen=True, slots=True)
class Operator:
    """``sql`` and ``holds`` judge alike; ``value_shape`` says what value it takes.

    one: a value. many: a list. none: nothing. range: ``[from, to]``, either may be null. days: a whole number.
    """

    slug: str
    label: Text
    value_shape: Shape
    sql: Callable[[Place, Any], Q]
    holds: Callable[[Place, Any, Any], bool]
    operand: Callable[[Place, Any], Any] | None = None
    listed: bool = True


def operand_of(place: Place, operator: Operator, value: Any) -> Any:
    parse = operator.operand or OPERANDS[place.field.kind]
    match operator.value_shape:
        case "none":
            if not (value is None or value is True or value == ""):
                raise refuse(place.field, _("“%(operator)s” takes no value.") % {"operator": operator.slug})
            return None
        case "one":
            return parse(place, value)
        case "days":
            return days_operand(place, value)
        case "many":
            given = value.split(",") if isinstance(value, str) else value
            if not isinstance(given, Sequence) or not 0 < len(given) <= MAX_VALUES:
                raise refuse(place.field, _("a list of 1 to %(most)d values is expected.") % {"most": MAX_VALUES})
            return [parse(place, one) for one in given]
        case "range":
            given = value.split(",") if isinstance(value, str) else value
            if not isinstance(given, Sequence) or len(given) != 2:
                raise refuse(place.field, _("two values, from and to, are expected."))
            ends = [None if one in (None, "") else parse(place, one) for one in given]
            if ends == [None, None]:
                raise refuse(place.field, _("two values, from and to, are expected."))
            return ends


def in_either(text: Combinable, operand: Sought, test: Callable[[Combinable, str], Q]) -> Q:
    """Whether a text is as wanted in its bare letters, or spelled without umlauts where that may make a difference."""
    found = test(Fold(text), operand.plain)
    return found | test(FoldSpelled(text), operand.other) if operand.other else found


def among(text: Combinable, operands: Sequence[Sought]) -> Q:
    """Whether a text is one of those wanted; its forms are made once, however many these are."""
    found = Q(In(Fold(text), [one.plain for one in operands]))
    others = [one.other for one in operands if one.other]
    return found | Q(In(FoldSpelled(text), others)) if others else found


def either(value: Any, operand: Sought, test: Callable[[str, str], bool]) -> bool:
    """``in_either`` of a value."""
    text = value or ""
    return test(fold(text), operand.plain) or bool(operand.other and test(spelled(text), operand.other))


def text_empty(place: Place) -> Q:
    return Q(**{place.column: ""}) | Q(**{f"{place.column}__isnull": True})


def equal(text: Combinable, part: str) -> Q:
    return Q(Exact(text, part))


def begins(text: Combinable, part: str) -> Q:
    return Q(StartsWith(text, literal(part)))


def ends(text: Combinable, part: str) -> Q:
    return Q(Exact(Right(text, len(part)), part))


def keys(place: Place, value: Any) -> list[str]:
    """The normalised keys in a snapshot's list of emails or phones."""
    given = [one if isinstance(one, Mapping) else {"value": one} for one in value or ()]
    return normalised_keys(place.field, given, region_of(place.context.actor.tenant))


def any_key(place: Place, operands: Sequence[str]) -> Q:
    return Q(Overlap(F(place.field.keys_column), TextArray(*map(literal, operands))))


def has_key(place: Place, value: Any, operands: Sequence[str]) -> bool:
    return any(key in operands for key in keys(place, value))


def part_holds(place: Place, value: Any, test: Callable[[str], bool]) -> bool:
    return any(test(key.removeprefix("+")) for key in keys(place, value))


def key_like(place: Place, *, before: str, operand: str, after: str) -> KeyLike:
    return KeyLike(F(place.field.keys_column), literal(f"{before}{escape_like(operand)}{after}"))


def linked(place: Place, rows: QuerySet[Any]) -> Q:
    through = apps.get_model(place.field.through)
    links = through._default_manager.filter(**{f"{place.field.target}__in": rows.values("pk")})
    return Q(pk__in=links.values(f"{place.record_type.slug}_id"))


def linked_to(place: Place, ids: Sequence[UUID]) -> Q:
    return linked(place, target_rows(place.context.actor, target_type(place.field.target)).filter(pk__in=ids))


def linked_at_all(place: Place) -> Q:
    return linked(place, target_rows(place.context.actor, target_type(place.field.target)))


def link_ids(value: Any) -> set[UUID]:
    return {as_uuid(one["id"] if isinstance(one, Mapping) else one) for one in value or ()}


def refers_to(place: Place, operand: tuple[str | None, UUID]) -> Q:
    kind, id = operand
    condition = Q(**{f"{place.field.slug}_id": id})
    return condition if kind is None else condition & Q(**{f"{place.field.slug}_type": kind})


def is_reference(value: Any, operand: tuple[str | None, UUID]) -> bool:
    return bool(value) and as_uuid(value["id"]) == operand[1] and operand[0] in (None, value["type"])


def lists_reference(place: Place, operands: Sequence[tuple[str | None, UUID]]) -> Q:
    def pattern(kind: str | None, id: UUID) -> dict[str, str]:
        return {"id": str(id)} if kind is None else {"type": kind, "id": str(id)}

    return join_any(Q(**{f"{place.column}__contains": [pattern(*one)]}) for one in operands)


def address_line(place: Place) -> Concat:
    """An address as one text, a part a line."""
    parts: list[Combinable] = []
    for key in ADDRESS_PARTS:
        parts += [Coalesce(KeyTextTransform(key, place.column), literal("")), literal("\n")]
    return Concat(*parts, output_field=TextField())


def address_text(value: Any) -> str:
    return "".join(f"{(value or {}).get(key) or ''}\n" for key in ADDRESS_PARTS)


def address_empty(place: Place) -> Q:
    return Q(Exact(address_line(place), "\n" * len(ADDRESS_PARTS)))


def list_has(place: Place, operands: Sequence[str]) -> Q:
    return join_any(Q(JsonHas(F(place.column), JsonText(literal(one)))) for one in operands)


def list_empty(place: Place) -> Q:
    return Q(**{place.column: []}) | Q(**{f"{place.column}__isnull": True})


def complement(slug: str, label: Text, of: Operator, *, listed: bool = True) -> Operator:
    return Operator(
        slug,
        label,
        of.value_shape,
        lambda place, operand: negated(of.sql(place, operand)),
        lambda place, value, operand: not of.holds(place, value, operand),
        of.operand,
        listed,
    )


def table(*operators: Operator) -> dict[str, Operator]:
    return {one.slug: one for one in operators}


def emptiness(sql: Callable[[Place], Q], holds: Callable[[Any], bool]) -> tuple[Operator, Operator]:
    empty = Operator(
        "is_empty",
        gettext_lazy("is empty"),
        "none",
        lambda place, _operand: sql(place),
        lambda _place, value, _operand: holds(value),
    )
    return empty, complement("is_not_empty", gettext_lazy("is not empty"), empty)


def no_value(place: Place) -> Q:
    return Q(**{f"{place.column}__isnull": True})


IS = pgettext_lazy("operator", "is")
IS_NOT = pgettext_lazy("operator", "is not")
IS_ANY = gettext_lazy("is any of")
IS_NONE = gettext_lazy("is none of")
CONTAINS = gettext_lazy("contains")
CONTAINS_NOT = gettext_lazy("does not contain")
STARTS = gettext_lazy("starts with")

_text_eq = Operator(
    "eq",
    IS,
    "one",
    lambda place, operand: in_either(F(place.column), operand, equal),
    lambda _place, value, operand: either(value, operand, eq),
)
_text_in = Operator(
    "in",
    IS_ANY,
    "many",
    lambda place, operand: among(F(place.column), operand),
    lambda _place, value, operand: any(either(value, one, eq) for one in operand),
)
_text_contains = Operator(
    "contains",
    CONTAINS,
    "one",
    lambda place, operand: in_either(F(place.column), operand, within),
    lambda _place, value, operand: either(value, operand, contains),
)
TEXTS = table(
    _text_contains,
    _text_eq,
    complement("ne", IS_NOT, _text_eq),
    _text_in,
    complement("not_in", IS_NONE, _text_in),
    complement("not_contains", CONTAINS_NOT, _text_contains),
    Operator(
        "starts_with",
        STARTS,
        "one",
        lambda place, operand: in_either(F(place.column), operand, begins),
        lambda _place, value, operand: either(value, operand, str.startswith),
    ),
    Operator(
        "ends_with",
        gettext_lazy("ends with"),
        "one",
        lambda place, operand: (
            in_either(F(place.column), operand, ends) if operand.plain else negated(text_empty(place))
        ),
        lambda _place, value, operand: either(value, operand, str.endswith) if operand.plain else bool(value),
    ),
    *emptiness(text_empty, lambda value: not value),
)

_key_eq = Operator(
    "eq",
    IS,
    "one",
    lambda place, operand: any_key(place, [operand]),
    lambda place, value, operand: has_key(place, value, [operand]),
)
_key_in = Operator("in", IS_ANY, "many", any_key, has_key)
_key_contains = Operator(
    "contains",
    CONTAINS,
    "one",
    lambda place, operand: Q(key_like(place, before="%", operand=operand, after="%")),
    lambda place, value, operand: part_holds(place, value, lambda key: operand in key),
    key_part,
)
_no_keys = emptiness(
    lambda place: Q(**{place.column: []}) | Q(**{f"{place.column}__isnull": True}),
    lambda value: not value,
)
PHONES = table(
    _key_contains,
    _key_eq,
    complement("ne", IS_NOT, _key_eq),
    _key_in,
    complement("not_in", IS_NONE, _key_in),
    complement("not_contains", CONTAINS_NOT, _key_contains),
    Operator(
        "starts_with",
        STARTS,
        "one",
        lambda place, operand: Q(key_like(place, before="", operand=operand, after="%")),
        lambda place, value, operand: part_holds(place, value, lambda key: key.startswith(operand)),
        key_part,
    ),
    *_no_keys,
)
EMAILS = {
    **PHONES,
    **table(
        Operator(
            "domain",
            gettext_lazy("is at the domain"),
            "one",
            lambda place, operand: Q(key_like(place, before="%", operand=operand, after="")),
            lambda place, value, operand: part_holds(place, value, lambda key: key.endswith(operand)),
            domain_operand,
        )
    ),
}


def plain(slug: str, label: Text, shape: Shape, lookup: str, holds: Callable[[Any, Any], bool]) -> Operator:
    return Operator(
        slug,
        label,
        shape,
        lambda place, operand: Q(**{f"{place.column}__{lookup}": operand}),
        lambda _place, value, operand: value is not None and holds(value, operand),
    )


def number_between(place: Place, operand: Any) -> Q:
    low, high = operand
    condition = Q(**{f"{place.column}__isnull": False})
    if low is not None:
        condition &= Q(**{f"{place.column}__gte": low})
    if high is not None:
        condition &= Q(**{f"{place.column}__lte": high})
    return condition


def is_between(_place: Place, value: Any, operand: Any) -> bool:
    low, high = operand
    return value is not None and (low is None or value >= low) and (high is None or value <= high)


_eq = plain("eq", IS, "one", "exact", lambda value, operand: value == operand)
_in = plain("in", IS_ANY, "many", "in", lambda value, operand: value in operand)
_set = (_eq, complement("ne", IS_NOT, _eq), _in, complement("not_in", IS_NONE, _in))
_nothing = emptiness(no_value, lambda value: value is None)
NUMBERS = table(
    *_set,
    plain("gt", gettext_lazy("is more than"), "one", "gt", lambda value, operand: value > operand),
    plain("gte", gettext_lazy("is at least"), "one", "gte", lambda value, operand: value >= operand),
    plain("lt", gettext_lazy("is less than"), "one", "lt", lambda value, operand: value < operand),
    plain("lte", gettext_lazy("is at most"), "one", "lte", lambda value, operand: value <= operand),
    Operator("between", gettext_lazy("is between"), "range", number_between, is_between),
    *_nothing,
)
BOOLEANS = table(_eq, complement("ne", IS_NOT, _eq))
CHOICES = table(*_set, *emptiness(text_empty, lambda value: not value))
IDS = table(*_set, *_nothing)


def timed(slug: str, label: Text, shape: Shape = "none") -> Operator:
    return Operator(slug, label, shape, partial(in_window, slug), partial(falls_in, slug))


_on = timed("eq", gettext_lazy("is on"), "one")
TIMES = table(
    _on,
    complement("ne", gettext_lazy("is not on"), _on),
    timed("lt", gettext_lazy("is before"), "one"),
    timed("lte", gettext_lazy("is on or before"), "one"),
    timed("gt", gettext_lazy("is after"), "one"),
    timed("gte", gettext_lazy("is on or after"), "one"),
    timed("between", gettext_lazy("is between"), "range"),
    timed("today", gettext_lazy("is today")),
    timed("yesterday", gettext_lazy("is yesterday")),
    timed("tomorrow", gettext_lazy("is tomorrow")),
    timed("this_week", gettext_lazy("is this week")),
    timed("last_week", gettext_lazy("is last week")),
    timed("next_week", gettext_lazy("is next week")),
    timed("this_month", gettext_lazy("is this month")),
    timed("last_month", gettext_lazy("is last month")),
    timed("next_month", gettext_lazy("is next month")),
    timed("this_quarter", gettext_lazy("is this quarter")),
    timed("this_year", gettext_lazy("is this year")),
    timed("last_n_days", gettext_lazy("is in the last … days"), "days"),
    timed("next_n_days", gettext_lazy("is in the next … days"), "days"),
    timed("more_than_n_days_ago", gettext_lazy("is more than … days ago"), "days"),
    timed("before_today", gettext_lazy("is before today")),
    timed("after_today", gettext_lazy("is after today")),
    *_nothing,
)

_has = Operator(
    "has",
    gettext_lazy("includes"),
    "one",
    lambda place, operand: linked_to(place, [operand]),
    lambda _place, value, operand: operand in link_ids(value),
)
_has_any = Operator(
    "has_any",
    gettext_lazy("includes any of"),
    "many",
    linked_to,
    lambda _place, value, operand: not link_ids(value).isdisjoint(operand),
)
_linked = Operator(
    "is_not_empty",
    gettext_lazy("is not empty"),
    "none",
    lambda place, _operand: linked_at_all(place),
    lambda _place, value, _operand: bool(value),
)
LINKS = table(
    _has,
    _has_any,
    complement("has_none", gettext_lazy("includes none of"), _has_any),
    complement("is_empty", gettext_lazy("is empty"), _linked),
    _linked,
    Operator("eq", _has.label, "one", _has.sql, _has.holds, listed=False),
    Operator("in", _has_any.label, "many", _has_any.sql, _has_any.holds, listed=False),
)

REFERENCES = table(
    Operator("eq", IS, "one", refers_to, lambda _place, value, operand: is_reference(value, operand)),
    Operator(
        "in",
        IS_ANY,
        "many",
        lambda place, operand: join_any(refers_to(place, one) for one in operand),
        lambda _place, value, operand: any(is_reference(value, one) for one in operand),
    ),
    Operator(
        "type_is",
        gettext_lazy("is a"),
        "one",
        lambda place, operand: Q(**{f"{place.field.slug}_type": operand, f"{place.field.slug}_id__isnull": False}),
        lambda _place, value, operand: bool(value) and value["type"] == operand,
        type_operand,
    ),
    *emptiness(lambda place: Q(**{f"{place.field.slug}_id__isnull": True}), lambda value: not value),
)

_list_refers = Operator(
    "has",
    gettext_lazy("includes"),
    "one",
    lambda place, operand: lists_reference(place, [operand]),
    lambda _place, value, operand: any(is_reference(one, operand) for one in value or ()),
)
_list_refers_any = Operator(
    "has_any",
    gettext_lazy("includes any of"),
    "many",
    lambda place, operand: lists_reference(place, operand),
    lambda _place, value, operand: any(is_reference(one, wanted) for one in value or () for wanted in operand),
)
REFERENCE_LISTS = table(
    _list_refers,
    _list_refers_any,
    complement("has_none", gettext_lazy("includes none of"), _list_refers_any),
    *emptiness(lambda place: list_empty(place), lambda value: not value),
)

_address_contains = Operator(
    "contains",
    CONTAINS,
    "one",
    lambda place, operand: in_either(address_line(place), operand, within),
    lambda _place, value, operand: either(address_text(value), operand, contains),
)
ADDRESSES = table(
    _address_contains,
    complement("not_contains", CONTAINS_NOT, _address_contains),
    *emptiness(address_empty, lambda value: not address_text(value).strip("\n")),
)

_list_has = Operator(
    "has",
    gettext_lazy("includes"),
    "one",
    lambda place, operand: list_has(place, [operand]),
    lambda _place, value, operand: operand in (value or ()),
)
_list_any = Operator(
    "has_any",
    gettext_lazy("includes any of"),
    "many",
    list_has,
    lambda _place, value, operand: any(one in (value or ()) for one in operand),
)
LISTS = table(
    _list_has,
    _list_any,
    complement("has_none", gettext_lazy("includes none of"), _list_any),
    *emptiness(list_empty, lambda value: not value),
)

OPERATORS: dict[Kind, dict[str, Operator]] = {
    Kind.TEXT: TEXTS,
    Kind.LONG_TEXT: TEXTS,
    Kind.URL: TEXTS,
    Kind.CURRENCY: TEXTS,
    Kind.EMAILS: EMAILS,
    Kind.PHONES: PHONES,
    Kind.INTEGER: NUMBERS,
    Kind.DECIMAL: NUMBERS,
    Kind.MONEY: NUMBERS,
    Kind.PERCENT: NUMBERS,
    Kind.BOOLEAN: BOOLEANS,
    Kind.DATE: TIMES,
    Kind.DATETIME: TIMES,
    Kind.CHOICE: CHOICES,
    Kind.RELATION: IDS,
    Kind.MEMBER: IDS,
    Kind.LINKS: LINKS,
    Kind.REFERENCE: REFERENCES,
    Kind.REFERENCES: REFERENCE_LISTS,
    Kind.ADDRESS: ADDRESSES,
    Kind.JSON_LIST: LISTS,
    Kind.CONDITION: {},
}


def default_operator(field: Field) -> str:
    """What ``?field=value`` in a query string means."""
    if field.kind in {Kind.LINKS, Kind.JSON_LIST, Kind.REFERENCES}:
        return "has"
    return "contains" if field.kind is Kind.ADDRESS else "eq"
