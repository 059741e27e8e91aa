"""A list in groups: by a choice, a member, a related record, yes or no, or the month of a date; counted in SQL."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db.models import F, Value
from django.db.models.functions import NullIf, TruncMonth
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm.records.display.presenting import choice_label
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum, Part, money_sums
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.text.folding import fold
from tenants.actors import Actor

MAX_GROUPS = 100
NONE = "none"


@dataclass(slots=True)
class Group:
    """Rows with one value, and what they come to in the money field asked for."""

    key: str
    label: str
    color: str = ""
    place: int = 0
    worth: MoneySum = field(default_factory=MoneySum)

    @property
    def count(self) -> int:
        return self.worth.rows


@dataclass(frozen=True, slots=True)
class Groups:
    groups: list[Group]
    others: int
    """How many groups are not shown, the smallest ones."""


def groups(
    actor: Actor, record_type: RecordType, wanted: reading.Query, slug: str, money: Field | None = None
) -> Groups:
    """The groups of a query's rows in one statement, and the names of what they are grouped by in another."""
    one = record_type.field(slug)
    value: Any = F(one.column)
    if one.kind is Kind.DATE:
        value = TruncMonth(one.column)
    elif one.kind is Kind.DATETIME:
        value = TruncMonth(one.column, tzinfo=actor.time_zone)
    elif one.kind is Kind.CHOICE:
        value = NullIf(one.column, Value(""))
    rows = reading.matching(actor, record_type, wanted).annotate(group_value=value)
    sums = money_sums(actor, rows, money, {"worth": Part()}, by="group_value", most=MAX_GROUPS)
    largest = islice(sums.items(), MAX_GROUPS)
    shown = [Group(key_of(one, raw), "", worth=parts["worth"]) for raw, parts in largest]
    name(actor, one, shown)
    return Groups(in_order(one, shown), len(sums) - len(shown))


def key_of(one: Field, value: Any) -> str:
    if value is None or value == "":
        return NONE
    if isinstance(value, bool):
        return "true" if value else "false"
    if one.kind in {Kind.DATE, Kind.DATETIME}:
        return f"{value:%Y-%m}"
    return str(value)


def name(actor: Actor, one: Field, found: Iterable[Group]) -> None:
    keys = [group.key for group in found if group.key != NONE]
    titles: dict[str, str] = {}
    if one.kind in {Kind.RELATION, Kind.MEMBER}:
        named = reading.titles(actor, {(one.target, UUID(key)) for key in keys})
        titles = {str(id): title or _("Untitled") for (_type, id), title in named.items()}
    places = placed(one, keys)
    for group in found:
        group.place = places.get(group.key, 0)
        if group.key == NONE:
            group.label = _("No %(field)s") % {"field": str(one.label).lower()}
        elif one.kind is Kind.CHOICE:
            group.label, group.color = choice_label(one, group.key)
        elif one.kind is Kind.BOOLEAN:
            group.label = _("Yes") if group.key == "true" else _("No")
        elif one.kind in {Kind.DATE, Kind.DATETIME}:
            group.label = date_format(month(group.key)[0], "F Y")
        else:
            group.label = titles.get(group.key, _("not visible to you"))


def placed(one: Field, keys: Sequence[str]) -> dict[str, int]:
    """Where records stand that people put in an order, such as stages."""
    if one.kind is not Kind.RELATION or "position" not in registry.get(one.target).by_slug:
        return {}
    rows = registry.get(one.target).rows.filter(pk__in=keys).values_list("pk", "position")
    return {str(pk): position or 0 for pk, position in rows}


def in_order(one: Field, found: list[Group]) -> list[Group]:
    """Choices as they are declared, months from the last on, all else by place and name; without a value last."""
    if one.kind is Kind.CHOICE:
        places = {choice.value: place for place, choice in enumerate(one.choices)}
        return sorted(found, key=lambda group: (group.key == NONE, places.get(group.key, len(places))))
    if one.kind in {Kind.DATE, Kind.DATETIME}:
        dated = sorted((group for group in found if group.key != NONE), key=lambda group: group.key, reverse=True)
        return [*dated, *(group for group in found if group.key == NONE)]
    return sorted(found, key=lambda group: (group.key == NONE, group.place, fold(group.label)))


def month(key: str) -> tuple[date, date]:
    """The first and last day of ``2026-05``. Raises ValueError."""
    first = date.fromisoformat(f"{key}-01")
    return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def condition(one: Field, key: str) -> dict[str, Any] | None:
    """The rows of one group, as a condition; None for a key that is none."""
    if key == NONE:
        return {"field": one.slug, "op": "is_empty"}
    if one.kind in {Kind.DATE, Kind.DATETIME}:
        try:
            first, last = month(key)
        except ValueError:
            return None
        return {"field": one.slug, "op": "between", "value": [first.isoformat(), last.isoformat()]}
    if one.kind is Kind.BOOLEAN:
        return {"field": one.slug, "op": "eq", "value": key == "true"}
    return {"field": one.slug, "op": "eq", "value": key}
