"""The theme and the folded sidebar: choices of one browser, kept in cookies and rendered by the server."""

from django.http import HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from tenants.http import Request
from tenants.web.access import PUBLIC, access

YEAR = 365 * 24 * 60 * 60
CHOICES = {"theme": {"light", "dark", ""}, "sidebar": {"folded", "open"}}
"""What each cookie may hold; the empty theme follows the system."""


@require_POST
@access(PUBLIC, writes_unpaid=True, serves_suspended=True)
def appearance(request: Request) -> HttpResponse:
    """Set the cookies named in the form and go back to where it was sent from."""
    back = request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure())
    response = HttpResponseRedirect(back if safe else "/")
    for name, allowed in CHOICES.items():
        value = request.POST.get(name)
        if value is None or value not in allowed:
            continue
        if value in {"", "open"}:
            response.delete_cookie(name, samesite="Lax")
        else:
            response.set_cookie(name, value, max_age=YEAR, samesite="Lax", secure=request.is_secure())
    return response
