"""What a workspace says of itself: name, language, currency, time zone."""

from django.db.models import F

from tenants.access import check
from tenants.actors import Actor
from tenants.models import Tenant
from tenants.scopes import shared


def workspace_update(actor: Actor, *, name: str, locale: str, currency: str, time_zone: str) -> None:
    """Change the workspace's own values, already checked. Raises PermissionDenied for who may not."""
    check(actor, "workspace", "settings")
    with shared():
        Tenant.objects.filter(id=actor.tenant.id).update(
            name=name,
            locale=locale,
            currency=currency,
            time_zone=time_zone,
            metadata_version=F("metadata_version") + 1,
        )
