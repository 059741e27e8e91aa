"""Settings → Teams: the tree, who heads it, who sits where."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Invitation, Member, Team
from crm.workspace.people import member_services, team_services
from crm.workspace.people.forms import TeamForm, TeamMemberForm, TeamRemoveForm
from crm.workspace.people.member_views import LOOK, MEMBERS, actor_of, done
from crm.workspace.people.plan_needs import feature_need
from crm.workspace.people.selectors import members_of_teams, teams
from crm.workspace.text.folding import BY_NAME
from tenants.http import Request
from tenants.permission_checks import check
from tenants.web.access import access

FORM = ["GET", "POST"]


def _team(team_id: UUID) -> Team:
    found = Team.objects.select_related("parent", "head").filter(id=team_id).first()
    if found is None:
        raise Http404
    return found


def refused(form: forms.Form, error: WorkspaceError) -> None:
    form.add_error(error.field if error.field in form.fields else None, str(error.message))


@access(LOOK)
@require_http_methods(FORM)
def team_list(request: Request) -> HttpResponse:
    """The tree with heads and members; for those who may, with the form that adds a team."""
    actor = actor_of(request)
    may = actor.can("workspace", "members")
    form = TeamForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        check(actor, "workspace", "members")
    if request.method == "POST" and form.is_valid():
        try:
            made = team_services.team_create(actor, **form.cleaned_data)
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _("The team %(name)s is there.") % {"name": made.name})
            return redirect("settings:team", team_id=made.id)
    people = members_of_teams()
    rows = [{"team": team, "people": people.get(team.id, [])} for team in teams()]
    context = {
        "rows": rows,
        "teamless": people.get(None, []),
        "form": form,
        "may_change": may,
        "need": feature_need(actor, "teams") if may else None,
    }
    return render(request, "workspace/teams.html", context, status=422 if form.errors else 200)


def _page(request: Request, team: Team, status: int = 200, **given: forms.Form) -> HttpResponse:
    may = actor_of(request).can("workspace", "members")
    context: dict[str, Any] = {
        "team": team,
        "people": Member.objects.filter(team=team).select_related("role").order_by("state", BY_NAME, "id"),
        "children": Team.objects.filter(parent=team).select_related("head").order_by(BY_NAME, "id"),
        "may_change": may,
    }
    if may:
        context |= {"form": TeamForm(team=team), "member_form": TeamMemberForm(team=team)} | given
    return render(request, "workspace/team.html", context, status=status)


@access(LOOK)
@require_http_methods(FORM)
def team_edit(request: Request, team_id: UUID) -> HttpResponse:
    """One team: its name, its place in the tree, its head, its people."""
    actor, team = actor_of(request), _team(team_id)
    if request.method != "POST":
        return _page(request, team)
    check(actor, "workspace", "members")
    form = TeamForm(request.POST, team=team)
    if form.is_valid():
        try:
            team_services.team_update(actor, team_id=team.id, **form.cleaned_data)
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("settings:teams")
    return _page(request, team, 422, form=form)


@access(MEMBERS)
@require_POST
def team_member_add(request: Request, team_id: UUID) -> HttpResponse:
    actor, team = actor_of(request), _team(team_id)
    form = TeamMemberForm(request.POST, team=team)
    if form.is_valid():
        try:
            member = member_services.member_update(actor, member_id=UUID(form.cleaned_data["member"]), team=team)
        except WorkspaceError as error:
            form.add_error("member", str(error.message))
        else:
            text = _("%(name)s is in %(team)s now.") % {"name": member.name, "team": team.name}
            messages.success(request, text)
            return redirect("settings:team", team_id=team.id)
    return _page(request, team, 422, member_form=form)


@access(MEMBERS)
@require_POST
def team_member_remove(request: Request, team_id: UUID, member_id: UUID) -> HttpResponse:
    team = _team(team_id)
    if not Member.objects.filter(id=member_id, team=team).exists():
        raise Http404
    text = _("%(name)s is in no team now.")
    back = reverse("settings:team", args=[team.id])
    return done(request, member_services.member_update, text, back=back, member_id=member_id, team=None)


@access(MEMBERS)
@require_http_methods(FORM)
def team_remove(request: Request, team_id: UUID) -> HttpResponse:
    """What goes where when the team goes, and then its removal."""
    actor, team = actor_of(request), _team(team_id)
    form = TeamRemoveForm(request.POST if request.method == "POST" else None, team=team)
    if request.method == "POST" and form.is_valid():
        target = form.cleaned_data["move_to"] or None
        try:
            team_services.team_delete(actor, team_id=team.id, move_to=target, children_to=target)
        except WorkspaceError as error:
            refused(form, error)
        else:
            messages.success(request, _("The team %(name)s is gone.") % {"name": team.name})
            return redirect("settings:teams")
    context = {
        "team": team,
        "form": form,
        "members": Member.objects.filter(team=team).count(),
        "children": Team.objects.filter(parent=team).count(),
        "invited": Invitation.objects.filter(team=team, accepted_at=None, revoked_at=None).count(),
    }
    return render(request, "workspace/team_remove.html", context, status=422 if form.errors else 200)
