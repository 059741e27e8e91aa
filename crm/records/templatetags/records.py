"""What templates of records need beside the components: links by reference, sums in order."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django import template
from django.utils.safestring import SafeString

from crm.records.display.presenting import record_url
from crm.records.schema import mentions as mentioning
from crm.records.schema.registry import registry

register = template.Library()


@register.filter
def record_href(reference: Mapping[str, Any]) -> str:
    """The address of what a ``{"type", "id"}`` leads to; blank for a type that is gone."""
    return record_url(reference["type"], reference["id"]) if reference["type"] in registry else ""


@register.filter
def mentions(text: str, people: mentioning.People) -> SafeString:
    """A long text with a chip for each of the ``people`` it mentions."""
    return mentioning.html(text, people)


@register.filter
def mentions_plain(text: str) -> str:
    return mentioning.plain(text)


@register.filter
def sum_rows(column: Any) -> list[tuple[str, Decimal, Decimal | None]]:
    """Currency, sum and weighted sum of a board's column, a line a currency; the workspace's own first."""
    weighted = column.weighted.sums if column.weighted else {}
    return [(code, amount, weighted.get(code)) for code, amount in column.sums.items()]
