"""The one way into a session of the public host, with the second factor where there is one.

Password, passkey, sign-up and invitation all come through ``sign_in``; a password reset, a proven address and a
take-over give no session. Nothing else calls Django's ``login`` here, which a test holds.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from typing import Concatenate
from urllib.parse import quote

from django.contrib.auth import login
from django.db import transaction
from django.http import HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from tenants import rate_limits
from tenants.accounts import services
from tenants.accounts.adapters import BACKEND
from tenants.accounts.browsers import Visit, browser_note, is_trusted, known_as, trust_end, visit_of
from tenants.accounts.passkeys import passkey_use
from tenants.accounts.security_log import Kind, account_event, failed_lately
from tenants.accounts.session_handover import safe_path
from tenants.accounts.two_factor import code_use, totp_check
from tenants.http import Request
from tenants.models import Session, User
from tenants.sessions import ADDRESS, DEVICE, METHOD, PASSWORD, SessionStore

CONFIRMED = "_confirmed_at"
MADE = "_made_at"
SECOND = "_second_step"
SECOND_SECONDS = 10 * 60
RECENT_SECONDS = 10 * 60
TELL_AFTER = 5
"""Failed second steps within an hour, after which the person is told that somebody knows the password."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Somebody whose password was right and whose second factor is asked for."""

    user: User
    target: str


def sign_in(request: Request, user: User, *, target: str, method: str = PASSWORD) -> HttpResponseBase:
    """Sign in somebody who has shown ``method``, or lead on to the second step if that is not enough.

    No browser stands for an operator's second factor.
    """
    if method == PASSWORD and user.has_second_factor:
        if user.is_staff or not is_trusted(request, user):
            return second_step_ask(request, user, target=target)
        method = "password+device"
    return start_session(request, user, target=target, method=method)


def second_step_ask(request: Request, user: User, *, target: str) -> HttpResponseBase:
    """Hold what was shown so far, signed in as nobody, and go to the page of the second step."""
    request.session.flush()
    request.session[SECOND] = [str(user.pk), user.get_session_auth_hash(), int(time.time()), target]
    return HttpResponseRedirect(reverse("second_step"))


def pending_of(request: Request) -> Pending | None:
    """Who is between the steps; None after ten minutes, and once the password has changed."""
    match request.session.get(SECOND):
        case [str(user_id), str(shown), int(at), str(target)] if time.time() - at < SECOND_SECONDS:
            user = User.objects.filter(pk=user_id, is_active=True).first()
            if user is not None and constant_time_compare(shown, user.get_session_auth_hash()):
                return Pending(user, safe_path(target, "/workspaces/"))
    return None


def start_session(request: Request, user: User, *, target: str, method: str, trust: bool = False) -> HttpResponseBase:
    """Begin a session under a new key. A browser that is new to an account is told to its owner."""
    request.session.pop(SECOND, None)
    login(request, user, backend=BACKEND)
    visit = visit_of(request)
    now = int(time.time())
    request.session.update({METHOD: method, MADE: now, CONFIRMED: now, DEVICE: visit.device, ADDRESS: visit.address})
    with transaction.atomic():
        if browser_note(request, user, trust=trust):
            account_event(user, Kind.NEW_DEVICE, visit)
    return HttpResponseRedirect(target)


def second_factor_shown(request: Request, user: User, method: str) -> None:
    """The factor was just set up in this session: it counts here, and all others were had without one."""
    request.session[METHOD] = f"{PASSWORD}+{method}"
    guard_changed(request)
    services.sessions_end_others(user_id=user.pk, but=request.session.session_key)


# What somebody shows


def factor_count(request: Request, user: User) -> str:
    """Count a try of a second factor, by network and for all strangers together; a known browser counts by itself."""
    key = f"{user.pk} {rate_limits.client_network(request)}"
    rate_limits.count("second", key)
    rate_limits.count("second_anywhere", f"{user.pk} {known_as(request, user.email)}")
    return key


