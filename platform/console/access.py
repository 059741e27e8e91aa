"""The gate of the console: what every view of it is wrapped in."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, Concatenate

from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.auditing import Action, audit_note, operator_of
from tenants.accounts.sign_in import recently_confirmed
from tenants.http import Request
from tenants.rate_limits import limited
from tenants.web.access import OPERATOR, access

LED_AWAY = (301, 302)
"""Statuses of an answer that shows nothing by itself."""

type View[**P] = Callable[Concatenate[Request, P], HttpResponseBase]


def page[**P](view: View[P]) -> View[P]:
    """A page that operators look at. The look is noted first: without the entry nothing is shown."""

    @wraps(view)
    def noted(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        look_note(request, dict(kwargs))
        return view(request, *args, **kwargs)

    guarded = access(OPERATOR)(limited("console", methods=("GET",))(require_http_methods(["GET"])(noted)))
    return never_cache(guarded)


def step[**P](view: View[P]) -> View[P]:
    """A form by which operators do something, shown by GET and sent by POST; the factor was shown minutes ago.

    What was done is noted by the service that does it, in the same transaction; a form that is shown, also once more
    because something in it was refused, is a look.
    """

    @wraps(view)
    def noted(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method == "GET":
            look_note(request, dict(kwargs))
            return view(request, *args, **kwargs)
        answer = view(request, *args, **kwargs)
        if answer.status_code not in LED_AWAY:
            look_note(request, dict(kwargs))
        return answer

    asked = limited("console")(require_http_methods(["GET", "POST"])(recently_confirmed(noted)))
    return never_cache(access(OPERATOR)(asked))


def look_note(request: Request, url: Mapping[str, Any]) -> None:
    """``url`` are the parts of the address: the workspace, where it names one."""
    audit_note(operator_of(request), Action.LOOKED, tenant_id=url.get("tenant_id"))
