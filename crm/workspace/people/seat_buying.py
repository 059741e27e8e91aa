"""A seat that is missing, bought in the step that needs it: the price first, then the same form again with a yes."""

from dataclasses import asdict, replace
from decimal import Decimal
from typing import cast

from django.contrib import messages
from django.core import signing
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.workspace.people.plan_needs import PlanNeed, missing_room
from crm.workspace.people.selectors import seats, seats_remedy
from tenants.actors import Actor
from tenants.http import Request
from tenants.permission_checks import check
from tenants.workspaces.seat_offers import SeatOffer, SeatsNotSold, seat_seller
from tenants.workspaces.settings import workspace_now

SALT = "seat-offer"
HOLDS_SECONDS = 15 * 60
FIELD = "seat_offer"


def may_buy(actor: Actor) -> bool:
    return actor.can("workspace", "billing") and seat_seller() is not None


def seat_need(actor: Actor) -> PlanNeed | None:
    """What inviting one more would need: the price shown in that step where seats are sold, else what to do first.

    None where a seat is free.
    """
    missing = missing_room(actor, "seats")
    if missing is None:
        return None
    seller = seat_seller()
    if seller is None or not may_buy(actor):
        return PlanNeed(f"{missing.message} {seats_remedy(actor)}", "")
    if refusal := seller.refusal(actor):
        return PlanNeed(f"{missing.message} {refusal}", missing.where)
    how = _("Invite all the same: the price of one more is shown before anything is paid or sent.")
    return PlanNeed(f"{missing.message} {how}", "")


def seats_short(actor: Actor, adding: int) -> int:
    """How many seats are missing for so many more people; open invitations may be more than there are seats for."""
    found = seats(actor.tenant)
    return max(1, found.used + adding - (found.limit or 0))


def seats_bought(request: Request) -> str:
    """Buy what the form says yes to; why it was not bought, or empty where it was or nothing was asked for.

    The request's actor knows of the new seats then.
    """
    actor = cast(Actor, request.actor)
    sealed = request.POST.get(FIELD, "")
    if not sealed:
        return ""
    check(actor, "workspace", "billing")
    seller, offer = seat_seller(), _unsealed(actor, sealed)
    if seller is None or offer is None:
        return _("That price has lapsed. This is the price now.")
    try:
        seller.buy(actor, offer)
    except SeatsNotSold as refusal:
        return refusal.message
    request.actor = replace(actor, tenant=workspace_now(actor.tenant))
    text = ngettext("One seat was added.", "%(count)d seats were added.", offer.extra) % {"count": offer.extra}
    messages.success(request, text)
    return ""


def seats_page(request: Request, extra: int, form: QueryDict, *, problem: str = "") -> HttpResponse:
    """The page that says what so many more seats cost, or why there are none; ``form`` is sent again with the yes."""
    actor = cast(Actor, request.actor)
    seller = seat_seller()
    assert seller is not None
    waiting = form.get("emails", "").replace(",", " ").split()
    context: dict[str, object] = {"extra": extra, "problem": problem, "waiting": waiting}
    try:
        offer = seller.offer(actor, extra)
    except SeatsNotSold as refusal:
        context["refusal"] = refusal.message
    else:
        fields = [
            (name, value)
            for name, values in form.lists()
            if name not in ("csrfmiddlewaretoken", FIELD)
            for value in values
        ]
        context |= {"offer": offer, "fields": fields, "sealed": _sealed(actor, offer), "field": FIELD}
    return render(request, "workspace/seats_needed.html", context, status=402)


def _sealed(actor: Actor, offer: SeatOffer) -> str:
    values = {name: str(value) for name, value in asdict(offer).items()}
    return signing.dumps([str(actor.tenant.id), str(actor.member_id), values], salt=SALT)


def _unsealed(actor: Actor, sealed: str) -> SeatOffer | None:
    """The offer that was made to this member of this workspace; None for a forged or lapsed one."""
    try:
        tenant_id, member_id, values = signing.loads(sealed, salt=SALT, max_age=HOLDS_SECONDS)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    if (tenant_id, member_id) != (str(actor.tenant.id), str(actor.member_id)):
        return None
    return SeatOffer(
        extra=int(values["extra"]),
        seats=int(values["seats"]),
        due_now=Decimal(values["due_now"]),
        per_period=Decimal(values["per_period"]),
        currency=values["currency"],
        interval=values["interval"],
        priced_at=int(values["priced_at"]),
    )
