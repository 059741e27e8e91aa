"""Screens of every noun: list, record page, forms, trash and search, all driven by the record type."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from crm.records.access.visibility import may_read, may_write
from crm.records.display.controls import control, controls, is_sent, other_errors, read_values, with_companions
from crm.records.display.presenting import (
    cell,
    expanded,
    lines,
    needed_columns,
    record_url,
    row_subtitle,
    row_title,
    shown_fields,
)
from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to, return_url, toast
from crm.records.errors import BadCursor, BadQuery, Forbidden, Invalid, RecordError, VersionConflict
from crm.records.jobs import bulk
from crm.records.lists import filtering, record_page
from crm.records.lists.footers import footers
from crm.records.lists.list_address import clean_search, pick_columns, read_cards
from crm.records.lists.listing import Listing
from crm.records.lists.saved_views import choice_save
from crm.records.read import reading
from crm.records.schema.record_type import MEMBER_TARGET, Field, Kind, RecordType, registry
from crm.records.views.jobs import underway
from crm.records.write import gate
from crm.workspace.models import Member
from crm.workspace.people.plan_needs import room_need
from crm.workspace.people.selectors import active_members
from crm.workspace.text.folding import holds_words
from crm.workspace.text.formats import number_text
from tenants.actors import Actor, Scope
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import MEMBER, access, needs_noun
from tenants.workspaces.entitlements import why_not_writable

SEARCH_LIMIT = 20


# --- list ------------------------------------------------------------------------------------------------------------


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_list(request: MemberRequest, noun: str) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    listing = Listing.of(request.actor, record_type, request)
    if not request.GET and listing.views.opens_on_board:
        return HttpResponseRedirect(listing.view_url(listing.views.default))
    problem: RecordError | None = listing.problem
    try:
        listing.page  # noqa: B018
    except (BadQuery, BadCursor) as error:
        problem = error
        listing = listing.plain() if isinstance(error, BadQuery) else listing.without_cursor()
    actor = request.actor
    context = {
        "record_type": record_type,
        "listing": listing,
        "chips": filtering.chips(listing),
        "problem": problem,
        "may_create": actor.can(record_type.slug, "create"),
        "may_edit": actor.can(record_type.slug, "edit"),
        "may_delete": actor.can(record_type.slug, "delete"),
        "may_bulk": actor.can(record_type.slug, "bulk")
        and (actor.can(record_type.slug, "edit") or actor.can(record_type.slug, "delete")),
        "may_export": actor.can(record_type.slug, "export"),
        "most_at_once": bulk.MAX_AT_ONCE,
        "may_load": actor.can("workspace", "sample_data") and why_not_writable(actor.tenant) is None,
    }
    target = request.htmx.target if request.htmx else ""
    if target and target.startswith("more"):
        return render(request, "records/list.html#rows", context)
    live = target == "results"
    name = "records/list.html#live" if live else "records/list.html"
    return render(request, name, {**context, "live": live}, status=problem.status if problem else 200)


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_totals(request: MemberRequest, noun: str) -> HttpResponseBase:
    """How many and how much: asked for after the rows, so that they do not wait for it."""
    record_type = record_type_or_404(noun)
    actor = request.actor
    listing = Listing.of(actor, record_type, request)
    count, found = footers(actor, record_type, listing.query, listing.footers_used)
    scope = actor.scope(record_type.slug, "bulk")
    reached = count
    if scope not in {Scope.ALL, Scope.NONE}:
        wanted = bulk.Selection(filter=listing.condition, search=listing.search)
        reached = (
            bulk.selected(actor, record_type, "edit", wanted).count() if actor.can(record_type.slug, "edit") else 0
        )
    context = {
        "record_type": record_type,
        "listing": listing,
        "count": count,
        "count_text": number_text(count),
        "reached": reached,
        "reached_text": number_text(reached),
        "cells": listing.footer_cells(found),
        "may_bulk": actor.can(record_type.slug, "bulk"),
    }
    return render(request, "records/list.html#totals", context)


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_filter(request: MemberRequest, noun: str) -> HttpResponseBase:
    """The filter as a form. ``apply`` goes to the list with the tree that the form means."""
    record_type = record_type_or_404(noun)
    actor = request.actor
    listing = Listing.of(actor, record_type, request)
    status = 200
    if "match" in request.GET:
        match, rows = filtering.rows_sent(actor, record_type, request.GET)
        if "apply" in request.GET:
            try:
                tree = filtering.tree_of(actor, record_type, match, rows) or None
                return redirect_to(request, listing.url(filter=tree))
            except BadQuery:
                status = 422
    else:
        match, rows = filtering.rows_of(actor, record_type, listing.tree)
    wanted = request.GET.get("add")
    if wanted is not None and len(rows) < filtering.MAX_ROWS:
        paths = dict(filtering.filterable(actor, record_type))
        path = wanted if wanted in paths else next(iter(paths))
        rows.append(filtering.row(actor, record_type, len(rows), path, "", []))
    context = {
        "record_type": record_type,
        "listing": listing,
        "match": match,
        "rows": rows,
        "paths": filtering.filterable(actor, record_type),
        "state": [(name, value) for name, value in listing.state if name != "filter"],
    }
    name = "records/filter.html#form" if request.htmx else "records/filter.html"
    return render(request, name, context, status=status)


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def record_columns(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Keep this member's choice and order of columns; in a saved view, and of the cards of a board, show it as a change
    to be saved."""
    record_type = record_type_or_404(noun)
    listing = Listing.of(request.actor, record_type, request)
    if listing.is_board:
        chosen = (
            () if "reset" in request.POST else read_cards(request.actor, record_type, request.POST.getlist("column"))
        )
        return redirect_to(request, listing.url(cards=".".join(chosen) or None))
    columns = (
        []
        if "reset" in request.POST
        else [one.slug for one in pick_columns(request.actor, record_type, request.POST.getlist("column"))]
    )
    if not listing.view.is_built_in:
        return redirect_to(request, listing.url(columns=".".join(columns or listing.view.columns)))
    choice_save(request.actor, record_type, columns=columns)
    return redirect_to(request, listing.here)


