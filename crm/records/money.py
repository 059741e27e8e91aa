"""Amounts of all record types together."""

from collections import Counter

from django.db.models import Count

from crm.records.types import Kind, registry
from tenants.actors import Actor


def currencies_used(actor: Actor) -> dict[str, int]:
    """How many amounts stand in each currency, in records that are not in the trash, whoever may see them."""
    found: Counter[str] = Counter()
    for rt in registry.all():
        for field in rt.fields:
            if field.kind is Kind.MONEY:
                rows = rt.rows.filter(deleted_at=None, **{f"{field.slug}__isnull": False}).order_by()
                for code, count in rows.values_list(field.currency).annotate(Count("pk")):
                    found[code or actor.tenant.currency] += count
    return dict(found)
