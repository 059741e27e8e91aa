"""What processes of the release before wrote during an upgrade, brought onto timelines and plans."""

from typing import Any

from django.core.management.base import BaseCommand

from crm.activities.rules import places_mend
from tenants.db.scopes import shared, tenant_scope
from tenants.selectors import tenants_built


class Command(BaseCommand):
    help = "Brings timelines and plans of every workspace to what its activities say. Safe to repeat, beside all else."

    def handle(self, *args: Any, **options: Any) -> None:
        with shared():
            tenants = tenants_built()
        for tenant in tenants:
            with tenant_scope(tenant):
                mended = places_mend()
            if mended:
                self.stdout.write(f"{tenant.subdomain}: {mended}")
