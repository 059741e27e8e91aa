"""What the pages of the public host share."""

from typing import Any, cast

from django.conf import settings
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override

from tenants.http import Request
from tenants.models import User

PICKER = "/workspaces/"


def to_workspaces_csp() -> dict[str, Any]:
    """The policy of pages whose form's answer may lead to a workspace's host: redirects count as form targets."""
    scheme, _slashes, host = settings.PUBLIC_ORIGIN.partition("://")
    port = f":{host.rpartition(':')[2]}" if ":" in host else ""
    workspaces = f"{scheme}://*.{settings.BASE_DOMAIN}{port}"
    return {**settings.SECURE_CSP, "form-action": [CSP.SELF, workspaces]}


leads_to_workspaces = csp_override(to_workspaces_csp())


def user_of(request: Request) -> User:
    """Who is signed in, on a page for those who are."""
    return cast(User, request.user)
