"""The pages for what went wrong, in the look of the host that was asked."""

from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from tenants.http import Request


def _page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    inside = getattr(cast(Request, request), "actor", None) is not None
    context |= {"layout": "layout/app.html" if inside else "layout/public.html"}
    return render(request, f"errors/{status}.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 400)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404)


def not_allowed(request: HttpRequest) -> HttpResponse:
    return _page(request, 405)


def failed(request: HttpRequest) -> HttpResponse:
    """Asks nothing of the database: it may be what failed."""
    html = render_to_string("errors/500.html", {"request_id": getattr(request, "request_id", "")})
    return HttpResponse(html, status=500)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form without a valid token: mostly one that was left open across a sign-out."""
    return _page(
        request,
        403,
        title=_("This form is out of date"),
        text=_("It was open too long, or you signed out in the meantime. Go back, load the page anew and try again."),
    )
