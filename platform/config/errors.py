"""The pages for what went wrong, in the look of the host that was asked."""

import sys
from collections.abc import Mapping
from typing import Any, cast

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from api.errors import ApiError, as_api_error
from api.middleware import is_api
from api.views import plain_error
from crm.records.display.responses import return_url, toast
from crm.records.schema.registry import registry
from crm.workspace.people.selectors import payment_remedy
from tenants.http import MemberRequest, Request
from tenants.models import Tenant
from tenants.outages import RETRY_SECONDS, is_outage
from tenants.web.access import is_hidden, to_sign_in
from tenants.workspaces.entitlements import NotEntitled, WorkspaceSuspended


def _page(request: HttpRequest, status: int, *, template: int | str = 0, **context: Any) -> HttpResponse:
    actor = getattr(cast(Request, request), "actor", None)
    inside = actor is not None and actor.tenant.state != Tenant.State.SUSPENDED
    context |= {"layout": "layout/app.html" if inside else "layout/public.html"}
    name = template if isinstance(template, str) else f"errors/{template or status}.html"
    return render(request, name, context, status=status)


def refused(
    request: HttpRequest, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """A request that could not be read, answered in the API's shape or as a page."""
    if is_api(request):
        return plain_error(ApiError(status, code, message, headers=headers), getattr(request, "request_id", ""))
    if status == 404:
        return _page(request, status)
    response = _page(request, status, template=400, text=message)
    for name, value in (headers or {}).items():
        response[name] = value
    return response


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 413 if isinstance(exception, RequestDataTooBig) else 400, template=400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403)


def not_entitled(request: Request, error: NotEntitled) -> HttpResponse:
    """What was not paid for, with what the reader can do about it. A form that htmx sent stays as it was typed."""
    actor = request.actor
    if isinstance(error, WorkspaceSuspended) and not request.htmx:
        return suspended(request)
    if actor is None:
        return _page(request, error.status, template=402, text=error.message)
    text = f"{error.message} {payment_remedy(actor)}"
    may_pay = actor.can("workspace", "billing")
    if not request.htmx:
        return _page(request, error.status, template=402, text=text, where=error.where if may_pay else "")
    link = (error.where, _("Open billing")) if may_pay else ("", "")
    return toast(HttpResponse(status=error.status), text, kind="error", link=link)


def suspended(request: Request) -> HttpResponse:
    """The page of a workspace that is suspended: to its members it says why, and to those who can pay what is open."""
    actor = request.actor
    context: dict[str, Any] = {"by_operator": False}
    if actor is not None:
        may_pay = actor.can("workspace", "billing")
        context = {
            "by_operator": actor.tenant.access_state == "suspended",
            "remedy": payment_remedy(actor),
            "where": WorkspaceSuspended.where if may_pay else "",
            "exported": [
                record_type
                for record_type in registry.all()
                if record_type.in_sidebar and actor.can(record_type.slug, "export")
            ],
        }
    return render(request, "layout/suspended.html", context, status=WorkspaceSuspended.status)


def asked_first(request: HttpRequest, question: str) -> HttpResponse:
    """The page between a form and what cannot be taken back: its question, and all that the form sent but that.

    ``next`` goes with it: for what is done then, the page that somebody comes from is this one.
    """
    back = return_url(cast(MemberRequest, request), "/")
    sent = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in ("ask", "next", "csrfmiddlewaretoken")
        for value in values
    ]
    return _page(request, 200, template="layout/ask.html", question=question, sent=[*sent, ("next", back)], back=back)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404)


def not_allowed(request: HttpRequest) -> HttpResponse:
    return _page(request, 405)


def failed(request: HttpRequest) -> HttpResponse:
    """What was raised and not caught. Asks nothing of the database: it may be what failed."""
    error, request_id = sys.exception(), getattr(request, "request_id", "")
    if is_api(request):
        return plain_error(as_api_error(error if isinstance(error, Exception) else Exception()), request_id)
    away = is_outage(error)
    html = render_to_string("errors/500.html", {"request_id": request_id, "away": away})
    response = HttpResponse(html, status=503 if away else 500)
    if away:
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: mostly one that was left open across a sign-out, or while one signed in anew. On a
    workspace's host its page fills it in again (static/js/drafts.js)."""
    asked = cast(Request, request)
    if is_hidden(request):
        return _page(request, 404)
    if getattr(asked, "tenant", None) is not None and getattr(asked, "actor", None) is None:
        return to_sign_in(asked)
    if request.headers.get("HX-Request") == "true":
        message = _("You signed in anew since this page was opened. Load it again; what you typed comes back with it.")
        return toast(HttpResponse(status=403), message, kind="error")
    return _page(
        request,
        403,
        title=_("This form is out of date"),
        text=_("It was open too long, or you signed out in the meantime. Go back, load the page anew and try again."),
    )
