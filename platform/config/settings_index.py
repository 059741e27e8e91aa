"""The way into the settings of a workspace, and the search inside them."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.views.decorators.http import require_GET

from crm.workspace.settings_pages import open_pages, search
from tenants.access import MEMBER, access
from tenants.http import Request


@access(MEMBER)
@require_GET
def settings_index(request: Request) -> HttpResponse:
    """To the first page of the settings that is open to the member."""
    assert request.actor is not None
    pages = open_pages(request.actor)
    if not pages:
        raise PermissionDenied
    return HttpResponseRedirect(pages[0].href)


@access(MEMBER)
@require_GET
def settings_search(request: Request) -> HttpResponse:
    """The settings that a text finds, as a page: what the field in the navigation does without scripts."""
    assert request.actor is not None
    text = request.GET.get("q", "").replace("\x00", "").strip()[:100]
    return render(request, "settings/search.html", {"text": text, "hits": search(request.actor, text)})
