"""The query language: a JSON tree of conditions, compiled to SQL here and nowhere else.

A tree is ``{"all": [tree, …]}``, ``{"any": [tree, …]}``, ``{"not": tree}`` or a condition
``{"field": "amount", "op": "gte", "value": "100"}``. A field may take one hop over a relation: ``company.industry``.

Every condition is either true or false, for a row without a value as well: nothing is equal to, in, before or greater
than an empty value, and so ``ne``, ``not_in`` and ``not_contains`` hold for it. ``not`` is the exact complement. A
condition over a relation holds when there is a related row that the actor may see, outside the trash, for which it
holds. Texts are compared folded: without case and accents. Days begin at midnight in the actor's time zone, weeks on
Monday. ``OPERATORS`` has for each operator its SQL and its judgement in Python; ``matches`` uses the latter.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, Literal
from uuid import UUID

from django.apps import apps
from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import BooleanField, F, Func, IntegerField, Q, QuerySet, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Coalesce, Concat, Right, StrIndex
from django.db.models.lookups import Exact, GreaterThan, In
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from crm.records.errors import BadQuery
from crm.records.folding import SPACED, Fold, escape_like, fold, search_patterns
from crm.records.normalising import email_key, phone_number, region_of
from crm.records.parsing import ADDRESS_PARTS
from crm.records.parsing import keys as normalised_keys
from crm.records.types import MEMBER_TARGET, Field, Kind, RecordType, Text, everyone, nearest, registry
from crm.records.visibility import hidden_slugs, readable_fields
from tenants.actors import Actor

type Tree = Mapping[str, Any]
type Shape = Literal["one", "many", "none", "range", "days"]

MAX_DEPTH = 5
MAX_CONDITIONS = 50
MAX_GROUPS = 100
MAX_VALUES = 500
MAX_TEXT = 1000
MAX_DAYS = 36_500
INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)

MEMBER_TYPE = RecordType(
    slug=MEMBER_TARGET,
    plural="members",
    label=gettext_lazy("Member"),
    label_plural=gettext_lazy("Members"),
    icon="user",
    model="workspace.Member",
    fields=(
        Field(slug="name", label=gettext_lazy("Name"), kind=Kind.TEXT),
        Field(slug="email", label=gettext_lazy("Email"), kind=Kind.TEXT),
    ),
    visible=everyone,
)
"""What relations to members show of them; members are no records."""

ID_FIELD = Field(slug="id", label="ID", kind=Kind.RELATION, target="id", editable=False)


class NotTrue(Func):
    """True where its condition is false or unknown."""

    output_field = BooleanField()
    arity = 1

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        try:
            sql, params = compiler.compile(self.source_expressions[0])
        except EmptyResultSet:
            raise FullResultSet from None
        except FullResultSet:
            raise EmptyResultSet from None
        return f"(({sql}) IS NOT TRUE)", tuple(params)


class StartsWith(Func):
    function = "starts_with"
    arity = 2
    output_field = BooleanField()


class Overlap(Func):
    template = "(%(expressions)s)"
    arg_joiner = " && "
    output_field = BooleanField()
    arity = 2


class TextArray(Func):
    template = "ARRAY[%(expressions)s]::text[]"


class JsonHas(Func):
    template = "(%(expressions)s)"
    arg_joiner = " @> "
    output_field = BooleanField()
    arity = 2


class JsonText(Func):
    template = "to_jsonb(%(expressions)s::text)"
    arity = 1


def literal(text: str) -> Value:
    return Value(text, output_field=TextField())


def false() -> Q:
    return Q(Value(False, output_field=BooleanField()))


def negated(condition: Any) -> Q:
    return Q(NotTrue(condition))


@dataclass(frozen=True, slots=True)
class Context:
    """Whose question it is, and when it is asked."""

    actor: Actor
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.actor.time_zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self.actor.time_zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a record type, as a condition reads it."""

    rt: RecordType
    field: Field
    context: Context

    @property
    def column(self) -> str:
        return "pk" if self.field is ID_FIELD else self.field.column


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


# -- values ------------------------------------------------------------------------------------------------------------


def refuse(field: Field, message: str) -> BadQuery:
    return BadQuery(f"{field.slug}: {message}", param=field.slug, code="bad_value")