def factor_check(request: Request, user: User, *, action: str) -> str | None:
    """Which factor the form showed: totp, passkey or recovery; None when it does not fit. Raises rates.TooMany."""
    key = factor_count(request, user)
    visit = visit_of(request)
    how, code = request.POST.get("with", ""), request.POST.get("code", "")[:60]
    if how == "totp":
        fits = totp_check(user, code)
    elif how == "recovery":
        fits = code_use(user, code, visit)
    elif how == "passkey":
        fits = passkey_shown(request, action=action, user=user) is not None
    else:
        return None
    if fits:
        rate_limits.clear("second", key)
        return how
    factor_failed(user, visit, how)
    return None


def factor_failed(user: User, visit: Visit, how: str) -> None:
    """The person hears of it once an hour at most: whoever fails here knew the password."""
    with transaction.atomic():
        mail = failed_lately(user) == TELL_AFTER - 1
        account_event(user, Kind.SECOND_FAILED, visit, detail=how, mail=mail)


def passkey_shown(request: Request, *, action: str, user: User | None = None) -> User | None:
    return passkey_use(
        credential=request.POST.get("credential", ""),
        challenge=request.POST.get("challenge", "")[:600],
        visit=visit_of(request),
        action=action,
        user=user,
    )


# Showing it again before a change


def is_recent(request: Request, seconds: int = RECENT_SECONDS) -> bool:
    at = request.session.get(CONFIRMED)
    return isinstance(at, int) and time.time() - at < seconds


def confirmed_now(request: Request) -> None:
    """The session may do more for a while: under a new key, so that a copy of the old one may not."""
    request.session[CONFIRMED] = int(time.time())
    request.session.cycle_with_children()


def guard_changed(request: Request) -> None:
    """What guards the account is another now. This browser goes on under a new key, and comes into workspaces anew."""
    request.session.cycle_key()


def recently_confirmed[**P](
    view: Callable[Concatenate[Request, P], HttpResponseBase],
) -> Callable[Concatenate[Request, P], HttpResponseBase]:
    """For changes of what guards the account: the password or a factor, shown within ten minutes. Under ``@access``."""

    @wraps(view)
    def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if is_recent(request):
            return view(request, *args, **kwargs)
        return HttpResponseRedirect(f"{reverse('confirm')}?next={quote(request.get_full_path())}")

    return guarded


# The sessions of a person


@dataclass(frozen=True, slots=True)
class Browser:
    """A signed-in browser, as its owner sees it. ``id`` tells nothing of the session's key."""

    id: str
    device: str
    address: str
    method: str
    made_at: datetime | None
    seen_at: datetime
    is_this: bool


def _public_id(key: str) -> str:
    return hashlib.sha256(f"session:{key}".encode()).hexdigest()[:32]


def browsers_of(user: User, this: str | None) -> list[Browser]:
    """Where the user is signed in: this browser, then the one last used."""
    rows = Session.objects.filter(user_id=user.pk, tenant_id=None, expire_date__gt=timezone.now())
    found = []
    for row in rows.order_by("-last_seen_at")[:100]:
        data = SessionStore().decode(row.session_data)
        made = data.get(MADE)
        found.append(
            Browser(
                id=_public_id(row.session_key),
                device=str(data.get(DEVICE) or ""),
                address=str(data.get(ADDRESS) or ""),
                method=str(data.get(METHOD) or PASSWORD),
                made_at=datetime.fromtimestamp(made, UTC) if isinstance(made, int) else None,
                seen_at=row.last_seen_at,
                is_this=row.session_key == this,
            )
        )
    return sorted(found, key=lambda one: not one.is_this)


def browser_end(user: User, public_id: str) -> bool:
    """Sign the user out in one browser, in all workspaces there too; False when there is no such one."""
    for key in Session.objects.filter(user_id=user.pk, tenant_id=None).values_list("session_key", flat=True):
        if constant_time_compare(_public_id(key), public_id):
            services.session_end(key)
            return True
    return False


def password_change(request: Request, user: User, password: str) -> None:
    """Set it, tell the person, and sign out everywhere else; this browser goes on under a new key."""
    method = request.session.get(METHOD, PASSWORD)
    with transaction.atomic():
        user.set_password(password)
        user.save(update_fields=["password"])
        trust_end(user)
        account_event(user, Kind.PASSWORD_CHANGED, visit_of(request))
        login(request, user, backend=BACKEND)
        request.session[METHOD] = method
        request.session.save()
        services.sessions_end_others(user_id=user.pk, but=request.session.session_key)
