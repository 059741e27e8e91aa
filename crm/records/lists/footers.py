"""What stands under a list: each column summed up over all rows, in SQL, money in the workspace's currency."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Avg, Count, Max, Min, Q, Sum
from django.utils.translation import gettext_lazy

from crm.records.access.visibility import readable_fields
from crm.records.lists.saved_views import LISTED_SYSTEM_FIELDS, NO_FOOTER, footers_for
from crm.records.read import reading
from crm.records.read.currencies_used import MoneySum, money_sum
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.workspace.text.formats import date_text, moment_text, money_text, number_text
from tenants.actors import Actor

LABELS = {
    "count": gettext_lazy("Filled"),
    "empty": gettext_lazy("Empty"),
    "sum": gettext_lazy("Sum"),
    "average": gettext_lazy("Average"),
    "min": gettext_lazy("Least"),
    "max": gettext_lazy("Greatest"),
    NO_FOOTER: gettext_lazy("Nothing"),
}
DATED_LABELS = {"min": gettext_lazy("First"), "max": gettext_lazy("Last")}
AGGREGATES = {"sum": Sum, "average": Avg, "min": Min, "max": Max}


@dataclass(frozen=True, slots=True)
class Footer:
    """``text`` is the figure; of the sum of money it is what ``worth`` holds."""

    how: str
    label: str
    text: str = ""
    worth: MoneySum | None = None

    @property
    def sums(self) -> dict[str, Decimal]:
        return self.worth.sums if self.worth else {}


def label_of(one: Field, how: str) -> str:
    dated = one.kind in {Kind.DATE, Kind.DATETIME}
    return str(DATED_LABELS[how] if dated and how in DATED_LABELS else LABELS[how])


def footers(
    actor: Actor, record_type: RecordType, wanted: reading.Query, chosen: Mapping[str, str]
) -> tuple[int, dict[str, Footer]]:
    """How many rows there are, and what each column comes to: one statement, and one a money field."""
    rows = reading.matching(actor, record_type, wanted).order_by()
    readable = {*(one.slug for one in readable_fields(actor, record_type)), *LISTED_SYSTEM_FIELDS}
    fields = {
        slug: record_type.field(slug)
        for slug, how in chosen.items()
        if slug in readable and how in footers_for(record_type.field(slug)) and how != NO_FOOTER
    }
    plain: dict[str, Any] = {"all_rows": Count("pk")}
    for slug, one in fields.items():
        how = chosen[slug]
        if how in {"count", "empty"}:
            plain[f"of_{slug}"] = Count("pk", filter=~filled(one) if how == "empty" else filled(one))
        elif one.kind is not Kind.MONEY:
            plain[f"of_{slug}"] = AGGREGATES[how](one.column)
    found = rows.aggregate(**plain)
    made: dict[str, Footer] = {}
    for slug, one in fields.items():
        how = chosen[slug]
        label = label_of(one, how)
        if f"of_{slug}" in found:
            made[slug] = Footer(how, label, value_text(actor, one, how, found[f"of_{slug}"]))
        else:
            made[slug] = money(actor, rows, one, how, label)
    return found["all_rows"], made


def filled(one: Field) -> Q:
    if one.kind in {Kind.TEXT, Kind.URL, Kind.CHOICE, Kind.CURRENCY}:
        return ~Q(**{one.column: ""}) & Q(**{f"{one.column}__isnull": False})
    return Q(**{f"{one.column}__isnull": False})


def money(actor: Actor, rows: Any, one: Field, how: str, label: str) -> Footer:
    if how == "sum":
        return Footer(how, label, "–", worth=money_sum(actor, rows, one))
    pairs = rows.filter(**{f"{one.slug}__isnull": False}).values_list(one.currency)
    found: dict[str, Decimal] = dict(pairs.annotate(AGGREGATES[how](one.slug)))
    return Footer(how, label, " · ".join(money_text(amount, code) for code, amount in sorted(found.items())) or "–")


def value_text(actor: Actor, one: Field, how: str, value: Any) -> str:
    if value is None:
        return "–"
    if how in {"count", "empty"}:
        return number_text(value)
    if one.kind is Kind.DATE:
        return date_text(value)
    if one.kind is Kind.DATETIME:
        return moment_text(value)
    text = number_text(round(Decimal(value), 2))
    return f"{text} %" if one.kind is Kind.PERCENT else text
