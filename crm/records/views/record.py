"""The page of a record of every noun, the form for a new one, and the editor of one field."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import trigger_client_event

from crm.records.access.visibility import may_write
from crm.records.display.controls import controls, is_sent, other_errors, read_values, with_companions
from crm.records.display.presenting import cell, expanded, needed_columns, record_url, row_title, shown_fields
from crm.records.display.responses import (
    handle_record_errors,
    record_type_or_404,
    redirect_to,
    return_url,
    toast,
    writable_field_or_404,
)
from crm.records.errors import Invalid, RecordError, VersionConflict
from crm.records.lists import record_page
from crm.records.read import reading
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.edit_scope import edit_scope_of
from crm.workspace.people.plan_needs import room_need
from tenants.http import MemberRequest
from tenants.web.access import access, needs_noun


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_detail(request: MemberRequest, noun: str, id: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    row = record_page.record_row(request.actor, record_type, id)
    page = record_page.record_page(request.actor, record_type, row)
    context: dict[str, Any] = {
        "record_type": record_type,
        "page": page,
        "header_parts": record_page.parts("header", request.actor, record_type, row),
    }
    if request.htmx and request.htmx.target == "record-head":
        return render(request, "records/record.html#changed", context)
    context |= {
        "centre_parts": record_page.parts("centre", request.actor, record_type, row),
        "related": record_page.related(request.actor, record_type, row),
    }
    return render(request, "records/record.html", context)


@access(needs_noun("create"))
@require_http_methods(["GET", "POST"])
@handle_record_errors
def record_new(request: MemberRequest, noun: str) -> HttpResponseBase:
    """A form with the fields that matter first; the address may fill some in, as in ``?company=<id>``."""
    record_type = record_type_or_404(noun)
    if record_type.slug not in _creatable(request):
        raise Http404
    slugs = _form_fields(record_type, request)
    further = [slug for slug in record_type.more_columns if slug not in slugs]
    error: RecordError | None = None
    if request.method == "POST":
        given = [*slugs, *(slug for slug in further if is_sent(record_type.field(slug), request.POST))]
        values = read_values(request.actor, record_type, with_companions(record_type, given), request.POST)
        try:
            change = gate.create(request.actor, record_type, values)
        except RecordError as found:
            error = found
        else:
            return _created(request, record_type, change)
    sent = request.POST if request.method == "POST" else request.GET
    more = controls(request.actor, record_type, further, data=sent, error=error, prefix="new")
    for one in more:
        one.autofocus = False
    context = {
        "record_type": record_type,
        "controls": controls(
            request.actor,
            record_type,
            slugs,
            data=sent,
            error=error,
            prefix="new",
        ),
        "more": more,
        "errors": other_errors(error, with_companions(record_type, [*slugs, *further])),
        "action": request.get_full_path(),
        "again": request.POST.get("again", ""),
        "next": request.POST.get("next", request.GET.get("next", "")),
        "need": room_need(request.actor, record_type.limit),
    }
    template = "records/new.html#form" if request.htmx else "records/new.html"
    return render(request, template, context, status=error.status if error else 200)


def _created(request: MemberRequest, record_type: RecordType, change: gate.Change) -> HttpResponse:
    message = _("%(noun)s created.") % {"noun": record_type.label}
    undo_id = change.change_set.id
    if request.POST.get("again"):
        return redirect_to(request, request.get_full_path(), message, undo=undo_id)
    if request.POST.get("next"):
        return redirect_to(request, return_url(request, record_url(record_type.slug, change.id)), message, undo=undo_id)
    return redirect_to(request, record_url(record_type.slug, change.id), message, undo=undo_id)


def _creatable(request: MemberRequest) -> set[str]:
    return {one.slug for one in registry.all() if request.actor.can(one.slug, "create")}


def _form_fields(record_type: RecordType, request: MemberRequest) -> list[str]:
    """Required fields, the type's own columns and whatever the address fills in, in the order they were declared."""
    wanted = {*record_type.default_columns, *(one.slug for one in record_type.fields if one.required)}
    writable = [one for one in shown_fields(request.actor, record_type) if may_write(request.actor, record_type, one)]
    wanted |= {one.slug for one in writable if one.slug in request.GET or one.slug in request.POST}
    chosen = (
        record_type.fields_of(request.actor, (request.POST or request.GET).dict()) if record_type.fields_of else None
    )
    if chosen is not None:
        wanted = {slug for slug in wanted if slug in chosen or record_type.field(slug).required} | set(chosen)
    if record_type.board_field:
        wanted |= {
            one.slug for one in record_type.relations if not registry.get(one.target).in_sidebar and one.required
        }
    return [one.slug for one in writable if one.slug in wanted]


