"""The page of an invitation: for people who are new, signed in, or have an account and are not."""

from typing import cast
from urllib.parse import quote

from django.contrib import messages
from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from crm.workspace.errors import Conflict, NotFound, WorkspaceError
from crm.workspace.people.invitation_services import (
    invitation_accept,
    invitation_check,
    invitation_hold,
    invitation_tenant_id,
    seat_missing_notify,
)
from tenants.accounts import services
from tenants.accounts.session_handover import entry_url
from tenants.actors import TenantRef
from tenants.db.scopes import tenant_scope
from tenants.http import Request
from tenants.models import User
from tenants.rate_limits import limited
from tenants.selectors import BUILT, tenant_find
from tenants.web.access import PUBLIC, access
from tenants.web.forms import JoinForm
from tenants.web.pages import leads_to_workspaces
from tenants.web.signin_views import stay_signed_in
from tenants.workspaces.entitlements import why_not_writable
from tenants.workspaces.limits import LimitReached


def _tenant(token: str) -> TenantRef:
    tenant_id = invitation_tenant_id(token)
    tenant = tenant_find(tenant_id) if tenant_id is not None else None
    if tenant is None or tenant.state not in BUILT:
        raise NotFound(
            "invitation_unknown", _("This invitation link is not complete. Copy the whole address from the mail.")
        )
    if why_not_writable(tenant) is not None:
        raise Conflict(
            "workspace_read_only",
            _("This workspace takes nobody in at the moment. Ask the person who invited you, and open the link again."),
        )
    return tenant


def _closed(request: Request, error: WorkspaceError) -> HttpResponse:
    status = {"invitation_unknown": 404, "other_email": 403}.get(error.code, 410)
    context = {"code": error.code, "text": error.message, "next": request.path}
    return render(request, "workspace/invitation_closed.html", context, status=status)


@never_cache
@sensitive_post_parameters("password")
@leads_to_workspaces
@limited("invitation", methods=("GET", "POST"))
@access(PUBLIC)
def invitation(request: Request, token: str) -> HttpResponseBase:
    try:
        tenant = _tenant(token)
        with tenant_scope(tenant):
            invited = invitation_check(token)
            email, role = invited.email, str(invited.role)
            inviter = invited.invited_by.name if invited.invited_by else ""
            team = invited.team.name if invited.team else ""
    except WorkspaceError as error:
        return _closed(request, error)
    context = {"workspace": tenant.name, "email": email, "role": role, "inviter": inviter, "team": team}
    try:
        if request.user.is_authenticated:
            return _signed_in(request, tenant, token, context)
        if request.method != "POST" and services.verified_user(email) is not None:
            return _sign_in_first(request, email)
        return _new(request, tenant, token, context)
    except WorkspaceError as error:
        return _closed(request, error)
    except LimitReached:
        with tenant_scope(tenant):
            seat_missing_notify(token)
        problem = _(
            "All seats of this workspace are taken. We have told those who can add one: a new mail comes to you then."
        )
        return _closed(request, Conflict("no_seat", problem))


def _sign_in_first(request: Request, email: str) -> HttpResponse:
    messages.info(request, _("Sign in as %(email)s to accept the invitation.") % {"email": email})
    return HttpResponseRedirect(f"{reverse('signin')}?next={quote(request.path)}")


def _signed_in(request: Request, tenant: TenantRef, token: str, context: dict[str, str]) -> HttpResponseBase:
    user = cast(User, request.user)
    if user.email.lower() != context["email"].lower():
        return _other(request, user, context["email"])
    if request.method != "POST":
        return render(request, "workspace/invitation.html", context)
    with transaction.atomic():
        if not services.address_prove(user):
            return _other(request, user, context["email"])
        with tenant_scope(tenant):
            invitation_accept(tenant, token, user)
    return HttpResponseRedirect(entry_url(tenant))


def _other(request: Request, user: User, email: str) -> HttpResponse:
    context = {"email": email, "mine": user.email, "next": request.path}
    return render(request, "account/other_account.html", context, status=403)


def _new(request: Request, tenant: TenantRef, token: str, context: dict[str, str]) -> HttpResponseBase:
    """Somebody who has proven no account: the invitation came to their mailbox, so the address is theirs."""
    form = JoinForm(request.POST or None, email=context["email"])
    if request.method == "POST" and form.is_valid():
        try:
            with transaction.atomic():
                with tenant_scope(tenant):
                    invitation_hold(token)
                user = services.account_create(
                    email=context["email"],
                    password=form.cleaned_data["password"],
                    name=form.cleaned_data["name"],
                    locale=(get_language() or "")[:12],
                    verified=True,
                )
                with tenant_scope(tenant):
                    invitation_accept(tenant, token, user, name=user.name)
        except services.AddressTaken:
            return _sign_in_first(request, context["email"])
        stay_signed_in(request, user)
        return HttpResponseRedirect(entry_url(tenant))
    return render(request, "workspace/invitation.html", {**context, "form": form}, status=422 if form.errors else 200)
