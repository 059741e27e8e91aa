"""Settings → Personal, Members & roles, Workspace."""

from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from crm.workspace import services
from crm.workspace.errors import NotFound, WorkspaceError
from crm.workspace.forms import InviteForm, MemberForm, PersonalForm, WorkspaceForm
from crm.workspace.models import Member
from crm.workspace.roles import FIXED_ROLES
from crm.workspace.selectors import members, open_invitations, seats
from tenants import rates
from tenants.access import MEMBER, access, needs
from tenants.actors import Actor
from tenants.http import Request
from tenants.rates import limited
from tenants.settings import workspace_update

MEMBERS = needs("workspace", "members")


def _actor(request: Request) -> Actor:
    return cast(Actor, request.actor)


def _refused(form: forms.Form, error: WorkspaceError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error.message))


def _member(member_id: UUID) -> Member:
    member = members().filter(id=member_id).first()
    if member is None:
        raise Http404
    return member


@access(MEMBER)
def personal(request: Request) -> HttpResponse:
    actor = _actor(request)
    member = _member(cast(UUID, actor.member_id))
    form = PersonalForm(request.POST or None, member=member)
    if request.method == "POST" and form.is_valid():
        try:
            changed = services.member_profile_update(actor, **form.cleaned_data)
        except WorkspaceError as error:
            _refused(form, error)
        else:
            with translation.override(changed.locale or actor.tenant.locale):
                messages.success(request, _("Saved."))
            return redirect("settings:personal")
    context = {"form": form, "member": member}
    return render(request, "workspace/personal.html", context, status=422 if form.errors else 200)


@access(needs("workspace", "settings"))
def workspace(request: Request) -> HttpResponse:
    actor = _actor(request)
    form = WorkspaceForm(request.POST or None, tenant=actor.tenant)
    if request.method == "POST" and form.is_valid():
        workspace_update(actor, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("settings:workspace")
    return render(request, "workspace/workspace.html", {"form": form}, status=422 if form.errors else 200)


def _members_page(request: Request, form: InviteForm | None = None, *, status: int = 200) -> HttpResponse:
    actor = _actor(request)
    rows = list(members())
    may = actor.can("workspace", "members")
    context: dict[str, Any] = {
        "active": [row for row in rows if row.is_active],
        "deactivated": [row for row in rows if not row.is_active],
        "may_change": may,
        "roles": FIXED_ROLES,
    }
    if may:
        context |= {
            "form": form or InviteForm(actor=actor),
            "invitations": list(open_invitations()),
            "seats": seats(actor.tenant),
        }
    return render(request, "workspace/members.html", context, status=status)


@limited("invitation")
@access(MEMBER)
def member_list(request: Request) -> HttpResponse:
    """Who works here; for those who may, with the form that invites."""
    if request.method != "POST":
        return _members_page(request)
    actor = _actor(request)
    form = InviteForm(request.POST, actor=actor)
    if form.is_valid():
        rates.count("invite", str(actor.tenant.id))
        try:
            invited = services.invitation_send(actor, **form.cleaned_data)
        except WorkspaceError as error:
            _refused(form, error)
        else:
            messages.success(request, _("The invitation is on its way to %(email)s.") % {"email": invited.email})
            return redirect("settings:members")
    return _members_page(request, form, status=422)


@access(MEMBERS)
def member_edit(request: Request, member_id: UUID) -> HttpResponse:
    actor, member = _actor(request), _member(member_id)
    form = MemberForm(request.POST or None, actor=actor, member=member)
    if request.method == "POST" and form.is_valid():
        manager = form.cleaned_data["manager"]
        try:
            services.member_update(actor, member_id=member.id, role=form.cleaned_data["role"], manager=manager or None)
        except WorkspaceError as error:
            _refused(form, error)
        else:
            messages.success(request, _("%(name)s is changed.") % {"name": member.name})
            return redirect("settings:members")
    context = {"form": form, "member": member, "mine": member.id == actor.member_id}
    return render(request, "workspace/member.html", context, status=422 if form.errors else 200)


def _done(request: Request, work: Any, text: str, **arguments: Any) -> HttpResponse:
    """Run a service and go back to the members, with what was done or why it was not."""
    try:
        done = work(_actor(request), **arguments)
    except NotFound:
        raise Http404 from None
    except WorkspaceError as error:
        messages.error(request, str(error.message))
    else:
        messages.success(request, text % {"name": str(done)})
    return HttpResponseRedirect(reverse("settings:members"))


@require_POST
@access(MEMBERS)
def member_deactivate(request: Request, member_id: UUID) -> HttpResponse:
    text = _("%(name)s is shut out. All records stay.")
    return _done(request, services.member_deactivate, text, member_id=member_id)


@require_POST
@access(MEMBERS)
def member_reactivate(request: Request, member_id: UUID) -> HttpResponse:
    return _done(request, services.member_reactivate, _("%(name)s may come in again."), member_id=member_id)


@require_POST
@limited("invitation")
@access(MEMBERS)
def invitation_resend(request: Request, invitation_id: UUID) -> HttpResponse:
    rates.count("invite", str(_actor(request).tenant.id))
    text = _("A new invitation is on its way to %(name)s.")
    return _done(request, services.invitation_resend, text, invitation_id=invitation_id)


@require_POST
@access(MEMBERS)
def invitation_revoke(request: Request, invitation_id: UUID) -> HttpResponse:
    text = _("The invitation of %(name)s is revoked.")
    return _done(request, services.invitation_revoke, text, invitation_id=invitation_id)
