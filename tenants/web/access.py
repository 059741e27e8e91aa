"""Every view declares who may use it; a test looks for views that do not."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from typing import Any, Concatenate, TypeGuard, cast
from urllib.parse import quote, urlsplit

from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils.translation import gettext as _

from tenants.accounts.session_handover import safe_path
from tenants.accounts.sign_in import is_recent, second_step_ask
from tenants.http import Request
from tenants.models import User
from tenants.permission_checks import check, noun_of
from tenants.sessions import is_weak
from tenants.workspaces.entitlements import require_open, require_writable
from tenants.workspaces.hosts import public_url

OPERATOR_SECONDS = 12 * 3600
"""So long after a second factor was shown the console opens without another."""

type View[**P] = Callable[Concatenate[Any, P], HttpResponseBase]


class Who(Enum):
    PUBLIC = "anyone"
    SIGNED_IN = "a user on the public host"
    OPERATOR = "an operator, on the public host"
    MEMBER = "a member of this workspace"
    API_KEY = "a program with a key"


@dataclass(frozen=True, slots=True)
class Needs:
    """A member whose role reaches somewhere with ``action`` on ``noun``; None stands for the URL's ``noun``."""

    noun: str | None
    action: str


type Access = Who | Needs

SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
WRITING = frozenset({"create", "edit", "delete", "bulk"})
"""Actions on records whose views are forms of a write, also where they are only looked at."""
BILLING = Needs("workspace", "billing")

PUBLIC = Who.PUBLIC
SIGNED_IN = Who.SIGNED_IN
OPERATOR = Who.OPERATOR
MEMBER = Who.MEMBER
API_KEY = Who.API_KEY


def needs(noun: str, action: str) -> Needs:
    """For ``@access``: the role's scope for ``action`` on the record type or power ``noun`` is not none."""
    return Needs(noun, action)


def needs_noun(action: str) -> Needs:
    """For ``@access``: as ``needs``, of the record type whose plural is the URL's ``noun``."""
    return Needs(None, action)


def access[**P](
    required: Access, *, writes_unpaid: bool = False, serves_suspended: bool = False
) -> Callable[[View[P]], View[P]]:
    """Declare who may use a view.

    Nobody signed in: to sign-in and back (htmx: 401 with HX-Redirect). Not permitted: 404 when the noun may not even
    be viewed, else 403. Who asks for the head of a page alone is answered as if they read it; the body goes later.

    In a workspace that is read-only a view changes nothing (WorkspaceClosed), unless ``writes_unpaid`` says that it
    does. In one that is suspended it is open (else WorkspaceSuspended) where ``serves_suspended`` says so: to those
    with the power ``billing``, and to everybody if it is public. Views that need that power do both.
    """
    writes_unpaid = writes_unpaid or required == BILLING
    serves_suspended = serves_suspended or required == BILLING

    def declare(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.tenant is not None and not (serves_suspended and enters_suspended(request, required)):
                require_open(request.tenant)
            refusal = refuse(request, required, dict(kwargs))
            if refusal is not None:
                return refusal
            if request.tenant is not None and not writes_unpaid and writes(required, request.method):
                require_writable(request.tenant)
            if request.method != "HEAD" or required in (PUBLIC, API_KEY):
                return view(request, *args, **kwargs)
            request.method = "GET"
            try:
                return view(request, *args, **kwargs)
            finally:
                request.method = "HEAD"

        guarded.access = required  # type: ignore[attr-defined]
        guarded.writes_unpaid = writes_unpaid  # type: ignore[attr-defined]
        guarded.serves_suspended = serves_suspended  # type: ignore[attr-defined]
        return guarded

    return declare


def enters_suspended(request: Request, required: Access) -> bool:
    """Whether somebody enters what a suspended workspace keeps open; who is not signed in may turn out to."""
    actor = getattr(request, "actor", None)
    return required is PUBLIC or actor is None or actor.can(BILLING.noun or "", BILLING.action)


def writes(required: Access, method: str | None) -> bool:
    """Whether a request to a view with this declaration changes something, or asks for the form of a change."""
    return method not in SAFE or (isinstance(required, Needs) and required.action in WRITING)


def declared(view: Any) -> Access | None:
    """What a view has declared, on itself or on the class behind it."""
    for holder in (view, getattr(view, "view_class", None), getattr(view, "cls", None)):
        found = getattr(holder, "access", None)
        if isinstance(found, Who | Needs):
            return found
    return None


def refuse(request: Request, required: Access, url: dict[str, Any]) -> HttpResponseBase | None:
    """The answer to somebody who may not; None for one who may. Raises Http404 and PermissionDenied."""
    if required in (PUBLIC, API_KEY):
        return None
    if required is SIGNED_IN:
        if not request.user.is_authenticated:
            return to_sign_in(request)
        if is_weak(request.user, request.session):
            here = request.get_full_path() if request.method in ("GET", "HEAD") else ""
            return second_step_ask(request, request.user, target=here)
        return None
    if required is OPERATOR:
        return _refuse_operator(request)
    actor = getattr(request, "actor", None)
    if actor is None:
        return to_sign_in(request)
    if isinstance(required, Needs):
        check(actor, required.noun or noun_of(str(url.get("noun", ""))), required.action)
    return None


def _refuse_operator(request: Request) -> HttpResponseBase | None:
    """An operator has a second factor and has shown it today; to everybody else there is no such page."""
    user = request.user
    if not is_operator(user):
        raise Http404
    here = request.get_full_path() if request.method in ("GET", "HEAD") else ""
    if not user.has_second_factor:
        messages.info(request, _("The console asks for a second factor. Set up a passkey or an authenticator app."))
        return HttpResponseRedirect(reverse("account"))
    if is_weak(user, request.session):
        return second_step_ask(request, user, target=here)
    if not is_recent(request, OPERATOR_SECONDS):
        return HttpResponseRedirect(f"{reverse('confirm')}?next={quote(here or request.path)}")
    return None


def is_operator(user: User | AnonymousUser) -> TypeGuard[User]:
    return user.is_authenticated and user.is_staff


def is_hidden(request: HttpRequest) -> bool:
    """Whether the view that was asked for is an operator's and who asks is none, for whom there is no such page."""
    found = request.resolver_match
    return found is not None and declared(found.func) is OPERATOR and not is_operator(cast(Request, request).user)


def to_sign_in(request: Request) -> HttpResponse:
    """To sign-in, and back to the page one was on: what was typed there is filled in again (static/js/drafts.js)."""
    htmx = request.headers.get("HX-Request") == "true"
    asked = request.method in ("GET", "HEAD") and not htmx
    back = request.get_full_path() if asked else _came_from(request)
    if request.tenant is None:
        target = f"{public_url('/signin/')}?next={quote(back or '/workspaces/')}"
    else:
        # The workspace's own door gives the browser its nonce and sends it on to the public host.
        target = f"/handover/?next={quote(back or '/')}"
    if htmx:
        return HttpResponse(status=401, headers={"HX-Redirect": target})
    return HttpResponseRedirect(target)


def _came_from(request: Request) -> str:
    """The page of this host from which something was sent, as htmx or the browser says it; empty when there is none."""
    parts = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    if parts.netloc != request.get_host():
        return ""
    return safe_path(f"{parts.path}?{parts.query}" if parts.query else parts.path, default="")
