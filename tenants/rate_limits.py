"""How often somebody may try: counted in the cache, by address of the network and by what is tried."""

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import wraps
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Any, Concatenate

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from tenants.http import Request

MINUTE, HOUR = 60, 3600
TURN = 5
"""Seconds between tries that ``slow`` lets through."""

BY_NETWORK: dict[str, tuple[int, int]] = {
    "signup": (30, HOUR),
    "signin": (40, MINUTE),
    "address": (90, MINUTE),
    "reset": (20, 10 * MINUTE),
    "reset_key": (30, 10 * MINUTE),
    "verify": (30, 10 * MINUTE),
    "handover": (120, MINUTE),
    "invitation": (60, 10 * MINUTE),
    "takeover": (30, 10 * MINUTE),
    "unsubscribe": (120, 10 * MINUTE),
    "workspace": (20, HOUR),
    "calendar_feed": (60, MINUTE),
    "second": (60, 10 * MINUTE),
    "account": (120, 10 * MINUTE),
    "console": (600, 10 * MINUTE),
}
"""Tries and seconds for one network address, by action."""

BY_KEY: dict[str, tuple[int, int]] = {
    "signup": (5, HOUR),
    "signin": (10, 5 * MINUTE),
    "signin_anywhere": (60, HOUR),
    "second": (10, 15 * MINUTE),
    "second_anywhere": (30, HOUR),
    "confirm": (10, 15 * MINUTE),
    "email_change": (5, HOUR),
    "reset": (4, 10 * MINUTE),
    "verify": (4, 10 * MINUTE),
    "invite": (200, HOUR),
    "stripe": (300, 10 * MINUTE),
    "subdomain": (3, 24 * HOUR),
}
"""Tries and seconds for one email, user or workspace, by action."""


class TooMany(Exception):
    """Somebody tried too often; ``seconds`` until the next try counts."""

    def __init__(self, seconds: int) -> None:
        super().__init__(f"Wait {seconds} s")
        self.seconds = seconds


def client_address(request: Request) -> str:
    """The visitor's network address; behind ``TRUSTED_PROXIES`` proxies the one that the outermost of them saw."""
    return address_of(request.META)


def client_network(request: Request) -> str:
    """What counts as one visitor: an IPv4 address, or the /64 that one IPv6 customer has all of."""
    return network_of(request.META)


def address_of(meta: Mapping[str, Any]) -> str:
    """``client_address`` by the WSGI environment. Each proxy adds on the right; what stands further left, anybody may
    have written."""
    proxies = settings.TRUSTED_PROXIES
    if proxies:
        hops = [hop.strip() for hop in meta.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        seen = hop_address(hops[-proxies]) if len(hops) >= proxies else ""
        if seen:
            return seen
    return str(meta.get("REMOTE_ADDR", ""))


def hop_address(hop: str) -> str:
    """The address of one step of X-Forwarded-For, which may have a port and brackets; empty where it is none."""
    found = re.fullmatch(r"\[([^\]]+)\](?::\d+)?|([0-9.]+):\d+|(.*)", hop)
    bare = (found[1] or found[2] or found[3] or "").partition("%")[0] if found else ""
    try:
        return str(ip_address(bare))
    except ValueError:
        return ""


def network_of(meta: Mapping[str, Any]) -> str:
    address = address_of(meta)
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        mapped = parsed.ipv4_mapped
        return str(mapped) if mapped is not None else str(IPv6Network((parsed, 64), strict=False))
    return str(parsed)


def _count(name: str, value: str, amount: int, seconds: int) -> None:
    key = f"rate:{name}:{hashlib.sha256(value.encode()).hexdigest()[:40]}"
    if cache.add(key, 1, seconds):
        return
    try:
        tries = cache.incr(key)
    except ValueError:
        cache.set(key, 1, seconds)
        return
    if tries > amount:
        raise TooMany(seconds)


def count(action: str, key: str) -> None:
    """Count a try for an email, user or workspace. Raises TooMany."""
    amount, seconds = BY_KEY[action]
    _count(f"{action}:key", key.lower(), amount, seconds)


def clear(action: str, key: str) -> None:
    cache.delete(f"rate:{action}:key:{hashlib.sha256(key.lower().encode()).hexdigest()[:40]}")


def slow(action: str, key: str) -> None:
    """Count a try; beyond the amount one more is let through every few seconds. Raises TooMany."""
    try:
        count(action, key)
    except TooMany:
        turn = f"rate:{action}:turn:{hashlib.sha256(key.lower().encode()).hexdigest()[:40]}"
        if not cache.add(turn, 1, TURN):
            raise TooMany(TURN) from None


def count_network(request: Request, action: str) -> None:
    """Count a try for the visitor's network address. Raises TooMany."""
    amount, seconds = BY_NETWORK[action]
    _count(f"{action}:net", client_network(request), amount, seconds)


def too_many(request: Request, seconds: int) -> HttpResponse:
    """The 429 page: what happened and how long to wait."""
    layout = "layout/app.html" if request.actor is not None else "layout/public.html"
    response = render(request, "errors/429.html", {"retry_after": seconds, "layout": layout}, status=429)
    response["Retry-After"] = str(seconds)
    return response


def limited[**P](
    action: str, *, methods: tuple[str, ...] = ("POST",)
) -> Callable[
    [Callable[Concatenate[Request, P], HttpResponseBase]], Callable[Concatenate[Request, P], HttpResponseBase]
]:
    """Count requests with these methods by network address, and answer 429 to TooMany from inside the view too."""

    def decorate(
        view: Callable[Concatenate[Request, P], HttpResponseBase],
    ) -> Callable[Concatenate[Request, P], HttpResponseBase]:
        @wraps(view)
        def counted(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                if request.method in methods:
                    count_network(request, action)
                return view(request, *args, **kwargs)
            except TooMany as refusal:
                return too_many(request, refusal.seconds)

        return counted

    return decorate