def text_operand(place: Place, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise refuse(place.field, _("a text is expected."))
    if len(value) > MAX_TEXT or "\0" in value:
        raise refuse(place.field, _("this text cannot be searched for."))
    return fold(value)


def uuid_operand(place: Place, value: Any) -> UUID:
    if place.field.kind in {Kind.MEMBER, Kind.REFERENCES} and value == "me":
        return place.context.actor.member_id or UUID(int=0)
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise refuse(place.field, _("an id is expected.")) from None


def number_operand(place: Place, value: Any) -> Decimal | int:
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal | float):
        raise refuse(place.field, _("a number is expected."))
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        raise refuse(place.field, _("a number is expected.")) from None
    if not number.is_finite() or abs(number.adjusted()) > 30:
        raise refuse(place.field, _("a number is expected."))
    if isinstance(place.rt.model_class._meta.get_field(place.column), IntegerField):
        if number != number.to_integral_value():
            raise refuse(place.field, _("a whole number is expected."))
        return int(number)
    return number


def moment_operand(place: Place, value: Any) -> date | datetime:
    """A date is a whole day; a time without a zone is in the actor's."""
    found: date | datetime | None = value if isinstance(value, date) else None
    if isinstance(value, str):
        text = value.strip()
        try:
            found = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        except ValueError:
            found = None
    if found is None or not 1 < found.year < 9998 or (isinstance(found, datetime) and place.field.kind is Kind.DATE):
        raise refuse(place.field, _("a date like 2026-05-31 is expected."))
    if isinstance(found, datetime):
        zoned = found if found.tzinfo else found.replace(tzinfo=place.context.actor.time_zone)
        return zoned.astimezone(UTC)
    return found


