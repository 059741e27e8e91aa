"""Screens of saved views: keep one, change it, share it, and arrange one's tabs."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.records.display.responses import handle_record_errors, record_type_or_404, redirect_to
from crm.records.errors import Invalid
from crm.records.lists import saved_views, view_services
from crm.records.lists.list_address import BOARD, LIST, view_address
from crm.records.lists.listing import Listing
from crm.records.lists.saved_views import Views
from crm.records.models import SavedView
from crm.records.schema.record_type import RecordType
from tenants.http import MemberRequest
from tenants.web.access import access, needs_noun


@access(needs_noun("view"))
@require_http_methods(["GET", "POST"])
@handle_record_errors
def view_new(request: MemberRequest, noun: str) -> HttpResponseBase:
    """Save what the list shows as a view of one's own."""
    record_type = record_type_or_404(noun)
    listing = Listing.of(request.actor, record_type, request)
    error: Invalid | None = None
    if request.method == "POST":
        try:
            saved = view_services.view_create(request.actor, record_type, {**listing.state_of_view, **named(request)})
        except Invalid as found:
            error = found
        else:
            return redirect_to(request, address(record_type, saved), _("View saved."))
    return form(request, record_type, listing, None, error)


@access(needs_noun("view"))
@require_http_methods(["GET", "POST"])
@handle_record_errors
def view_edit(request: MemberRequest, noun: str, view: UUID) -> HttpResponseBase:
    """Rename or share a view; with ``keep=1`` keep what the list shows now instead."""
    record_type = record_type_or_404(noun)
    actor = request.actor
    saved = view_services.view_get(actor, record_type, view, change=True)
    error: Invalid | None = None
    if request.method == "POST":
        try:
            values = (
                Listing.of(actor, record_type, request).state_of_view
                if request.POST.get("keep") == "1"
                else named(request)
            )
            saved = view_services.view_update(actor, record_type, view, values)
        except Invalid as found:
            error = found
        else:
            return redirect_to(request, address(record_type, saved), _("View saved."))
    return form(request, record_type, None, saved, error)


def named(request: MemberRequest) -> dict[str, Any]:
    return {name: request.POST[name] for name in ("name", "sharing", "layout") if request.POST.get(name) is not None}


def form(
    request: MemberRequest,
    record_type: RecordType,
    listing: Listing | None,
    saved: SavedView | None,
    error: Invalid | None,
) -> HttpResponse:
    if saved is None:
        action = reverse("records:view_new", args=[record_type.plural])
    else:
        action = reverse("records:view_edit", args=[record_type.plural, saved.pk])
    sharing = saved.sharing if saved else SavedView.Sharing.PRIVATE
    context = {
        "record_type": record_type,
        "saved": saved,
        "state": listing.state if listing else [],
        "name": request.POST.get("name", saved.name if saved else ""),
        "sharing": request.POST.get("sharing", sharing),
        "sharings": saved_views.sharings(saved.owner_id if saved else request.actor.member_id, sharing),
        "action": action,
        "error": error,
    }
    template = "records/view_form.html#form" if request.htmx else "records/view_form.html"
    return render(request, template, context, status=error.status if error else 200)


def address(record_type: RecordType, saved: SavedView) -> str:
    return view_address(record_type, str(saved.pk), saved.layout)


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def view_duplicate(request: MemberRequest, noun: str, view: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    saved = view_services.view_duplicate(request.actor, record_type, view)
    return redirect_to(request, address(record_type, saved), _("A copy of your own."))


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def view_delete(request: MemberRequest, noun: str, view: UUID) -> HttpResponseBase:
    record_type = record_type_or_404(noun)
    view_services.view_delete(request.actor, record_type, view)
    layout = BOARD if request.POST.get("layout") == BOARD else LIST
    return redirect_to(request, view_address(record_type, "", layout), _("View deleted."))


@access(needs_noun("view"))
@require_POST
@handle_record_errors
def view_tab(request: MemberRequest, noun: str, view: str) -> HttpResponseBase:
    """Arrange one's tabs: show or hide this one, move it to the left or right, or open with it."""
    record_type = record_type_or_404(noun)
    views = Views(request.actor, record_type)
    keys, hidden = views.keys, list(views.choice.hidden)
    if view not in keys:
        raise Http404
    match request.POST.get("do"):
        case "hide":
            view_services.choice_save(request.actor, record_type, hidden=[*dict.fromkeys([*hidden, view])])
        case "show":
            view_services.choice_save(request.actor, record_type, hidden=[key for key in hidden if key != view])
        case "first":
            view_services.choice_save(request.actor, record_type, default=view)
        case "left" | "right" as way:
            shown = [key for key in keys if key not in hidden]
            place = shown.index(view) if view in shown else 0
            other = shown[max(0, min(len(shown) - 1, place + (-1 if way == "left" else 1)))]
            here, there = keys.index(view), keys.index(other)
            keys[here], keys[there] = keys[there], keys[here]
            view_services.choice_save(request.actor, record_type, tabs=keys)
        case _:
            raise Http404
    layout = views.layout(view) or (BOARD if request.POST.get("layout") == BOARD else LIST)
    return redirect_to(request, view_address(record_type, view if request.POST["do"] != "hide" else "", layout))
