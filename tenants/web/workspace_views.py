"""The workspaces of an account: choosing one, making one, and the way into one."""

from typing import cast
from urllib.parse import quote
from uuid import UUID

from django.http import Http404, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from tenants.accounts import services
from tenants.accounts.session_handover import entry_url, is_digest, safe_path, token_issue
from tenants.accounts.signup import workspace_make
from tenants.http import Request
from tenants.models import SupportVisit
from tenants.rate_limits import limited
from tenants.web.access import SIGNED_IN, access
from tenants.web.forms import WorkspaceForm
from tenants.web.pages import leads_to_workspaces, user_of
from tenants.web.two_factor_pages import GO_ON
from tenants.workspaces import memberships
from tenants.workspaces.hosts import tenant_url
from tenants.workspaces.locales import currency_guess
from tenants.workspaces.subdomains import SubdomainTaken
from tenants.workspaces.support import visit_waiting

LATER = "second_factor_later"
"""Set once somebody was told that a workspace will ask for a second factor, and put it off."""


@require_safe
@never_cache
@access(SIGNED_IN)
def workspaces(request: Request) -> HttpResponseBase:
    """My workspaces; straight in when there is one, unless ``?choose=1``."""
    user = user_of(request)
    mine = [one.tenant for one in memberships.memberships(user)]
    rows = []
    for tenant in mine:
        domain = next((one for one in tenant.domains.all() if one.is_primary), None)
        if domain is not None:
            ref = tenant.ref(domain)
            rows.append({"ref": ref, "host": domain.domain, "url": tenant_url(ref, "/")})
    if len(rows) == 1 and "choose" not in request.GET:
        return HttpResponseRedirect(str(rows[0]["url"]))
    context = {"workspaces": rows, "email": user.email, "verified": services.is_verified(user.pk)}
    return render(request, "account/workspaces.html", context)


@never_cache
@leads_to_workspaces
@limited("workspace")
@access(SIGNED_IN)
def workspace_new(request: Request) -> HttpResponseBase:
    user = user_of(request)
    if not services.is_verified(user.pk):
        return render(request, "account/verify_first.html", {"email": user.email}, status=403)
    form = WorkspaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data
        try:
            made = workspace_make(
                owner=user,
                company=values["company"],
                subdomain=values["subdomain"],
                locale=user.locale or (get_language() or "en")[:12],
                currency=currency_guess(request.headers.get("Accept-Language", "")),
                time_zone=values["time_zone"],
                sample=values["sample"],
            )
        except SubdomainTaken:
            form.add_error("subdomain", _("Somebody took this address just now. Choose another."))
        else:
            return HttpResponseRedirect(entry_url(made))
    return render(request, "account/workspace_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@never_cache
@leads_to_workspaces
@limited("handover", methods=("GET",))
@access(SIGNED_IN)
def handover(request: Request, tenant_id: UUID) -> HttpResponseBase:
    """Gives a signed-in member, or an operator on a visit, a token for the workspace whose host asked with a nonce."""
    nonce_hash = request.GET.get("nonce", "")
    if not is_digest(nonce_hash):
        raise Http404
    user = user_of(request)
    membership = memberships.membership_of(user.pk, tenant_id)
    visit = visit_waiting(operator_id=user.pk, tenant_id=tenant_id) if user.is_staff and membership is None else None
    if membership is None and visit is None:
        return render(request, "account/not_member.html", {"email": user.email, "tenant_id": tenant_id}, status=403)
    ref = (membership or cast(SupportVisit, visit)).tenant.ref()
    if membership is not None and membership.tenant.requires_second_factor and not user.has_second_factor:
        open_until = membership.tenant.second_factor_from
        late = open_until is None or open_until <= timezone.now()
        if "later" in request.GET:
            request.session[LATER] = True
        if late or LATER not in request.session:
            request.session[GO_ON] = str(ref.id)
            context = {"workspace": ref.name, "open_until": open_until, "late": late}
            return render(request, "account/second_required.html", context, status=403 if late else 200)
    if request.session.session_key is None:
        request.session.create()
    token = token_issue(user=user, tenant=ref, nonce_hash=nonce_hash, parent_key=cast(str, request.session.session_key))
    back = safe_path(request.GET.get("next"))
    return HttpResponseRedirect(tenant_url(ref, f"/handover/?token={token}&next={quote(back)}"))
