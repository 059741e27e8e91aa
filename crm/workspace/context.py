"""What every page knows: actor, workspace, theme and the number of unread notifications."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from crm.workspace.configuration import workspace_settings
from crm.workspace.notifications.selectors import unread_count
from tenants.workspaces.announcements import announcements_for
from tenants.workspaces.hosts import public_url


def shell(request: HttpRequest) -> dict[str, Any]:
    actor = getattr(request, "actor", None)
    return {
        "actor": actor,
        "tenant": getattr(request, "tenant", None),
        "theme": getattr(request, "theme", ""),
        "unread_count": SimpleLazyObject(lambda: unread_count(actor)) if actor else 0,
        "workspace_logo": workspace_settings(actor.tenant).logo if actor else "",
        "announcements": SimpleLazyObject(lambda: announcements_for(actor)) if actor else (),
        "public_url": public_url(""),
        "base_domain": settings.BASE_DOMAIN,
    }
