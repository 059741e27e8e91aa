"""The list of workspaces, and one of them."""

from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.access import page
from console.auditing import entry_page
from console.billing.selectors import account_detail
from console.forms import WorkspaceFilter
from console.workspaces.selectors import workspace_detail, workspace_page, workspaces_matching
from console.workspaces.visits import visits_open
from tenants.accounts.session_handover import entry_url
from tenants.http import Request
from tenants.models import Tenant
from tenants.workspaces.finishing import UNFINISHED
from tenants.workspaces.support import ENTERED


@page
def workspaces(request: Request) -> HttpResponse:
    form = WorkspaceFilter(request.GET)
    form.is_valid()
    chosen = {name: value for name, value in form.cleaned_data.items() if value}
    after, sort = chosen.pop("after", None), chosen.pop("sort", "")
    found = workspace_page(workspaces_matching(**chosen), sort=sort, after=after)
    here = reverse("console:workspaces")
    context = {
        "form": form,
        "page": found,
        "narrowed": bool(chosen),
        "later": after is not None,
        "next": f"{here}?{urlencode({**chosen, 'sort': sort, 'after': str(found.next)})}" if found.next else "",
    }
    more = request.htmx and after is not None
    template = "console/workspaces.html#rows" if more else "console/workspaces.html"
    return render(request, template, context, status=422 if form.errors else 200)


def tenant_of(tenant_id: UUID) -> Tenant:
    """The workspace that an address names. Raises Http404."""
    found: Tenant | None = Tenant.objects.filter(id=tenant_id).first()
    if found is None:
        raise Http404
    return found


@page
def workspace(request: Request, tenant_id: UUID) -> HttpResponse:
    tenant = tenant_of(tenant_id)
    context = {
        "tenant_shown": tenant,
        "detail": workspace_detail(tenant),
        "billing": account_detail(tenant.id),
        "can_finish": tenant.state in UNFINISHED,
        "can_visit": tenant.state in ENTERED,
        "visits": visits_open(tenant),
        "door": entry_url(tenant.ref()),
        "entries": entry_page(tenant=tenant.id, steps=True).entries[:10],
    }
    return render(request, "console/workspace.html", context)
