"""Browsers: what they call themselves, and which of them a person has used before.

Each browser that signs in keeps a random cookie on the public host; a row for each person who uses it says so. Guesses
from a browser that an account knows are counted apart from those of strangers; for a while it may also stand for the
second factor.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from tenants.accounts.devices import device_name
from tenants.accounts.session_handover import digest
from tenants.http import Request
from tenants.models import KnownBrowser, User
from tenants.rate_limits import client_address

TRUST = timedelta(days=30)
KEPT = timedelta(days=400)
TOKEN = re.compile(r"[A-Za-z0-9_-]{43}\Z")


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a request came from, as people are told of it."""

    address: str = ""
    device: str = ""


def visit_of(request: Request) -> Visit:
    return Visit(client_address(request)[:45], device_name(request.headers.get("User-Agent", ""))[:80])


def cookie_name() -> str:
    return f"{settings.COOKIE_PREFIX}browser{settings.COOKIE_SUFFIX}"


def _token(request: HttpRequest) -> str:
    token = request.COOKIES.get(cookie_name(), "")
    return token if TOKEN.match(token) else ""


def known_as(request: Request, email: str) -> str:
    """What tells this browser from others, where whoever has proven the address has signed in here; else empty.

    An account that only says the address knows no browser: anybody can sign up with somebody else's.
    """
    token = _token(request)
    if not token:
        return ""
    proven = {"user__emailaddress__email": email.lower(), "user__emailaddress__verified": True}
    return digest(token) if KnownBrowser.objects.filter(token_hash=digest(token), **proven).exists() else ""


def is_trusted(request: Request, user: User) -> bool:
    """Whether this browser stands for the second factor of ``user`` today."""
    token = _token(request)
    rows = KnownBrowser.objects.filter(token_hash=digest(token), user=user, trusted_until__gt=timezone.now())
    return bool(token) and rows.exists()


def browser_note(request: Request, user: User, *, trust: bool) -> bool:
    """Note that ``user`` has signed in here; True when they had before, but always elsewhere."""
    token = _token(request) or secrets.token_urlsafe(32)
    request.browser_token = token
    now = timezone.now()
    values: dict[str, Any] = {"last_used_at": now, "device": visit_of(request).device}
    if trust:
        values["trusted_until"] = now + TRUST
    mine = KnownBrowser.objects.filter(user=user)
    if mine.filter(token_hash=digest(token)).update(**values):
        return False
    elsewhere = mine.exists()
    try:
        with transaction.atomic():
            KnownBrowser.objects.create(user=user, token_hash=digest(token), **values)
    except IntegrityError:
        return False
    return elsewhere


def browser_cookie(request: Request, response: HttpResponseBase) -> None:
    """Give the browser the cookie by which it is known, if somebody has just signed in."""
    token = getattr(request, "browser_token", "")
    if token:
        response.set_cookie(
            cookie_name(), token, max_age=KEPT, httponly=True, samesite="Lax", secure=request.is_secure()
        )


def trusted_browsers(user: User) -> list[KnownBrowser]:
    return list(
        KnownBrowser.objects.filter(user=user, trusted_until__gt=timezone.now()).order_by("-last_used_at", "id")
    )


def trust_end(user: User) -> int:
    """No browser stands for the second factor any more; gives how many did."""
    return KnownBrowser.objects.filter(user=user, trusted_until__gt=timezone.now()).update(trusted_until=None)


def browsers_sweep() -> None:
    KnownBrowser.objects.filter(last_used_at__lt=timezone.now() - KEPT).delete()
