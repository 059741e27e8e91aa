"""The door of a workspace's own host: coming in by the hand-over, going out, asking for the mail again."""

from typing import cast

from django.contrib import messages
from django.contrib.auth import login
from django.http import HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.adapters import BACKEND
from tenants.accounts.devices import device_name
from tenants.accounts.session_handover import (
    NONCE_SECONDS,
    is_nonce,
    nonce_cookie,
    nonce_make,
    safe_path,
    start_url,
    token_consume,
)
from tenants.accounts.signup import send_verification
from tenants.accounts.support_ends import visit_end
from tenants.actors import TenantRef
from tenants.db.scopes import shared
from tenants.hooks import session_note
from tenants.http import Request
from tenants.models import User
from tenants.rate_limits import limited
from tenants.sessions import METHOD, PARENT
from tenants.web.access import MEMBER, PUBLIC, access
from tenants.workspaces.hosts import public_url
from tenants.workspaces.support import VISIT


@require_safe
@never_cache
@limited("handover", methods=("GET",))
@access(PUBLIC, serves_suspended=True)
def handover(request: Request) -> HttpResponseBase:
    """Without a token: gives the browser its nonce and sends it to sign-in. With one: lets it in, once."""
    tenant = cast(TenantRef, request.tenant)
    back = safe_path(request.GET.get("next"))
    token = request.GET.get("token", "")
    nonce = request.COOKIES.get(nonce_cookie(), "")
    if request.actor is not None:
        return HttpResponseRedirect(back)
    if not token:
        if not is_nonce(nonce):
            nonce = nonce_make()
        response = HttpResponseRedirect(start_url(tenant, nonce, back))
        response.set_cookie(
            nonce_cookie(), nonce, max_age=NONCE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure()
        )
        return response
    with shared():
        entry = token_consume(token, tenant_id=tenant.id, nonce=nonce) if is_nonce(nonce) else None
        if entry is not None:
            login(request, entry.user, backend=BACKEND)
            request.session.hang_on(entry.parent_key)
            request.session[METHOD] = entry.method
            if entry.visit is not None:
                request.session[VISIT] = str(entry.visit.id)
            elif not services.is_verified(entry.user.pk):
                request.session[services.UNVERIFIED] = True
            request.session.save()
    if entry is None:
        return render(request, "account/handover_invalid.html", {"next": back}, status=410)
    _note(request, tenant, entry.user, "session.started", method=entry.method)
    answer = HttpResponseRedirect(back)
    answer.delete_cookie(nonce_cookie(), samesite="Lax")
    return answer


def _note(request: Request, tenant: TenantRef, user: User, type: str, *, method: str = "") -> None:
    """Tell the workspace that somebody came in or went."""
    session_note(
        tenant,
        user.pk,
        type,
        address=rate_limits.client_address(request),
        device=device_name(request.headers.get("User-Agent", "")),
        request_id=request.request_id,
        method=method,
    )


@never_cache
@access(PUBLIC, writes_unpaid=True, serves_suspended=True)
def signout(request: Request) -> HttpResponseBase:
    """Ends the sign-in here, on the public host and in all other workspaces."""
    if request.method == "POST" and request.visit is not None:
        return visit_leave(request)
    if request.method == "POST":
        parent = request.session.get(PARENT)
        with shared():
            if parent:
                services.session_end(str(parent))
            request.session.flush()
        request.actor = None
        return HttpResponseRedirect("/signout/")
    if request.actor is not None:
        return render(request, "account/signout.html")
    return render(request, "account/signed_out.html")


def visit_leave(request: Request) -> HttpResponse:
    """Ends an operator's visit; on the public host the operator stays signed in, which the page says."""
    assert request.visit is not None
    visit, tenant = request.visit, cast(TenantRef, request.tenant)
    with shared():
        visit_end(visit, by=visit.operator.email, request_id=request.request_id)
        request.session.flush()
    request.actor = None
    context = {"workspace": tenant.name, "link": public_url(f"/console/workspaces/{tenant.id}/")}
    return render(request, "account/visit_over.html", context)


@require_POST
@limited("verify")
@access(MEMBER, writes_unpaid=True, serves_suspended=True)
def verify_again(request: Request) -> HttpResponseBase:
    user = cast(User, request.user)
    rate_limits.count("verify", str(user.pk))
    with shared():
        send_verification(user)
    messages.success(request, _("The mail is on its way to %(email)s.") % {"email": user.email})
    if request.htmx:
        return HttpResponse(status=204, headers={"HX-Refresh": "true"})
    return HttpResponseRedirect(safe_path(request.POST.get("next")))
