"""The way into the settings of a workspace."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_GET

from crm.records.templatetags.navigation import settings_sections
from tenants.access import MEMBER, access
from tenants.http import Request


@access(MEMBER)
@require_GET
def settings_index(request: Request) -> HttpResponse:
    """To the first page of the settings that is open to the member."""
    assert request.actor is not None
    sections = settings_sections(request.actor)
    if not sections:
        raise PermissionDenied
    return HttpResponseRedirect(sections[0].href)