@access(needs_noun("edit"))
@require_http_methods(["GET", "POST"])
@handle_record_errors
def record_edit_field(request: MemberRequest, noun: str, id: UUID, field: str) -> HttpResponseBase:
    """The editor of one field, as a piece of a page or as a page; saved, the value as it is shown again."""
    record_type = record_type_or_404(noun)
    edited = writable_field_or_404(request.actor, record_type, field)
    if edited is None or not edited.editable:
        raise Http404
    actor = request.actor
    record = reading.get_record(actor, record_type, id, action="edit")
    scope = edit_scope_of(record_type)
    if scope and not (edited.slug in scope.fields and scope.holds(record)):
        scope = None
    slugs = with_companions(record_type, [edited.slug])
    error: RecordError | None = None
    version = request.POST.get("version", "")
    seen = int(version) if version.isdecimal() and len(version) < 10 else None
    if request.method == "POST":
        values = read_values(actor, record_type, slugs, request.POST)
        try:
            options = scope.options if scope else ()
            save = next((one.save for one in options if one.name == request.POST.get("further")), gate.update)
            change = None if "keep" in request.POST else save(actor, record_type, id, values, seen_version=seen)
        except (Invalid, VersionConflict) as found:
            error = found
        else:
            row = _field_row(request, record_type, id, edited)
            if not request.htmx:
                said = _("Saved.") if change else ""
                return redirect_to(
                    request, record_url(record_type.slug, id), said, undo=change.change_set.id if change else None
                )
            shown = cell(actor, record_type, edited, row, editable=True)
            in_list = request.htmx.current_url_abs_path != record_url(record_type.slug, id)
            context = {
                "cell": shown,
                "title": row_title(record_type, row),
                "record_type": record_type,
                "record_id": id,
                "in_list": in_list,
            }
            response = render(request, "records/edit.html#value", context)
            trigger_client_event(response, "record:changed", {"id": str(id), "field": edited.slug}, after="settle")
            if change is None or not change.events:
                return response
            return toast(response, _("Saved."), undo=change.change_set.id)
    row = _field_row(request, record_type, id, edited)
    data = request.POST if request.method == "POST" else None
    context = {
        "record_type": record_type,
        "row": row,
        "title": row_title(record_type, row),
        "control": controls(actor, record_type, [edited.slug], row=row, data=data, error=error, prefix=f"e-{id}")[0],
        "errors": other_errors(error, slugs) if not isinstance(error, VersionConflict) else [],
        "conflict": cell(actor, record_type, edited, row, editable=False)
        if isinstance(error, VersionConflict)
        else None,
        "by": error.by if isinstance(error, VersionConflict) else "",
        "version": seen if isinstance(error, Invalid) and seen is not None else row["version"],
        "edit_scope": scope,
        "action": request.path,
        "url": record_url(record_type.slug, id),
    }
    template = "records/edit.html#editor" if request.htmx else "records/edit.html"
    return render(request, template, context, status=422 if error else 200)


def _field_row(request: MemberRequest, record_type: RecordType, id: UUID, field: Field) -> Any:
    fields = needed_columns(record_type, [field, *(record_type.relations if field.kind is Kind.RELATION else ())])
    return reading.get_row(request.actor, record_type, id, fields=fields, expand=expanded(record_type, fields))
