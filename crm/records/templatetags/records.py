"""Links to records, for templates that know a record by its type and id."""

from collections.abc import Mapping
from typing import Any

from django import template

from crm.records.presenting import record_url
from crm.records.types import registry

register = template.Library()


@register.filter
def record_href(reference: Mapping[str, Any]) -> str:
    """The address of what a ``{"type", "id"}`` leads to; blank for a type that is gone."""
    return record_url(reference["type"], reference["id"]) if reference["type"] in registry else ""
