"""Settings → Roles: what comes with Rapport to look at, and roles of one's own."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Q
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods

from crm.workspace.errors import NotFound, WorkspaceError
from crm.workspace.models import Invitation, Member, Role
from crm.workspace.people import role_services
from crm.workspace.people.plan_needs import feature_need
from crm.workspace.people.role_editor import PRESETS, grid_of, rights_sent
from crm.workspace.people.role_services import RoleInvalid
from crm.workspace.people.selectors import grantable_roles
from crm.workspace.permissions import FIXED_ROLES, covers
from crm.workspace.text.folding import BY_NAME, fold
from tenants.actors import Actor, Permissions
from tenants.http import Request
from tenants.ids import id_of
from tenants.web.access import access, needs
from tenants.workspaces.limits import require_feature

ROLES = needs("workspace", "roles")
SOME_NAMES = 12


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form: a role's own, or what was sent and refused."""

    name: str
    about: str
    rights: Permissions
    errors: dict[str, str]
    problem: str = ""


def _actor(request: Request) -> Actor:
    return cast(Actor, request.actor)


def _role(role_id: UUID) -> Role:
    role = Role.objects.filter(id=role_id).first()
    if role is None:
        raise Http404
    return role


@access(ROLES)
@require_GET
def role_list(request: Request) -> HttpResponse:
    actor = _actor(request)
    active = Count("members", filter=Q(members__state=Member.State.ACTIVE))
    order = {role.slug: place for place, role in enumerate(FIXED_ROLES)}
    roles = list(Role.objects.annotate(number=active))
    for role in roles:
        role.editable = not role.is_fixed and covers(actor.permissions, role.matrix())  # type: ignore[attr-defined]
    context = {
        "fixed": sorted((role for role in roles if role.is_fixed), key=lambda role: order.get(role.slug, 9)),
        "own": sorted((role for role in roles if not role.is_fixed), key=lambda role: fold(role.name)),
        "presets": PRESETS,
        "need": feature_need(actor, "custom_roles"),
    }
    return render(request, "workspace/roles.html", context)


@access(ROLES)
@require_http_methods(["GET", "POST"])
def role_new(request: Request) -> HttpResponse:
    """A new role, filled in as ``from`` says: a preset's slug or another role's id. Raises FeatureMissing."""
    require_feature(_actor(request).tenant, "custom_roles")
    if request.method == "POST":
        return _save(request, None)
    wanted = request.GET.get("from", "")
    preset = next((one for one in PRESETS if one.slug == wanted), None)
    name, about, rights = "", "", (preset or PRESETS[0]).permissions()
    if preset is None and wanted:
        role_id = id_of(wanted)
        if role_id is None:
            raise Http404
        model = _role(role_id)
        name, about, rights = _("%(role)s (copy)") % {"role": model.label}, model.description, model.matrix()
    return _page(request, None, Entered(name, about, rights, {}), preset=preset.slug if preset else "")


@access(ROLES)
@require_http_methods(["GET", "POST"])
def role_edit(request: Request, role_id: UUID) -> HttpResponse:
    role = _role(role_id)
    if request.method == "POST":
        return _save(request, role)
    return _page(request, role, Entered(role.label, role.description, role.matrix(), {}))


def _save(request: Request, role: Role | None) -> HttpResponse:
    actor, data = _actor(request), request.POST
    matrix, fields = rights_sent(data)
    given: dict[str, Any] = {
        "name": data.get("name", ""),
        "about": data.get("about", ""),
        "permissions": matrix,
        "fields": fields,
    }
    try:
        if role is None:
            saved = role_services.role_create(actor, **given)
        else:
            saved = role_services.role_update(actor, role_id=role.id, seen=data.get("seen", ""), **given)
    except NotFound:
        raise Http404 from None
    except WorkspaceError as error:
        problems = error.problems if isinstance(error, RoleInvalid) else {error.field: str(error.message)}
        entered = Entered(given["name"], given["about"], _as_sent(matrix, fields), problems, str(error.message))
        return _page(request, role, entered, status=error.status)
    number = saved.members.filter(state=Member.State.ACTIVE).count()
    text = _("The role “%(role)s” is saved.") % {"role": saved.label}
    if number:
        counted = ngettext("It holds for %(number)d member.", "It holds for %(number)d members.", number)
        text += " " + counted % {"number": number}
    messages.success(request, text)
    return redirect("settings:roles")


def _as_sent(matrix: dict[str, dict[str, str]], fields: dict[str, dict[str, str]]) -> Permissions:
    known = {"none", "own", "team", "all"}
    rows = {
        noun: {action: scope if scope in known else "none" for action, scope in row.items()}
        for noun, row in matrix.items()
    }
    return Permissions.from_json(rows, fields)


def _page(
    request: Request, role: Role | None, entered: Entered, *, preset: str = "", status: int = 200
) -> HttpResponse:
    actor = _actor(request)
    may = role is None or (not role.is_fixed and covers(actor.permissions, role.matrix()))
    names: list[str] = []
    number = 0
    if role is not None:
        holders = role.members.filter(state=Member.State.ACTIVE).order_by(BY_NAME, "id")
        number = holders.count()
        names = list(holders.values_list("name", flat=True)[:SOME_NAMES])
    context = {
        "role": role,
        "entered": entered,
        "grid": grid_of(actor, entered.rights, entered.errors),
        "may": may,
        "presets": PRESETS if role is None else (),
        "preset": preset,
        "number": number,
        "names": names,
        "more": number - len(names),
        "mine": role is not None and actor.role == role.slug,
    }
    return render(request, "workspace/role.html", context, status=status)


@access(ROLES)
@require_http_methods(["GET", "POST"])
def role_delete(request: Request, role_id: UUID) -> HttpResponse:
    """What removing a role means, and to whom; then its members get another."""
    actor, role = _actor(request), _role(role_id)
    error: WorkspaceError | None = None
    if request.method == "POST":
        try:
            role_services.role_delete(actor, role_id=role.id, replacement=request.POST.get("replacement") or None)
        except WorkspaceError as found:
            error = found
        else:
            messages.success(request, _("The role “%(role)s” is removed.") % {"role": role.label})
            return redirect("settings:roles")
    context = {
        "role": role,
        "error": error,
        "number": role.members.count(),
        "names": list(role.members.order_by(BY_NAME, "id").values_list("name", flat=True)[:SOME_NAMES]),
        "invitations": Invitation.objects.filter(role=role, accepted_at=None, revoked_at=None).count(),
        "others": [one for one in grantable_roles(actor) if one.id != role.id],
    }
    return render(request, "workspace/role_delete.html", context, status=error.status if error else 200)
