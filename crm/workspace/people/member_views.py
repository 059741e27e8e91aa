"""Settings → Members: who works here, and who is invited."""

from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from crm.workspace.errors import NotFound, WorkspaceError
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.forms import FilterForm, InviteForm
from crm.workspace.people.seat_buying import may_buy, seat_need, seats_bought, seats_page, seats_short
from crm.workspace.people.selectors import members_matching, open_invitations, seats, seats_remedy
from tenants import rate_limits
from tenants.actors import Actor
from tenants.http import Request
from tenants.permission_checks import check
from tenants.rate_limits import limited
from tenants.web.access import access, needs
from tenants.workspaces.limits import LimitReached

LOOK = needs("member", "view")
MEMBERS = needs("workspace", "members")
PAGE = 100


def actor_of(request: Request) -> Actor:
    return cast(Actor, request.actor)


def _page(request: Request, form: InviteForm | None = None, *, status: int = 200) -> HttpResponse:
    actor = actor_of(request)
    wanted = FilterForm(request.GET)
    found = members_matching(**wanted.chosen)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context: dict[str, Any] = {
        "page": page,
        "filter": wanted,
        "narrowed": bool(wanted.chosen),
        "may_change": actor.can("workspace", "members"),
    }
    if context["may_change"]:
        context |= {
            "form": form or InviteForm(actor=actor),
            "invitations": list(open_invitations()),
            "seats": seats(actor.tenant),
            "need": seat_need(actor),
        }
    return render(request, "workspace/members.html", context, status=status)


@limited("invitation")
@access(LOOK, serves_suspended=True)
@require_http_methods(["GET", "POST"])
def member_list(request: Request) -> HttpResponse:
    """Who works here; for those who may, with the form that invites."""
    if request.method != "POST":
        return _page(request)
    check(actor_of(request), "workspace", "members")
    form = InviteForm(request.POST, actor=actor_of(request))
    if not form.is_valid():
        return _page(request, form, status=422)
    values = form.cleaned_data
    emails = values.pop("emails")
    if problem := seats_bought(request):
        short = seats_short(actor_of(request), len(emails))
        return seats_page(request, short, request.POST, problem=problem)
    actor = actor_of(request)
    sent, refused = 0, {}
    seatless: list[str] = []
    for email in emails:
        rate_limits.count("invite", str(actor.tenant.id))
        try:
            invitation_services.invitation_send(actor, email=email, **values)
        except WorkspaceError as error:
            if error.field in ("role", "team", "manager"):
                form.add_error(error.field, str(error.message))
                return _page(request, form, status=422)
            refused[email] = str(error.message)
        except LimitReached as error:
            seatless.append(email)
            refused[email] = f"{error.message} {seats_remedy(actor)}"
        else:
            sent += 1
    if sent:
        text = ngettext(
            "The invitation is on its way to %(email)s.", "%(count)d invitations are on their way.", sent
        ) % {"count": sent, "email": next(email for email in emails if email not in refused)}
        messages.success(request, text)
    if not refused:
        return redirect("settings:members")
    left = request.POST.copy()
    if seatless and may_buy(actor):
        left["emails"] = "\n".join(seatless)
        for email in [one for one in refused if one not in seatless]:
            messages.error(request, f"{email}: {refused[email]}")
        return seats_page(request, seats_short(actor, len(seatless)), left)
    left["emails"] = "\n".join(refused)
    again = InviteForm(left, actor=actor)
    again.is_valid()
    for email, why in refused.items():
        again.add_error("emails", f"{email}: {why}")
    return _page(request, again, status=422)


def done(request: Request, work: Any, text: str, *, back: str = "", **arguments: Any) -> HttpResponse:
    """Run a service and go back to the members, with what was done or why it was not."""
    try:
        what = work(actor_of(request), **arguments)
    except NotFound:
        raise Http404 from None
    except WorkspaceError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, text % {"name": str(what)})
    return HttpResponseRedirect(back or reverse("settings:members"))


def with_seat(request: Request, work: Any, text: str, **arguments: Any) -> HttpResponse:
    """As ``done`` for what takes a seat: where none is free, who may pay is shown first what one more costs."""
    if problem := seats_bought(request):
        return seats_page(request, 1, request.POST, problem=problem)
    try:
        return done(request, work, text, **arguments)
    except LimitReached as reached:
        if reached.limit != "seats" or not may_buy(actor_of(request)):
            raise
        return seats_page(request, reached.used + 1 - reached.most, request.POST)


@require_POST
@access(MEMBERS)
def member_reactivate(request: Request, member_id: UUID) -> HttpResponse:
    return with_seat(request, member_services.member_reactivate, _("%(name)s may come in again."), member_id=member_id)


@require_POST
@limited("invitation")
@access(MEMBERS)
def invitation_resend(request: Request, invitation_id: UUID) -> HttpResponse:
    rate_limits.count("invite", str(actor_of(request).tenant.id))
    text = _("A new invitation is on its way to %(name)s. The link of the old one is dead.")
    return with_seat(request, invitation_services.invitation_resend, text, invitation_id=invitation_id)


@require_POST
@access(MEMBERS, writes_unpaid=True)
def invitation_revoke(request: Request, invitation_id: UUID) -> HttpResponse:
    text = _("The invitation of %(name)s is revoked.")
    return done(request, invitation_services.invitation_revoke, text, invitation_id=invitation_id)
