"""The list of every noun: its rows, totals, filter and columns."""

from django.http import HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to
from crm.records.errors import BadCursor, BadQuery, RecordError
from crm.records.jobs import bulk
from crm.records.lists import filtering
from crm.records.lists.footers import footers
from crm.records.lists.list_address import pick_columns, read_cards
from crm.records.lists.listing import Listing
from crm.records.lists.view_services import choice_save
from crm.workspace.text.formats import number_text
from tenants.actors import Scope
from tenants.http import MemberRequest
from tenants.web.access import access, needs_noun
from tenants.workspaces.entitlements import why_not_writable


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


@access(needs_noun("view"))
@require_GET
@handle_record_errors
def record_board(request: MemberRequest, noun: str) -> HttpResponseBase:
    """A noun whose records stand on no board is shown as a list."""
    return HttpResponseRedirect(reverse("records:list", args=[record_type_or_404(noun).plural]))
