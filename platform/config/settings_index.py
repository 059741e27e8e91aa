"""All settings of a workspace on one page, and the search among them."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from crm.records.templatetags.navigation import settings_entries
from tenants.http import Request
from tenants.web.access import MEMBER, access


@access(MEMBER, serves_suspended=True)
@require_GET
def settings_index(request: Request) -> HttpResponse:
    """The pages of the settings that are open to the member; with ``q``, those and their parts that it finds."""
    assert request.actor is not None
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    sections = settings_entries(request.actor, text=text)
    if not sections and not text:
        raise PermissionDenied
    return render(request, "settings/index.html", {"sections": sections, "text": text})
