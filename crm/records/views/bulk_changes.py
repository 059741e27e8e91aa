"""What is done to the selected records of a list."""

from typing import Any
from uuid import UUID

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST

from crm.records.display.controls import control, read_values, with_companions
from crm.records.display.responses import (
    handle_record_errors,
    record_type_or_404,
    redirect_to,
    return_url,
    writable_field_or_404,
)
from crm.records.errors import Invalid
from crm.records.jobs import bulk
from crm.records.lists.listing import Listing
from crm.records.views.jobs import underway
from crm.workspace.text.formats import number_text
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import access, needs_noun


@access(needs_noun("edit"))
@require_GET
@handle_record_errors
def record_bulk_field(request: MemberRequest, noun: str) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    slug = request.GET.get("field", "")
    field = writable_field_or_404(request.actor, record_type, slug) if slug else None
    made = control(request.actor, record_type, field.slug, row={}, prefix="bulk") if field else None
    return render(request, "records/list.html#bulk_value", {"control": made})


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def record_bulk(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Set one field of the selected records, or move them to the trash: some at once, all or none; many, and all that
    the list shows (``all=1``), in the background."""
    record_type = record_type_or_404(noun)
    actor = request.actor
    everything = request.POST.get("all") == "1"
    ids = list(dict.fromkeys(_uuid(text) for text in request.POST.getlist("id")))
    if not ids and not everything:
        raise Invalid([], _("Select at least one record."))
    action: bulk.Action = "trash" if request.POST.get("action") == "trash" else "edit"
    values: dict[str, Any] = {}
    if action == "edit":
        field = writable_field_or_404(actor, record_type, request.POST.get("field", ""))
        slugs = with_companions(record_type, [field.slug])
        values = read_values(actor, record_type, slugs, request.POST)
    url = return_url(request, reverse("records:list", args=[record_type.plural]))
    if everything or len(ids) > bulk.MAX_AT_ONCE:
        listing = Listing.of(actor, record_type, request)
        if everything and listing.problem:
            raise listing.problem
        wanted = bulk.Selection(filter=listing.condition, search=listing.search)
        on_error: bulk.OnError = "stop" if request.POST.get("on_error") == "stop" else "skip"
        job = bulk.bulk_start(
            actor,
            record_type,
            action,
            wanted if everything else bulk.Selection(ids=ids),
            values=values,
            on_error=on_error,
        )
        message = ngettext(
            "%(number)s record is being changed in the background.",
            "%(number)s records are being changed in the background.",
            job.total,
        )
        return underway(redirect_to(request, url, message % {"number": number_text(job.total)}), request)
    try:
        change = bulk.bulk_now(actor, record_type, action, ids, values)
    except Invalid as error:
        raise Invalid(error.errors, _first_message(error)) from error
    if action == "trash":
        message = ngettext("%(number)s record moved to the trash.", "%(number)s records moved to the trash.", len(ids))
    else:
        message = ngettext("%(number)s record changed.", "%(number)s records changed.", len(ids))
    return redirect_to(request, url, message % {"number": len(ids)}, undo=change.change_set.id)


def _uuid(text: str) -> UUID:
    found = id_of(text)
    if found is None:
        raise Invalid([], _("One of the selected records does not exist."))
    return found


def _first_message(error: Invalid) -> str:
    return str(error.errors[0].message) if error.errors else str(error.message)