def flag_operand(place: Place, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise refuse(place.field, _("true or false is expected."))
    return found


def choice_operand(place: Place, value: Any) -> str:
    known = [choice.value for choice in place.field.choices]
    if value not in known:
        raise BadQuery(
            _("%(field)s has no choice “%(value)s”.") % {"field": place.field.slug, "value": shown(value)},
            param=place.field.slug,
            nearest=nearest(str(value), known),
            code="unknown_choice",
        )
    return str(value)


def reference_operand(place: Place, value: Any) -> tuple[str | None, UUID]:
    if not isinstance(value, Mapping):
        return None, uuid_operand(place, value)
    return type_operand(place, value.get("type")), uuid_operand(place, value.get("id"))


def type_operand(place: Place, value: Any) -> str:
    known = [*(place.field.targets or (rt.slug for rt in registry.all()))]
    if value not in known:
        raise BadQuery(
            _("There is no record type “%(value)s”.") % {"value": shown(value)},
            param=place.field.slug,
            nearest=nearest(str(value), known),
            code="unknown_type",
        )
    return str(value)


def key_operand(place: Place, value: Any) -> str:
    """A whole email address or phone number, as its key."""
    text_operand(place, value)
    if place.field.kind is Kind.EMAILS:
        return email_key(value)
    return phone_number(value, region_of(place.context.actor.tenant))[1]


def key_part(place: Place, value: Any) -> str:
    """Part of an address, or some digits of a number: without the zeros that are dialled in front."""
    text_operand(place, value)
    if place.field.kind is Kind.EMAILS:
        return email_key(value)
    digits = re.sub(r"\D", "", value).removeprefix("00").lstrip("0")
    if not digits:
        raise refuse(place.field, _("a phone number is expected."))
    return digits


def plain_operand(place: Place, value: Any) -> str:
    text_operand(place, value)
    return str(value)


def domain_operand(place: Place, value: Any) -> str:
    text_operand(place, value)
    return "@" + email_key(value).removeprefix("@")


def days_operand(place: Place, value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 9 else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_DAYS:
        raise refuse(place.field, _("a number of days is expected."))
    return number


OPERANDS: dict[Kind, Callable[[Place, Any], Any]] = {
    Kind.TEXT: text_operand,
    Kind.LONG_TEXT: text_operand,
    Kind.URL: text_operand,
    Kind.CURRENCY: text_operand,
    Kind.EMAILS: key_operand,
    Kind.PHONES: key_operand,
    Kind.ADDRESS: text_operand,
    Kind.INTEGER: number_operand,
    Kind.DECIMAL: number_operand,
    Kind.MONEY: number_operand,
    Kind.PERCENT: number_operand,
    Kind.BOOLEAN: flag_operand,
    Kind.DATE: moment_operand,
    Kind.DATETIME: moment_operand,
    Kind.CHOICE: choice_operand,
    Kind.RELATION: uuid_operand,
    Kind.MEMBER: uuid_operand,
    Kind.LINKS: uuid_operand,
    Kind.REFERENCE: reference_operand,
    Kind.REFERENCES: reference_operand,
    Kind.JSON_LIST: plain_operand,
    Kind.CONDITION: plain_operand,
}


def operand_of(place: Place, operator: Operator, value: Any) -> Any:
    parse = operator.operand or OPERANDS[place.field.kind]
    match operator.value_shape:
        case "none":
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


def shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"


# -- texts -------------------------------------------------------------------------------------------------------------


def folded(place: Place) -> Fold:
    return Fold(F(place.column))


def text(value: Any) -> str:
    return fold(value or "")


def text_empty(place: Place) -> Q:
    return Q(**{place.column: ""}) | Q(**{f"{place.column}__isnull": True})


def ends(place: Place, operand: str) -> Q:
    return Q(Exact(Right(folded(place), len(operand)), operand)) if operand else negated(text_empty(place))


# -- keys of emails and phones -----------------------------------------------------------------------------------------


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


class KeyLike(Func):
    """Whether one of the keys is like a pattern."""

    template = "EXISTS (SELECT FROM unnest(%(keys)s) AS key WHERE ltrim(key, '+') LIKE %(pattern)s)"
    output_field = BooleanField()
    arity = 2

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        (keys_sql, keys_params), (like_sql, like_params) = map(compiler.compile, self.source_expressions)
        return self.template % {"keys": keys_sql, "pattern": like_sql}, (*keys_params, *like_params)


def key_like(place: Place, *, before: str, operand: str, after: str) -> KeyLike:
    return KeyLike(F(place.field.keys_column), literal(f"{before}{escape_like(operand)}{after}"))


# -- times -------------------------------------------------------------------------------------------------------------

type Window = tuple[date | datetime | None, date | datetime | None]


def span(place: Place, operand: date | datetime) -> tuple[date | datetime, date | datetime]:
    """From when until before when: of a moment itself, or of a day."""
    if isinstance(operand, datetime):
        return operand, operand + INSTANT
    if place.field.kind is Kind.DATE:
        return operand, operand + DAY
    return place.context.midnight(operand), place.context.midnight(operand + DAY)


def days(place: Place, first: date | None, last: date | None) -> Window:
    """Whole days from the first to the last."""
    return first and span(place, first)[0], last and span(place, last)[1]


def month(day: date, offset: int, months: int = 1) -> tuple[date, date]:
    """First and last day of ``months`` months, beginning ``offset`` months after that of ``day``."""
    index = day.year * 12 + day.month - 1 + offset
    after = index + months
    return date(index // 12, index % 12 + 1, 1), date(after // 12, after % 12 + 1, 1) - DAY


def relative(name: str, today: date) -> tuple[date | None, date | None]:
    monday = today - today.weekday() * DAY
    match name:
        case "today":
            return today, today
        case "yesterday":
            return today - DAY, today - DAY
        case "tomorrow":
            return today + DAY, today + DAY
        case "this_week":
            return monday, monday + 6 * DAY
        case "last_week":
            return monday - 7 * DAY, monday - DAY
        case "next_week":
            return monday + 7 * DAY, monday + 13 * DAY
        case "this_month":
            return month(today, 0)
        case "last_month":
            return month(today, -1)
        case "next_month":
            return month(today, 1)
        case "this_quarter":
            return month(today, -((today.month - 1) % 3), 3)
        case "this_year":
            return date(today.year, 1, 1), date(today.year, 12, 31)
        case "before_today":
            return None, today - DAY
        case "after_today":
            return today + DAY, None
    raise KeyError(name)


def window(name: str, place: Place, operand: Any) -> Window:
    """From when (included) until when (excluded) the operator holds."""
    match name:
        case "eq":
            return span(place, operand)
        case "gt":
            return span(place, operand)[1], None
        case "gte":
            return span(place, operand)[0], None
        case "lt":
            return None, span(place, operand)[0]
        case "lte":
            return None, span(place, operand)[1]
        case "between":
            first, last = operand
            return first and span(place, first)[0], last and span(place, last)[1]
        case "last_n_days":
            return days(place, place.context.today - operand * DAY, place.context.today)
        case "next_n_days":
            return days(place, place.context.today, place.context.today + operand * DAY)
        case "more_than_n_days_ago":
            return days(place, None, place.context.today - (operand + 1) * DAY)
    return days(place, *relative(name, place.context.today))


def in_window(name: str, place: Place, operand: Any) -> Q:
    first, end = window(name, place, operand)
    condition = Q(**{f"{place.column}__isnull": False})
    if first is not None:
        condition &= Q(**{f"{place.column}__gte": first})
    if end is not None:
        condition &= Q(**{f"{place.column}__lt": end})
    return condition


def falls_in(name: str, place: Place, value: Any, operand: Any) -> bool:
    if value is None:
        return False
    first, end = window(name, place, operand)
    return (first is None or value >= first) and (end is None or value < end)


# -- links, references, addresses, lists -------------------------------------------------------------------------------


def target_type(slug: str) -> RecordType:
    return MEMBER_TYPE if slug == MEMBER_TARGET else registry.get(slug)


def target_rows(actor: Actor, target: RecordType) -> QuerySet[Any]:
    """Rows of a relation's other side that the actor may see, none from the trash."""
    rows = target.visible_to(actor)
    return rows if target is MEMBER_TYPE else rows.filter(deleted_at__isnull=True)


def linked(place: Place, rows: QuerySet[Any]) -> Q:
    through = apps.get_model(place.field.through)
    links = through._default_manager.filter(**{f"{place.field.target}__in": rows.values("pk")})
    return Q(pk__in=links.values(f"{place.rt.slug}_id"))


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


def address_line(place: Place) -> Fold:
    """An address as one text, a part a line."""
    parts: list[Combinable] = []
    for key in ADDRESS_PARTS:
        parts += [Coalesce(KeyTextTransform(key, place.column), literal("")), literal("\n")]
    return Fold(Concat(*parts, output_field=TextField()))


def address_text(value: Any) -> str:
    return fold("".join(f"{(value or {}).get(key) or ''}\n" for key in ADDRESS_PARTS))


def address_empty(place: Place) -> Q:
    return Q(Exact(address_line(place), "\n" * len(ADDRESS_PARTS)))


def list_has(place: Place, operands: Sequence[str]) -> Q:
    return join_any(Q(JsonHas(F(place.column), JsonText(literal(one)))) for one in operands)


def list_empty(place: Place) -> Q:
    return Q(**{place.column: []}) | Q(**{f"{place.column}__isnull": True})


# -- the table ---------------------------------------------------------------------------------------------------------


def join_any(conditions: Iterable[Q]) -> Q:
    found = list(conditions)
    if not found:
        return false()
    first, *more = found
    for one in more:
        first |= one
    return first


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
    lambda place, operand: Q(Exact(folded(place), operand)),
    lambda _place, value, operand: text(value) == operand,
)
_text_in = Operator(
    "in",
    IS_ANY,
    "many",
    lambda place, operand: Q(In(folded(place), operand)),
    lambda _place, value, operand: text(value) in operand,
)
_text_contains = Operator(
    "contains",
    CONTAINS,
    "one",
    lambda place, operand: Q(GreaterThan(StrIndex(folded(place), literal(operand)), 0)),
    lambda _place, value, operand: operand in text(value),
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
        lambda place, operand: Q(StartsWith(folded(place), literal(operand))),
        lambda _place, value, operand: text(value).startswith(operand),
    ),
    Operator(
        "ends_with",
        gettext_lazy("ends with"),
        "one",
        ends,
        lambda _place, value, operand: text(value).endswith(operand) if operand else bool(value),
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
    lambda place, operand: Q(GreaterThan(StrIndex(address_line(place), literal(operand)), 0)),
    lambda _place, value, operand: operand in address_text(value),
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


def operators(field: Field) -> list[Operator]:
    """The operators to offer for a field, the usual one first."""
    return [one for one in OPERATORS[field.kind].values() if one.listed]


def default_operator(field: Field) -> str:
    """What ``?field=value`` in a query string means."""
    if field.kind in {Kind.LINKS, Kind.JSON_LIST, Kind.REFERENCES}:
        return "has"
    return "contains" if field.kind is Kind.ADDRESS else "eq"


# -- trees -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a tree: ``hop`` is the relation it goes over, if any."""

    hop: Field | None
    place: Place
    operator: Operator
    operand: Any


@dataclass(frozen=True, slots=True)
class Group:
    """``all`` or ``any`` of its parts, or ``not`` its one part."""

    joint: Literal["all", "any", "not"]
    parts: tuple["Group | Condition", ...]


def known_fields(actor: Actor, rt: RecordType) -> list[str]:
    system = () if rt is MEMBER_TYPE else ("created_at", "updated_at", "created_by", "deleted_at", "is_sample")
    return [*(one.slug for one in readable_fields(actor, rt) if one.filterable), *system, "id"]


def field_named(actor: Actor, rt: RecordType, slug: str, param: str) -> Field:
    known = known_fields(actor, rt)
    if slug not in known:
        raise BadQuery(
            _("There is no field “%(field)s” to filter %(noun)s by.")
            % {"field": shown(slug), "noun": str(rt.label_plural)},
            param=shown(param),
            nearest=nearest(slug, known),
            code="unknown_field",
        )
    return ID_FIELD if slug == "id" else rt.field(slug)


def operator_named(field: Field, slug: str, param: str) -> Operator:
    known = OPERATORS[field.kind]
    found = known.get(slug)
    if found is None:
        raise BadQuery(
            _("The field “%(field)s” has no operator “%(operator)s”; it has: %(known)s.")
            % {"field": param, "operator": shown(slug), "known": ", ".join(known)},
            param=f"{param}[{shown(slug)}]",
            nearest=nearest(slug, known),
            code="unknown_operator",
        )
    return found


class Reader:
    """Reads a tree for one actor, counting as it goes."""

    def __init__(self, rt: RecordType, context: Context) -> None:
        self.rt = rt
        self.context = context
        self.count = self.groups = 0

    def read(self, tree: Any, depth: int = 1) -> Group | Condition:
        if not isinstance(tree, Mapping):
            raise BadQuery(_("A condition is an object with all, any, not or field."), param="filter", code="bad_tree")
        if depth > MAX_DEPTH:
            raise BadQuery(
                _("Conditions may be nested %(most)d deep.") % {"most": MAX_DEPTH}, param="filter", code="too_deep"
            )
        if "field" in tree:
            return self.condition(tree)
        if len(tree) != 1 or next(iter(tree)) not in ("all", "any", "not"):
            unknown = next((str(key) for key in tree if key not in ("all", "any", "not")), "")
            raise BadQuery(
                _("A condition has one of all, any, not or field; here is “%(found)s”.") % {"found": shown(unknown)},
                param=shown(unknown) or "filter",
                nearest=nearest(unknown, ("all", "any", "not", "field")),
                code="bad_tree",
            )
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise self.too_many()
        joint, inner = next(iter(tree.items()))
        if joint == "not":
            return Group("not", (self.read(inner, depth + 1),))
        if not isinstance(inner, Sequence) or isinstance(inner, str):
            raise BadQuery(
                _("“%(joint)s” takes a list of conditions.") % {"joint": joint}, param=joint, code="bad_tree"
            )
        return Group(joint, tuple(self.read(part, depth + 1) for part in inner))

    def too_many(self) -> BadQuery:
        return BadQuery(
            _("A query may have %(most)d conditions.") % {"most": MAX_CONDITIONS}, param="filter", code="too_many"
        )

    def condition(self, tree: Tree) -> Condition:
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise self.too_many()
        for key in tree:
            if key not in ("field", "op", "value"):
                raise BadQuery(
                    _("A condition has field, op and value, no “%(key)s”.") % {"key": shown(key)},
                    param=shown(key),
                    nearest=nearest(str(key), ("field", "op", "value")),
                    code="bad_tree",
                )
        path = tree["field"]
        if not isinstance(path, str):
            raise BadQuery(_("The name of a field is a text."), param="field", code="bad_tree")
        first, dot, rest = path.partition(".")
        rt, hop = self.rt, None
        actor = self.context.actor
        field = field_named(actor, rt, first, path)
        if dot:
            if field.kind not in {Kind.RELATION, Kind.MEMBER, Kind.LINKS} or field is ID_FIELD:
                raise BadQuery(
                    _("“%(field)s” is no relation.") % {"field": first}, param=shown(path), code="unknown_field"
                )
            hop, rt = field, target_type(field.target)
            field = field_named(actor, rt, rest, path)
        operator = operator_named(field, str(tree.get("op", default_operator(field))), path)
        place = Place(rt, field, self.context)
        return Condition(hop, place, operator, operand_of(place, operator, tree.get("value")))


def parse(actor: Actor, rt: RecordType, tree: Tree | None, *, now: datetime | None = None) -> Group | Condition:
    """A tree read and checked. Raises BadQuery."""
    context = Context(actor, now or datetime.now(UTC))
    return Group("all", ()) if not tree else Reader(rt, context).read(tree)


def validate(actor: Actor, rt: RecordType, tree: Tree | None) -> Tree:
    """The tree with all that it leaves unsaid, when it can be asked; else raises BadQuery naming what is wrong."""
    parse(actor, rt, tree)
    return spelled_out(actor, rt, tree) if tree else {}


def spelled_out(actor: Actor, rt: RecordType, tree: Tree) -> dict[str, Any]:
    """A tree that was read, with every operator named and every list of values a list."""
    if "field" not in tree:
        joint, inner = next(iter(tree.items()))
        if joint == "not":
            return {joint: spelled_out(actor, rt, inner)}
        return {joint: [spelled_out(actor, rt, part) for part in inner]}
    first, dot, rest = tree["field"].partition(".")
    field = field_named(actor, rt, first, first)
    if dot:
        field = field_named(actor, target_type(field.target), rest, rest)
    operator = OPERATORS[field.kind][str(tree.get("op", default_operator(field)))]
    condition = {"field": tree["field"], "op": operator.slug}
    if operator.value_shape == "none":
        return condition
    value = tree.get("value")
    if operator.value_shape in {"many", "range"} and isinstance(value, str):
        value = value.split(",")
    return {**condition, "value": value}


def compile(actor: Actor, rt: RecordType, tree: Tree | None, *, now: datetime | None = None) -> Q:
    """The tree as a condition on rows of the type. Raises BadQuery."""
    return to_sql(actor, rt, parse(actor, rt, tree, now=now))


def to_sql(actor: Actor, rt: RecordType, node: Group | Condition) -> Q:
    if isinstance(node, Condition):
        return condition_sql(actor, rt, node)
    parts = [to_sql(actor, rt, part) for part in node.parts]
    if node.joint == "not":
        return negated(parts[0]) if parts[0] else false()
    if node.joint == "any":
        return Q() if any(not part for part in parts) else join_any(parts)
    joined = Q()
    for part in parts:
        joined &= part
    return joined


def condition_sql(actor: Actor, rt: RecordType, condition: Condition) -> Q:
    own = condition.operator.sql(condition.place, condition.operand)
    if condition.hop is None:
        return own
    rows = target_rows(actor, condition.place.rt).filter(own)
    if condition.hop.kind is Kind.LINKS:
        return linked(Place(rt, condition.hop, condition.place.context), rows)
    return Q(**{f"{condition.hop.column}__in": rows.values("pk")})


# -- in Python ---------------------------------------------------------------------------------------------------------

type Related = Callable[[Field, UUID], Mapping[str, Any] | None]


def as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def native(field: Field, value: Any) -> Any:
    """A snapshot's value, JSON or native, as the operators compare it."""
    if value is None:
        return None
    match field.kind:
        case Kind.RELATION | Kind.MEMBER:
            return as_uuid(value["id"] if isinstance(value, Mapping) else value)
        case Kind.DECIMAL | Kind.MONEY | Kind.PERCENT:
            return Decimal(str(value))
        case Kind.DATE:
            return date.fromisoformat(value) if isinstance(value, str) else value
        case Kind.DATETIME:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
            return found.astimezone(UTC)
    return value


def matches(
    actor: Actor,
    rt: RecordType,
    tree: Tree | None,
    snapshot: Mapping[str, Any],
    *,
    related: Related | None = None,
    now: datetime | None = None,
) -> bool:
    """Whether a snapshot of a record (field slug → value) satisfies the tree, judged as ``compile`` would.

    ``related(field, id)`` gives the snapshot of a related row the actor may see, or None; without it a condition over
    a relation is looked up in an expanded value (a mapping) of the snapshot itself. Raises BadQuery.
    """
    return judge(parse(actor, rt, tree, now=now), snapshot, related)


def judge(node: Group | Condition, snapshot: Mapping[str, Any], related: Related | None) -> bool:
    if isinstance(node, Condition):
        return condition_holds(node, snapshot, related)
    held = (judge(part, snapshot, related) for part in node.parts)
    return all(held) if node.joint == "all" else any(held) if node.joint == "any" else not next(held)


def condition_holds(condition: Condition, snapshot: Mapping[str, Any], related: Related | None) -> bool:
    place, operator = condition.place, condition.operator
    rows = [snapshot] if condition.hop is None else related_rows(condition.hop, snapshot, related)
    return any(operator.holds(place, native(place.field, row.get(place.field.slug)), condition.operand) for row in rows)


def related_rows(hop: Field, snapshot: Mapping[str, Any], related: Related | None) -> list[Mapping[str, Any]]:
    value = snapshot.get(hop.slug)
    given = list(value or ()) if hop.kind is Kind.LINKS else [value] if value else []
    if related is None:
        return [one for one in given if isinstance(one, Mapping)]
    ids = [as_uuid(one["id"] if isinstance(one, Mapping) else one) for one in given]
    return [row for row in (related(hop, id) for id in ids) if row is not None]


# -- search ------------------------------------------------------------------------------------------------------------


def search_q(actor: Actor, rt: RecordType, text: str) -> Q:
    """Rows whose search text has every term; one or two characters are looked for at the beginning of words.

    ``search_text`` has what all may search. Where the role hides a searched field, each term must be in one of the
    others too, so that nobody finds a record by what he may not read.
    """
    if len(text) > MAX_TEXT or "\0" in text:
        raise BadQuery(_("This text cannot be searched for."), param="search", code="bad_value")
    places: list[Any] = [F("search_text")]
    hidden = hidden_slugs(actor, rt)
    if any(one.searchable and one.slug in hidden for one in rt.fields):
        places.append(searched_text([one for one in rt.fields if one.searchable and one.slug not in hidden]))
    condition = Q()
    for group in search_patterns(text):
        for place in places:
            condition &= join_any(Q(Like(place, literal(pattern))) for pattern in group)
    return condition


def searched_text(fields: Sequence[Field]) -> "SearchForm":
    """What these fields give to the search text of a row, in the same form."""
    parts: list[Any] = []
    for one in fields:
        if one.kind is Kind.ADDRESS:
            parts += [Coalesce(KeyTextTransform(key, one.column), literal("")) for key in ADDRESS_PARTS]
        elif one.keys_column:
            parts += [ListedValues(F(one.column)), Joined(F(one.keys_column))]
        else:
            parts.append(Coalesce(Cast(F(one.column), TextField()), literal("")))
    spaced: list[Any] = [part for pair in zip(parts, [literal(" ")] * len(parts), strict=True) for part in pair]
    return SearchForm(
        Fold(Concat(literal(""), literal(""), *spaced, output_field=TextField())), literal(SPACED.pattern)
    )


class SearchForm(Func):
    """``folding.search_form`` of a folded text, in SQL."""

    template = "(' ' || btrim(regexp_replace(regexp_replace(%(text)s, %(spaced)s, ' \\1 ', 'g'), '\\s+', ' ', 'g')))"
    output_field = TextField()
    arity = 2

    def as_sql(self, compiler: Any, connection: Any, *args: Any, **extra: Any) -> tuple[str, tuple[Any, ...]]:
        (text, text_params), (spaced, spaced_params) = map(compiler.compile, self.source_expressions)
        return self.template % {"text": text, "spaced": spaced}, (*text_params, *spaced_params)


class ListedValues(Func):
    """The values of a JSON list of ``{"value", "label"}``, one behind the other."""

    template = (
        "coalesce((SELECT string_agg(one ->> 'value', ' ') FROM jsonb_array_elements(%(expressions)s) AS one), '')"
    )
    output_field = TextField()
    arity = 1


class Joined(Func):
    """A text array as one text."""

    template = "coalesce(array_to_string(%(expressions)s, ' '), '')"
    output_field = TextField()
    arity = 1


class Like(Func):
    template = "(%(expressions)s)"
    arg_joiner = " LIKE "
    arity = 2
    output_field = BooleanField()
