"""The trash: into it, out of it, and what lies there."""

from uuid import UUID

from django.http import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from crm.records.display.presenting import expanded, lines, needed_columns, record_url
from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to, return_url
from crm.records.errors import Forbidden
from crm.records.read import reading
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access, needs_noun


@access(needs_noun("delete"))
@require_POST
@handle_record_errors
def record_trash(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    change = gate.trash(request.actor, record_type, id)
    message = _("%(noun)s moved to the trash.") % {"noun": record_type.label}
    url = reverse("records:list", args=[record_type.plural])
    if request.POST.get("next"):
        url = return_url(request, url)
    return redirect_to(request, url, message, undo=change.change_set.id)


@access(needs_noun("delete"))
@require_POST
@handle_record_errors
def record_restore(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    gate.restore(request.actor, record_type, id)
    url = record_url(record_type.slug, id) if record_type.in_sidebar else reverse("records:trash")
    if request.POST.get("next"):
        url = return_url(request, url)
    return redirect_to(request, url, _("%(noun)s restored.") % {"noun": record_type.label})


@access(MEMBER)
@require_GET
@handle_record_errors
def trash(request: MemberRequest) -> HttpResponseBase:
    """What was thrown away, a noun at a time, the latest first."""
    actor = request.actor
    nouns = [one for one in registry.all() if actor.can(one.slug, "view")]
    if not nouns:
        raise Forbidden
    filled = reading.in_trash_of(actor, nouns)
    wanted = request.GET.get("noun", "")
    record_type = next((one for one in nouns if one.plural == wanted), next(iter(filled), nouns[0]))
    columns = [record_type.title_field, record_type.field("deleted_at")]
    fields = (*needed_columns(record_type, [record_type.title_field]), "deleted_at")
    query = reading.Query(
        sort=("-updated_at",),
        fields=fields,
        expand=expanded(record_type, fields),
        deleted="only",
        cursor=request.GET.get("cursor") or None,
    )
    page = reading.page(actor, record_type, query)
    context = {
        "record_type": record_type,
        "nouns": filled,
        "lines": lines(actor, record_type, columns, page.rows),
        "may_restore": actor.can(record_type.slug, "delete"),
        "next_url": f"?noun={record_type.plural}&cursor={page.next_cursor}" if page.next_cursor else "",
    }
    if request.htmx and request.htmx.target == "more":
        return render(request, "records/trash.html#rows", context)
    return render(request, "records/trash.html", context)
