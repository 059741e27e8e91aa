"""Screens of sales: my day and the board of deals."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from crm.activities.parts import entry_changes
from crm.records import filtering, reading
from crm.records.answers import back, gone_to, shows_errors, toast
from crm.records.errors import Invalid, NotFound
from crm.records.forms import controls, other_errors, read_values
from crm.records.history import Entry
from crm.records.listing import Listing
from crm.records.presenting import record_url
from crm.records.types import Kind, registry
from crm.sales import selectors, services
from crm.sales.cards import CardPrinter, icons
from tenants.access import MEMBER, access, needs
from tenants.http import MemberRequest

MOST_NEWS = 12
FIRST_STEPS = ("company", "contact", "deal")


@access(MEMBER)
@require_GET
@shows_errors
def home(request: MemberRequest) -> HttpResponseBase:
    """My day, or the first steps in a workspace that holds nothing yet."""
    actor = request.actor
    day = selectors.my_day(actor, recent=MOST_NEWS * 2)
    news = [entry for entry in day.recent if _is_news(entry)][:MOST_NEWS]
    context: dict[str, Any] = {
        "day": day,
        "recent": [
            {
                "entry": entry,
                "changes": entry_changes(actor, entry, {}),
                "url": record_url(entry.record_type, entry.record_id),
            }
            for entry in news
        ],
        "is_fresh": not news and not any(reading.visible(actor, rt).exists() for rt in registry.all() if rt.in_sidebar),
        "first_steps": [registry.get(slug) for slug in FIRST_STEPS if actor.can(slug, "create")],
        "may_load": actor.can("workspace", "sample_data"),
    }
    return render(request, "sales/home.html", context)


def _is_news(entry: Entry) -> bool:
    """Of an event and those that rules add to it, the event; and nothing of the settings, such as stages."""
    if entry.record_type not in registry:
        return False
    rt = registry.get(entry.record_type)
    return entry.type not in rt.event_types and (rt.in_sidebar or rt.slug == "note")


@access(needs("deal", "view"))
@require_GET
@shows_errors
def board(request: MemberRequest) -> HttpResponseBase:
    actor = request.actor
    deal = registry.get("deal")
    listing = Listing.of(actor, deal, request)
    try:
        found = selectors.board(
            actor, request.GET.get("pipeline") or None, tree=listing.condition, search=listing.search
        )
    except NotFound:
        if request.GET.get("pipeline"):
            raise
        found = None
    printer = CardPrinter(may_move=actor.can("deal", "edit"))
    context = {
        "rt": deal,
        "listing": listing,
        "columns": [(column, printer.cards(column.cards)) for column in found.columns] if found else [],
        "icons": icons(),
        "chips": filtering.chips(listing),
        "board": found,
        "problem": listing.problem,
        "may_move": actor.can("deal", "edit"),
        "may_create": actor.can("deal", "create"),
        "pipeline_param": f"&pipeline={found.pipeline.id}" if found else "",
        "query": _board_query(listing),
    }
    name = "sales/board.html#board" if request.htmx and request.htmx.target == "board" else "sales/board.html"
    return render(request, name, context, status=listing.problem.status if listing.problem else 200)


def _board_query(listing: Listing) -> str:
    return urlencode({name: value for name, value in listing.parameters().items() if name != "sort"})


@access(needs("deal", "view"))
@require_GET
@shows_errors
def board_column(request: MemberRequest, stage: UUID) -> HttpResponseBase:
    """The next cards of a column."""
    actor = request.actor
    listing = Listing.of(actor, registry.get("deal"), request)
    cards, next_cursor = selectors.board_column(
        actor, stage, request.GET.get("cursor") or None, tree=listing.condition, search=listing.search
    )
    context = {
        "cards": CardPrinter(may_move=actor.can("deal", "edit")).cards(cards),
        "stage_id": stage,
        "next_cursor": next_cursor,
        "query": _board_query(listing),
    }
    return render(request, "sales/board.html#cards", context)


@access(needs("deal", "edit"))
@require_POST
@shows_errors
def deal_move(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Move a deal to a stage; when the stage asks for more, a form with only that."""
    actor = request.actor
    deal = registry.get("deal")
    stage = reading.get_record(actor, registry.get("stage"), request.POST.get("stage", ""))
    slugs = [slug for slug in request.POST.getlist("asked") if slug in deal.by_slug and deal.field(slug).editable]
    written = [*slugs, *(deal.field(slug).currency for slug in slugs if deal.field(slug).kind is Kind.MONEY)]
    try:
        change = services.deal_move(
            actor, deal_id=id, stage_id=stage.pk, values=read_values(actor, deal, written, request.POST)
        )
    except Invalid as error:
        return _asks_for_more(request, id, stage, error)
    message = _("Moved to %(stage)s.") % {"stage": stage.name}
    if not request.htmx:
        return gone_to(request, back(request, record_url("deal", id)), message, undo=change.change_set.id)
    if request.POST.get("on") != "board":
        response = HttpResponse()
        trigger_client_event(response, "record:changed", {"id": str(id)})
        trigger_client_event(response, "dialog:close", {})
        return toast(reswap(response, "none"), message, undo=change.change_set.id)
    listing = Listing.of(actor, deal, request)
    found = selectors.board(actor, stage.pipeline_id, tree=listing.condition, search=listing.search)
    card = CardPrinter(may_move=True).card(selectors.board_card(actor, id), swapped=True)
    context = {"board": found, "card": card}
    response = render(request, "sales/board.html#moved", context)
    trigger_client_event(response, "deal:moved", {"id": str(id), "stage": str(stage.pk)}, after="settle")
    trigger_client_event(response, "dialog:close", {}, after="settle")
    return toast(reswap(response, "none"), message, undo=change.change_set.id)


def _asks_for_more(request: MemberRequest, id: UUID, stage: Any, error: Invalid) -> HttpResponse:
    actor = request.actor
    deal = registry.get("deal")
    asked = list(dict.fromkeys(one.field for one in error.errors if one.field in deal.by_slug and one.field != "stage"))
    asked += [slug for slug in request.POST.getlist("asked") if slug in deal.by_slug and slug not in asked]
    first = not request.POST.getlist("asked")
    row = reading.get_row(actor, deal, id)
    context = {
        "deal": row,
        "stage": stage,
        "controls": controls(
            actor,
            deal,
            asked,
            row=row,
            data=None if first else request.POST,
            error=None if first else error,
            prefix="move",
        ),
        "errors": other_errors(error, asked),
        "on": request.POST.get("on", ""),
        "state": [(name, request.POST[name]) for name in ("filter", "q", "mine") if request.POST.get(name)],
        "action": reverse("deal_move", args=[id]),
        "url": record_url("deal", id),
    }
    if not request.htmx:
        return render(request, "sales/move.html", context, status=error.status)
    response = render(request, "sales/move.html#form", context, status=error.status)
    return retarget(reswap(response, "innerHTML"), "#dialog-content")
