"""The gate of the console: what every view of it is wrapped in."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate

from django.http.response import HttpResponseBase
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from console.auditing import Action, audit_note, operator_of
from tenants.access import OPERATOR, access
from tenants.http import Request
from tenants.rates import limited
from tenants.signing_in import recently_confirmed

type View[**P] = Callable[Concatenate[Request, P], HttpResponseBase]


def page[**P](view: View[P]) -> View[P]:
    """A page that operators look at. The look is noted first: without the entry nothing is shown."""

    @wraps(view)
    def noted(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        given: dict[str, Any] = dict(kwargs)
        audit_note(operator_of(request), Action.LOOKED, tenant_id=given.get("tenant_id"))
        return view(request, *args, **kwargs)

    guarded = access(OPERATOR)(limited("console", methods=("GET",))(require_http_methods(["GET"])(noted)))
    return never_cache(guarded)


def step[**P](view: View[P]) -> View[P]:
    """A form by which operators do something, shown by GET and sent by POST; the factor was shown minutes ago.

    What was done is noted by the service that does it, in the same transaction.
    """
    asked = limited("console")(require_http_methods(["GET", "POST"])(recently_confirmed(view)))
    return never_cache(access(OPERATOR)(asked))
