"""“Why can I see this?”: a quiet dialog on every record page."""

from uuid import UUID

from django.http import Http404, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from crm.records.access.visibility import get_record
from crm.records.display.presenting import record_url
from crm.records.display.responses import handle_record_errors, record_type_or_404
from crm.records.read.access_explanation import why
from crm.workspace.people.selectors import active_members
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import access, needs_noun


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_why(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    """Of oneself; of another member for who looks after members."""
    record_type, actor = record_type_or_404(noun), request.actor
    record = get_record(actor, record_type, id, trashed="include")
    may_ask = actor.can("workspace", "members")
    asked = request.GET.get("member", "") if may_ask else ""
    of = id_of(asked)
    if asked and of is None:
        raise Http404
    found = why(actor, record_type, id, of=None if of == actor.member_id else of)
    if found is None:
        raise Http404
    context = {
        "record_type": record_type,
        "id": id,
        "title": record_type.title_of(record),
        "why": found,
        "members": active_members() if may_ask else [],
        "asked": str(of or actor.member_id or ""),
        "url": record_url(record_type.slug, id),
    }
    return render(request, "records/why.html#dialog" if request.htmx else "records/why.html", context)
