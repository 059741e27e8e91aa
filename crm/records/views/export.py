"""Screens of exports: begin one, fetch its file."""

from uuid import UUID

from django.http import FileResponse, HttpResponseBase
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to
from crm.records.jobs.export import export_file as file_of_export
from crm.records.jobs.export import export_start
from crm.records.lists.listing import Listing
from crm.records.views.jobs import underway
from tenants.http import MemberRequest
from tenants.models import Tenant
from tenants.web.access import MEMBER, access, needs_noun


@access(needs_noun("export"), writes_unpaid=True, serves_suspended=True)
@require_POST
@handle_record_errors
def export(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Write what the list shows, all of it, to a file in the background."""
    record_type = record_type_or_404(noun)
    listing = Listing.of(request.actor, record_type, request)
    if listing.problem:
        raise listing.problem
    name = f"{record_type.label_plural}: {listing.view.name}"
    export_start(request.actor, record_type, listing.columns, listing.query, name=name)
    done = reverse("records:jobs") if request.tenant.state == Tenant.State.SUSPENDED else listing.here
    return underway(redirect_to(request, done, _("Being exported in the background.")), request)


@access(MEMBER, serves_suspended=True)
@require_GET
@handle_record_errors
def export_file(request: MemberRequest, job: UUID) -> HttpResponseBase:
    found, path = file_of_export(request.actor, job)
    name = f"{slugify(found.title) or 'export'}.csv"
    response = FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8")
    response["Cache-Control"] = "no-store"
    return response
