"""Screens of sales: my day and the board of deals."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import reswap, retarget, trigger_client_event

from crm.activities.calendar.pages import nouns_shown
from crm.activities.page_sections import entry_changes
from crm.records.access.visibility import may_write
from crm.records.display.controls import controls, other_errors, read_values
from crm.records.display.presenting import record_url
from crm.records.display.responses import handle_record_errors, redirect_to, refused, return_url, toast
from crm.records.errors import FieldError, Invalid, NotFound
from crm.records.events.history import Entry
from crm.records.lists import filtering
from crm.records.read import reading
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from crm.sales import services
from crm.sales.board import columns
from crm.sales.board.address import BoardAddress
from crm.sales.board.cards import CardPrinter, icons
from crm.sales.models import Stage
from crm.sales.my_day import my_day
from crm.sales.rules.deals import stage_gone
from crm.workspace.people.selectors import active_members
from tenants.actors import Actor
from tenants.http import MemberRequest
from tenants.ids import id_of
from tenants.web.access import MEMBER, access, needs
from tenants.workspaces.entitlements import why_not_writable

MAX_NEWS = 12
MAX_LINES = 20
FIRST_STEPS = ("company", "contact", "deal")


@access(MEMBER)
@require_GET
@handle_record_errors
def home(request: MemberRequest) -> HttpResponseBase:
    """My day, or the first steps in a workspace that holds nothing yet."""
    actor = request.actor
    day = my_day(actor, recent=MAX_NEWS * 2)
    news = _together([entry for entry in day.recent if _is_news(entry)])[:MAX_NEWS]
    context: dict[str, Any] = {
        "day": day,
        "recent": [
            {
                "entry": entry,
                "others": others,
                "changes": entry_changes(actor, entry, {}),
                "url": record_url(entry.record_type, entry.record_id),
            }
            for entry, others in news
        ],
        "is_fresh": not news
        and not any(
            reading.visible(actor, record_type).exists() for record_type in registry.all() if record_type.in_sidebar
        ),
        "first_steps": [registry.get(slug) for slug in FIRST_STEPS if actor.can(slug, "create")],
        "may_see_plans": bool(nouns_shown(actor)),
        "may_add_task": actor.can("task", "create"),
        "may_see_deals": actor.can("deal", "view"),
        "may_load": actor.can("workspace", "sample_data") and why_not_writable(actor.tenant) is None,
    }
    return render(request, "sales/home.html", context)


def _together(entries: Sequence[Entry]) -> list[tuple[Entry, bool]]:
    """What one change did to several records of a noun is one piece of news; each with whether there are others."""
    together: dict[tuple[UUID, str], list[Entry]] = {}
    for entry in entries:
        together.setdefault((entry.change_set_id, entry.type), []).append(entry)
    return [(found[0], len(found) > 1) for found in together.values()]


def _is_news(entry: Entry) -> bool:
    """Of an event and those that rules add to it, the event; and nothing of the settings, such as stages."""
    if entry.record_type not in registry:
        return False
    record_type = registry.get(entry.record_type)
    return entry.type not in record_type.event_types and (record_type.in_sidebar or record_type.slug == "note")


@access(needs("deal", "view"))
@require_GET
@handle_record_errors
def board(request: MemberRequest) -> HttpResponseBase:
    return _board_page(request, BoardAddress.of(request.actor, request))


def _board_page(request: MemberRequest, address: BoardAddress, *, part: bool = False) -> HttpResponse:
    """The board as a page, or as what htmx puts in its place."""
    actor, listing = request.actor, address.listing
    deal = registry.get("deal")
    try:
        found = columns.board(actor, address.pipeline or None, address.asked)
    except NotFound:
        if address.pipeline:
            raise
        found = None
    printer = _printer(actor, address)
    context = {
        "record_type": deal,
        "listing": listing,
        "address": address,
        "columns": [(column, printer.cards(column.cards)) for column in found.columns] if found else [],
        "icons": icons(),
        "chips": filtering.chips(listing),
        "board": found,
        "problem": listing.problem,
        "may_move": printer.may_move,
        "may_bulk": printer.may_bulk,
        "may_trash": actor.can("deal", "delete"),
        "may_create": actor.can("deal", "create"),
        "members": active_members().values_list("id", "name") if printer.may_bulk else (),
    }
    part = part or bool(request.htmx and request.htmx.target == "board")
    name = "sales/board.html#board" if part else "sales/board.html"
    return render(request, name, context, status=listing.problem.status if listing.problem else 200)


def _printer(actor: Actor, address: BoardAddress) -> CardPrinter:
    return CardPrinter(
        actor,
        may_move=actor.can("deal", "edit") and why_not_writable(actor.tenant) is None,
        may_bulk=actor.can("deal", "bulk") and actor.can("deal", "edit"),
        more=columns.card_fields(actor, address.asked.card_fields),
    )


@access(needs("deal", "view"))
@require_GET
@handle_record_errors
def board_column(request: MemberRequest, stage: UUID) -> HttpResponseBase:
    """The next cards of a column."""
    actor = request.actor
    address = BoardAddress.of(actor, request)
    cards, next_cursor = columns.board_column(actor, stage, request.GET.get("cursor") or None, address.asked)
    context = {
        "cards": _printer(actor, address).cards(cards),
        "stage_id": stage,
        "next_cursor": next_cursor,
        "query": address.query,
    }
    return render(request, "sales/board.html#cards", context)


@access(needs("deal", "edit"))
@require_POST
@handle_record_errors
def deal_move(request: MemberRequest, id: UUID) -> HttpResponseBase:
    """Move a deal to a stage; when the stage asks for more, a form with only that."""
    actor = request.actor
    stage = _stage_sent(request)
    if stage.deleted_at:
        return _stage_gone(request, stage)
    try:
        change = services.deal_move(actor, deal_id=id, stage_id=stage.pk, values=_asked_values(request))
    except Invalid as error:
        return _asks_for_more(request, id, stage, error)
    message = _("Moved to %(stage)s.") % {"stage": stage.name}
    if not request.htmx:
        return redirect_to(request, return_url(request, record_url("deal", id)), message, undo=change.change_set.id)
    if request.POST.get("on") != "board":
        response = HttpResponse()
        trigger_client_event(response, "record:changed", {"id": str(id)})
        trigger_client_event(response, "dialog:close", {})
        return toast(reswap(response, "none"), message, undo=change.change_set.id)
    address = BoardAddress.of(actor, request)
    found = columns.board(actor, stage.pipeline_id, address.asked)
    card = _printer(actor, address).card(columns.board_card(actor, id, address.asked), swapped=True)
    context = {"board": found, "card": card}
    response = render(request, "sales/board.html#moved", context)
    trigger_client_event(response, "deal:moved", {"id": str(id), "stage": str(stage.pk)}, after="settle")
    trigger_client_event(response, "dialog:close", {}, after="settle")
    return toast(reswap(response, "none"), message, undo=change.change_set.id)


def _stage_sent(request: MemberRequest) -> Stage:
    """The stage that was asked for, even if somebody removed it while the page was open."""
    wanted = request.POST.get("stage", "")
    found = reading.get_record(request.actor, registry.get("stage"), wanted, trashed="include")
    assert isinstance(found, Stage)
    return found


def _stage_gone(request: MemberRequest, stage: Stage) -> HttpResponse:
    """Say so, and show the board as it is now."""
    error = Invalid([FieldError("stage", "stage_gone", stage_gone(stage.name))], stage_gone(stage.name))
    response = refused(request, error)
    if not request.htmx or request.POST.get("on", "board") != "board":
        return response
    fresh = _board_page(request, BoardAddress.of(request.actor, request), part=True)
    fresh.status_code = error.status
    fresh["HX-Trigger"] = response["HX-Trigger"]
    return retarget(reswap(fresh, "outerHTML"), "#board")


def _asked_values(request: MemberRequest) -> dict[str, Any]:
    """What was filled in of the fields that a stage asked for."""
    deal = registry.get("deal")
    slugs = [slug for slug in request.POST.getlist("asked") if slug in deal.by_slug and deal.field(slug).editable]
    written = [*slugs, *(deal.field(slug).currency for slug in slugs if deal.field(slug).kind is Kind.MONEY)]
    return read_values(request.actor, deal, written, request.POST)


def _to_ask(request: MemberRequest, error: Invalid) -> list[str]:
    """The fields that a refused move is for want of, those that were asked for before among them."""
    deal = registry.get("deal")
    named = [one.field for one in error.errors if one.field not in {"stage", "pipeline"}]
    slugs = dict.fromkeys([*named, *request.POST.getlist("asked")])
    return [slug for slug in slugs if slug in deal.by_slug and may_write(request.actor, deal, deal.field(slug))]


def _asks_for_more(request: MemberRequest, id: UUID, stage: Stage, error: Invalid) -> HttpResponse:
    actor = request.actor
    deal = registry.get("deal")
    asked = _to_ask(request, error)
    first = not request.POST.getlist("asked")
    row = reading.get_row(actor, deal, id)
    context = {
        "deal": row,
        "stage": stage,
        "controls": controls(
            actor,
            deal,
            asked,
            row={**row, "pipeline": stage.pipeline_id},
            data=None if first else request.POST,
            error=None if first and _only_wanting(error) else error,
            prefix="move",
        ),
        "errors": other_errors(error, asked),
        "on": request.POST.get("on", ""),
        "state": _state_sent(request),
        "action": reverse("deal_move", args=[id]),
        "url": record_url("deal", id),
    }
    if not request.htmx:
        return render(request, "sales/move.html", context, status=error.status)
    response = render(request, "sales/move.html#form", context, status=error.status)
    return retarget(reswap(response, "innerHTML"), "#dialog-content")


def _only_wanting(error: Invalid) -> bool:
    """Whether all that is wrong is that fields are empty, which the form says by asking for them."""
    return all(one.code == "required_in_stage" for one in error.errors)


def _state_sent(request: MemberRequest) -> list[tuple[str, str]]:
    names = ("pipeline", "view", "filter", "q", "quick", "cards")
    return [(name, request.POST[name]) for name in names if name in request.POST]


# --- several at once -------------------------------------------------------------------------------------------------


@access(needs("deal", "bulk"))
@require_POST
@handle_record_errors
def board_together(request: MemberRequest) -> HttpResponseBase:
    """Move, assign or trash the selected deals: all, or none with what stands in the way of each."""
    actor, action = request.actor, request.POST.get("action", "")
    ids = list(dict.fromkeys(_ids_sent(request)))
    stage = None
    try:
        if action == "trash":
            change = services.deals_trash(actor, deal_ids=ids)
            told = ngettext("%(count)s deal moved to the trash.", "%(count)s deals moved to the trash.", len(ids))
        elif action == "assign":
            change = services.deals_assign(actor, deal_ids=ids, owner_id=request.POST.get("owner", ""))
            told = ngettext("%(count)s deal assigned.", "%(count)s deals assigned.", len(ids))
        else:
            stage = _stage_sent(request)
            if stage.deleted_at:
                return _stage_gone(request, stage)
            change = services.deals_move(actor, deal_ids=ids, stage_id=stage.pk, values=_asked_values(request))
            told = ngettext("%(count)s deal moved to %(stage)s.", "%(count)s deals moved to %(stage)s.", len(ids))
    except Invalid as error:
        if not error.errors:
            raise
        return _refused_together(request, ids, stage, error)
    message = told % {"count": len(ids), "stage": stage.name if stage else ""}
    address = BoardAddress.of(actor, request)
    if not request.htmx:
        return redirect_to(request, address.listing.url(), message, undo=change.change_set.id)
    response = _board_page(request, address, part=True)
    trigger_client_event(response, "dialog:close", {}, after="settle")
    return toast(retarget(reswap(response, "outerHTML"), "#board"), message, undo=change.change_set.id)


def _ids_sent(request: MemberRequest) -> list[UUID]:
    found = [id_of(text) for text in request.POST.getlist("id")]
    if None in found:
        raise NotFound
    return [one for one in found if one]


def _refused_together(request: MemberRequest, ids: list[UUID], stage: Stage | None, error: Invalid) -> HttpResponse:
    """Which deals cannot follow, and a form for what those lack."""
    actor, deal = request.actor, registry.get("deal")
    asked = _to_ask(request, error) if stage else []
    names = reading.titles(actor, [("deal", id) for id in ids])
    lines: dict[int, list[str]] = {}
    for one in error.errors:
        lines.setdefault(one.index, []).append(str(one.message))
    context = {
        "stage": stage,
        "action_name": request.POST.get("action", ""),
        "ids": ids,
        "lines": [(names[("deal", ids[index])], texts) for index, texts in sorted(lines.items())[:MAX_LINES]],
        "more": max(0, len(lines) - MAX_LINES),
        "controls": controls(
            actor,
            deal,
            asked,
            row={"pipeline": stage.pipeline_id} if stage else {},
            data=request.POST if request.POST.getlist("asked") else None,
            prefix="move",
        ),
        "state": _state_sent(request),
        "url": BoardAddress.of(actor, request).listing.url(),
    }
    if not request.htmx:
        return render(request, "sales/together.html", context, status=error.status)
    response = render(request, "sales/together.html#form", context, status=error.status)
    return retarget(reswap(response, "innerHTML"), "#dialog-content")