@access(needs_noun("edit"))
@require_GET
@handle_record_errors
def record_bulk_field(request: MemberRequest, noun: str) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    slug = request.GET.get("field", "")
    field = _editable_field(request.actor, record_type, slug) if slug else None
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
        field = _editable_field(actor, record_type, request.POST.get("field", ""))
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


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_options(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Records to choose from, for a combobox."""
    record_type = record_type_or_404(noun)
    fields = (
        record_type.title,
        *(
            (record_type.subtitle,)
            if record_type.subtitle and may_read(request.actor, record_type, record_type.subtitle)
            else ()
        ),
    )
    search_text = clean_search(request.GET.get("q", ""))
    sort = (record_type.title,) if record_type.title_field.sortable and not search_text else record_type.default_sort
    query = reading.Query(
        fields=fields, sort=sort, search=search_text, limit=SEARCH_LIMIT, expand=expanded(record_type, fields)
    )
    options = [
        {"id": row["id"], "title": row_title(record_type, row), "hint": row_subtitle(record_type, row)}
        for row in reading.page(request.actor, record_type, query).rows
    ]
    return _options(request, options)


@access(MEMBER)
@require_GET
@handle_record_errors
def references(request: MemberRequest) -> HttpResponseBase:
    """Records of any type to choose from, or of the ``types`` asked for, for a combobox of references."""
    text = clean_search(request.GET.get("q", ""))
    types = frozenset(filter(None, request.GET.get("types", "").split(",")))
    people = active_members() if MEMBER_TARGET in types and text.strip() else Member.objects.none()
    options: list[dict[str, Any]] = [
        {"id": f"{MEMBER_TARGET}:{member.pk}", "title": member.name, "hint": _("Member")}
        for member in people.filter(holds_words("name", text))[:SEARCH_LIMIT]
    ]
    hits = reading.search_all(request.actor, text, limit=SEARCH_LIMIT, only=types) if types != {MEMBER_TARGET} else []
    options += [
        {
            "id": f"{hit.type}:{hit.id}",
            "title": hit.title,
            "hint": " · ".join(filter(None, (hit.subtitle, str(registry.get(hit.type).label)))),
        }
        for hit in hits
        if registry.get(hit.type).in_sidebar
    ]
    return _options(request, options)


def _options(request: MemberRequest, options: list[dict[str, Any]]) -> HttpResponse:
    list_id = request.headers.get("HX-Target", "")
    context = {"options": options, "list_id": list_id if list_id.replace("-", "").replace("_", "").isalnum() else "o"}
    return render(request, "components/options.html", context)


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_board(request: MemberRequest, noun: str) -> HttpResponseBase:
    """A noun whose records stand on no board is shown as a list."""
    return HttpResponseRedirect(reverse("records:list", args=[record_type_or_404(noun).plural]))


# --- one record ------------------------------------------------------------------------------------------------------


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
    edited = _editable_field(request.actor, record_type, field)
    if edited is None or not edited.editable:
        raise Http404
    actor = request.actor
    record = reading.get_record(actor, record_type, id, action="edit")
    scope = record_type.edit_scope
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


# --- trash, search ---------------------------------------------------------------------------------------------------


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


@access(MEMBER)
@require_GET
@handle_record_errors
def search(request: MemberRequest) -> HttpResponseBase:
    text = clean_search(request.GET.get("q", ""))
    hits = reading.search_all(request.actor, text, limit=SEARCH_LIMIT, texts=True) if text else []
    groups: dict[str, list[Any]] = {}
    for hit in hits:
        groups.setdefault(hit.type, []).append((hit, record_url(hit.type, hit.id)))
    context = {"text": text, "groups": [(registry.get(slug), found) for slug, found in groups.items()]}
    name = "records/search.html#results" if request.htmx and request.htmx.target == "results" else "records/search.html"
    return render(request, name, context)


# --- helpers ---------------------------------------------------------------------------------------------------------


def _editable_field(actor: Actor, record_type: RecordType, slug: str) -> Field:
    found = record_type.by_slug.get(slug)
    if found is None or not may_write(actor, record_type, found):
        raise Http404
    return found


def _uuid(text: str) -> UUID:
    found = id_of(text)
    if found is None:
        raise Invalid([], _("One of the selected records does not exist."))
    return found


def _first_message(error: Invalid) -> str:
    return str(error.errors[0].message) if error.errors else str(error.message)
