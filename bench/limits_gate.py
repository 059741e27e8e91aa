"""Contacts created through the write gate, each rolled back; run as a program inside the product's environment."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter
from typing import Any

import django

ROUNDS, CREATES, CHECKS, FEW = 7, 100, 2_000, 10


def milliseconds(work: Callable[[], Any], times: int) -> float:
    """The median time of one."""
    took = []
    for _time in range(times):
        began = perf_counter()
        work()
        took.append(perf_counter() - began)
    return median(took) * 1000


def main() -> None:
    django.setup()
    from django.db import transaction
    from django.utils import timezone

    from crm.people.rules import contacts_have_room
    from crm.records.schema.registry import registry
    from crm.records.write import gate
    from crm.records.write.batch import Batch, Draft
    from crm.records.write.limits import counted, counts
    from crm.workspace.actors import system_actor
    from tenants.db.scopes import shared, tenant_scope
    from tenants.models import Tenant

    with shared():
        tenant = Tenant.objects.get(schema_name=sys.argv[1]).ref()
    contact = registry.get("contact")

    def under(limits: dict[str, int]) -> Any:
        return system_actor(replace(tenant, limits=limits))

    def create(actor: Any) -> None:
        with transaction.atomic():
            gate.create(actor, contact, {"name": "One more", "emails": ["one.more@example.com"]})
            transaction.set_rollback(True)

    with tenant_scope(tenant):
        rows = counted(contact)
        far, near = under({"contacts": rows * 10}), under({"contacts": rows + 50})
        batch = Batch(
            actor=far,
            record_type=contact,
            action="create",
            source="api",
            at=timezone.now(),
            drafts=[],
            change_set=gate.change_set_new(far, "api"),
        )
        batch.drafts.append(Draft(batch=batch, index=0, record=None, before={}, after={}, at=batch.at))
        creates, checks = [], []
        for _round in range(ROUNDS):
            counts.clear()
            create(far)
            creates.append(milliseconds(lambda: create(far), CREATES))
            checks.append(milliseconds(lambda: contacts_have_room(batch), CHECKS))
        found = {
            "rows": rows,
            "create": median(creates),
            "check": median(checks),
            "near": milliseconds(lambda: create(near), FEW),
            "count": milliseconds(lambda: counted(contact), FEW),
        }
    sys.stdout.write("\n" + json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
