"""Settings → API: keys, and examples that run as they are printed."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.csp import CSP
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_GET, require_POST

from api.examples import Examples, examples
from api.forms import ApiKeyForm
from api.openapi import document
from crm.workspace.models import Member
from tenants.accounts.api_keys import api_key_create, api_key_list, api_key_revoke, api_keys_reach_all
from tenants.http import MemberRequest
from tenants.web.access import MEMBER, access, needs

REFERENCE_CSP: dict[str, Any] = {**settings.SECURE_CSP, "style-src": [CSP.SELF, CSP.UNSAFE_INLINE]}


def _page(request: MemberRequest, form: ApiKeyForm, *, plain: str = "", status: int = 200) -> HttpResponse:
    shown: Examples = examples(request.actor, key=plain)
    keys = api_key_list(request.actor)
    makers = Member.objects.in_bulk({key.member_id for key in keys})
    listed = [(key, makers.get(key.member_id)) for key in keys]
    context = {
        "form": form,
        "keys": listed,
        "of_all": api_keys_reach_all(request.actor),
        "plain": plain,
        "examples": shown,
    }
    return render(request, "api/settings.html", context, status=status)


@access(needs("workspace", "api_keys"))
@require_GET
def index(request: MemberRequest) -> HttpResponse:
    return _page(request, ApiKeyForm(request.actor))


@access(needs("workspace", "api_keys"))
@never_cache
@require_POST
def create(request: MemberRequest) -> HttpResponse:
    """Make a key; the answer is the only place that ever shows it."""
    form = ApiKeyForm(request.actor, request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    days = form.cleaned_data["expires"]
    _key, plain = api_key_create(
        request.actor,
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        expires_at=timezone.now() + timedelta(days=int(days)) if days else None,
    )
    return _page(request, ApiKeyForm(request.actor), plain=plain)


@access(needs("workspace", "api_keys"), writes_unpaid=True)
@require_POST
def revoke(request: MemberRequest, key_id: UUID) -> HttpResponse:
    api_key_revoke(request.actor, key_id=key_id)
    messages.success(request, _("The key is revoked. Requests with it are refused from now on."))
    return redirect("api_settings:index")


@access(MEMBER)
@csp_override(REFERENCE_CSP)
@require_GET
def reference(request: MemberRequest) -> HttpResponse:
    """The interactive reference. Swagger UI sets styles from scripts, so this page alone relaxes style-src."""
    return render(request, "api/reference.html")


@access(MEMBER)
@require_GET
def openapi(request: MemberRequest) -> HttpResponse:
    return HttpResponse(document(request.actor), content_type="application/json")
