"""Settings → Members → one of them: what is open with them, and giving it to others."""

from typing import Any
from uuid import UUID

from django import forms
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from crm.records.display.responses import redirect_to
from crm.records.errors import NotFound, RecordError
from crm.records.jobs import ownership_transfer
from crm.records.jobs.ownership_transfer import Outcome, Portion, counted, portions
from crm.records.views.ownership_transfer_forms import GiveForm, LeaveForm
from crm.workspace.errors import NotFound as NoSuchMember
from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Member, Team
from crm.workspace.people import member_services
from crm.workspace.people.forms import MemberForm
from crm.workspace.people.selectors import members
from crm.workspace.text.folding import BY_NAME
from tenants.actors import Actor
from tenants.http import MemberRequest
from tenants.permission_checks import check
from tenants.web.access import MEMBER, access, needs
from tenants.workspaces.entitlements import why_not_writable

FORM = ["GET", "POST"]
BULK = ("edit", "bulk")


def member_of(member_id: UUID) -> Member:
    found = members().select_related("team").filter(pk=member_id).first()
    if found is None:
        raise Http404
    return found


def refuse(form: forms.Form, error: WorkspaceError | RecordError) -> None:
    field = getattr(error, "field", "")
    named = field if field in form.fields else f"taker_{field}"
    form.add_error(named if named in form.fields else None, str(error.message))


def movable(actor: Actor, member: Member) -> list[Portion]:
    """What of a member's the actor may give away in bulk."""
    return [one for one in portions(actor, member.pk, actions=BULK) if actor.can(one.record_type.slug, "bulk")]


@access(needs("member", "view"), serves_suspended=True)
@require_http_methods(FORM)
def member(request: MemberRequest, member_id: UUID) -> HttpResponse:
    """A colleague: where they stand and what is open with them; for those who may, to be changed."""
    actor, shown = request.actor, member_of(member_id)
    may = actor.can("workspace", "members")
    form = MemberForm(request.POST if request.method == "POST" else None, actor=actor, member=shown) if may else None
    if request.method == "POST":
        check(actor, "workspace", "members")
        assert form is not None
        if form.is_valid():
            try:
                member_services.member_update(
                    actor,
                    member_id=shown.pk,
                    role=form.cleaned_data["role"],
                    manager=form.cleaned_data["manager"] or None,
                    team=form.cleaned_data["team"] or None,
                )
            except NoSuchMember:
                raise Http404 from None
            except WorkspaceError as error:
                refuse(form, error)
            else:
                message = _("%(name)s is changed.") % {"name": shown.name}
                return redirect_to(request, reverse("settings:members"), message)
    context = {
        "shown": shown,
        "form": form,
        "may_change": may,
        "mine": shown.pk == actor.member_id,
        "portions": portions(actor, shown.pk, actions=("view",)),
        "may_move": bool(movable(actor, shown)),
        "reports": Member.objects.filter(manager=shown).order_by("state", BY_NAME, "id"),
        "heads": Team.objects.filter(head=shown).order_by(BY_NAME, "id"),
    }
    return render(request, "people/member.html", context, status=422 if form and form.errors else 200)


@access(needs("workspace", "members"), writes_unpaid=True, serves_suspended=True)
@require_http_methods(FORM)
def member_leave(request: MemberRequest, member_id: UUID) -> HttpResponse:
    """Everything that becomes of a member's work when they go, to be chosen; then they are deactivated."""
    actor, leaver = request.actor, member_of(member_id)
    if not leaver.is_active:
        return redirect_to(request, reverse("settings:member", args=[leaver.pk]))
    reports = list(Member.objects.filter(manager=leaver, state=Member.State.ACTIVE).order_by(BY_NAME, "id"))
    stays_with = why_not_writable(actor.tenant)
    form = LeaveForm(
        request.POST if request.method == "POST" else None,
        giver=leaver,
        portions=[] if stays_with else portions(actor, leaver.pk),
        suggested=suggested(actor, leaver),
        reports=reports,
        teams=list(Team.objects.filter(head=leaver).order_by(BY_NAME, "id")),
    )
    if request.method == "POST" and form.is_valid():
        try:
            done = ownership_transfer.member_hand_over(
                actor,
                member_id=leaver.pk,
                takers=form.takers,
                closed_too=form.closed_too,
                manager_id=form.cleaned_data.get("manager") or None,
                heads=form.heads,
            )
        except NotFound:
            raise Http404 from None
        except (WorkspaceError, RecordError) as error:
            refuse(form, error)
        else:
            url = reverse("home") if leaver.pk == actor.member_id else reverse("settings:members")
            return handed_over(request, done, url, _("%(name)s is deactivated.") % {"name": leaver.name})
    context: dict[str, Any] = {
        "leaver": leaver,
        "form": form,
        "stays_with": stays_with,
        "mine": leaver.pk == actor.member_id,
        "stays": member_services.LAST_OWNER if member_services.is_last_owner(leaver) else "",
    }
    return render(request, "people/leave.html", context, status=422 if form.errors else 200)


@access(MEMBER)
@require_http_methods(FORM)
def member_move(request: MemberRequest, member_id: UUID) -> HttpResponse:
    """Records of a member, active or not, given to others by whoever may do so in bulk."""
    actor, giver = request.actor, member_of(member_id)
    found = movable(actor, giver)
    if not found and not any(
        actor.can(record_type.slug, "bulk") for record_type in ownership_transfer.held_types(actor)
    ):
        raise Http404
    form = GiveForm(request.POST if request.method == "POST" else None, giver=giver, portions=found)
    if request.method == "POST" and form.is_valid():
        if not form.takers:
            form.add_error("taker", _("Choose who takes over."))
        else:
            try:
                done = ownership_transfer.records_move(
                    actor, member_id=giver.pk, takers=form.takers, closed_too=form.closed_too
                )
            except NotFound:
                raise Http404 from None
            except (WorkspaceError, RecordError) as error:
                refuse(form, error)
            else:
                return handed_over(request, done, reverse("settings:member", args=[giver.pk]), "")
    context = {"giver": giver, "form": form}
    return render(request, "people/move.html", context, status=422 if form.errors else 200)


def handed_over(request: MemberRequest, done: Outcome, url: str, message: str) -> HttpResponse:
    """Say what went, with the way back; or that it is underway."""
    parts = [message] if message else []
    if done.job is not None:
        parts.append(_("There is a lot to hand over: it goes on in the background."))
        return redirect_to(request, reverse("records:job", args=[done.job.pk]), " ".join(parts))
    if done.total:
        parts.append(_("Handed over: %(what)s.") % {"what": counted(done.counts)})
    return redirect_to(request, url, " ".join(parts), undo=done.change_set.pk)


def suggested(actor: Actor, leaver: Member) -> str:
    """Who is likely to take over: their manager, else the head of their team."""
    if leaver.manager is not None and leaver.manager.is_active:
        return str(leaver.manager_id)
    head = leaver.team.head if leaver.team is not None else None
    return str(head.pk) if head is not None and head.is_active and head.pk != leaver.pk else ""
