"""What each request goes through before its view: its id, its host, its tenant, its session."""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import cast
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib import auth
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.middleware import SessionMiddleware as DjangoSessionMiddleware
from django.db import connection
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import set_urlconf
from django.utils import timezone
from django.utils.http import http_date
from django.utils.translation import gettext as _

from tenants.accounts.browsers import browser_cookie
from tenants.actors import TenantRef
from tenants.db.backend.base import DatabaseWrapper
from tenants.db.prepared import PreparedInstances
from tenants.db.scopes import WorkspaceBehind, scope_copy, scope_resume, shared, tenant_scope
from tenants.http import Request
from tenants.models import Domain, Tenant, User
from tenants.selectors import BUILT
from tenants.sessions import SessionStore, is_weak, seen
from tenants.web import health
from tenants.workspaces import hosts
from tenants.workspaces.support import VISIT, visit_of_session

type GetResponse = Callable[[HttpRequest], HttpResponseBase]

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}\Z")
API_PATH = "/api/"
DOMAIN = PreparedInstances(lambda host: Domain.objects.filter(domain=host), str, related=("tenant",))


class RequestIdMiddleware:
    """Gives the request an id, the proxy's where it sent one, for log lines, events and the answer."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.headers.get("X-Request-ID", "")
        request_id = sent if REQUEST_ID.match(sent) else uuid.uuid4().hex
        cast(Request, request).request_id = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
        finally:
            structlog.contextvars.clear_contextvars()
        response["X-Request-ID"] = request_id
        return response


class HealthMiddleware:
    """Answers /healthz (the process lives) and /readyz (somebody could sign in now) on every host."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path_info == "/readyz":
            checks = health.readiness()
            ready = all(state == "ok" for state in checks.values())
            return JsonResponse(
                {"status": "ok" if ready else "unready", "checks": checks}, status=200 if ready else 503
            )
        return self.get_response(request)


class HostMiddleware:
    """Finds out whose host was asked and speaks for nobody else until the response is done.

    Sets ``host_kind`` and ``tenant``. On a workspace's host the shared rows that a request needs (domain, session,
    user) are read first and together; then the connection changes to the tenant and stays there.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wanted = cast(Request, request)
        drop_unreadable_cookies(request)
        cast(DatabaseWrapper, connection).switches_reset()
        host = hosts.split_host(request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME", ""))
        wanted.tenant = wanted.actor = wanted.visit = None
        if host in hosts.public_hosts():
            wanted.host_kind = "public"
            return to_https(request) or self._in_scope(request, settings.ROOT_URLCONF)
        if host == hosts.api_host():
            wanted.host_kind = "api"
            return to_https(request) or self._answer(request, settings.API_URLCONF)
        wanted.host_kind = "tenant"
        return self._tenant(wanted, host)

    def _answer(self, request: HttpRequest, urlconf: str) -> HttpResponseBase:
        request.urlconf = urlconf
        set_urlconf(urlconf)
        response = self.get_response(request)
        if response.streaming and scope_copy() is not None:
            streamed = cast(StreamingHttpResponse, response)
            if not streamed.is_async:
                streamed.streaming_content = _in_its_scope(cast("Iterable[bytes]", streamed.streaming_content))
        return response

    def _in_scope(self, request: HttpRequest, urlconf: str) -> HttpResponseBase:
        with shared():
            return self._answer(request, urlconf)

    def _tenant(self, request: Request, host: str | None) -> HttpResponseBase:
        with shared():
            domain = DOMAIN.first(host) if host else None
            if domain is None or domain.tenant.state == Tenant.State.DELETED:
                return not_found()
            if (secure := to_https(request)) is not None:
                return secure
            tenant = domain.tenant
            if not domain.is_primary:
                primary = Domain.objects.filter(tenant=tenant, is_primary=True).first()
                if domain.redirect_until is not None:
                    if primary is None or domain.redirect_until < timezone.now():
                        return not_found()
                    if request.path_info.startswith(API_PATH):
                        return self._moved_api(request, tenant, primary, domain.redirect_until)
                    return moved_page(hosts.tenant_url(tenant.ref(primary), request.get_full_path()))
                domain = primary or domain
            ref = tenant.ref(domain)
            if tenant.state not in BUILT:
                return out_of_service(request, tenant)
            if ref.is_behind:
                return self._being_upgraded(request, ref)
            request.session = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME), ref.id)
            request.session.preload()
            # What AuthenticationMiddleware would read later, when the connection speaks for the tenant only.
            user = auth.get_user(request) if request.session.session_key else AnonymousUser()
            request.second_factor_by = None
            if user.is_authenticated:
                refused = is_weak(user, request.session) or _shut_out(request, tenant, user)
                refused = refused or _visit_over(request, ref)
                user = AnonymousUser() if refused else user
                seen(request.session)
            if not user.is_authenticated:
                request.session = SessionStore(None, ref.id)
            request._cached_user = user  # type: ignore[attr-defined]
        request.tenant = ref
        with tenant_scope(ref):
            return self._answer(request, settings.TENANT_URLCONF)

    def _being_upgraded(self, request: Request, ref: TenantRef) -> HttpResponseBase:
        """A page that waits; programs are answered by the API, which says it in its own way."""
        if not request.path_info.startswith(API_PATH):
            return being_upgraded(request)
        request.tenant = ref
        return self._answer(request, settings.TENANT_URLCONF)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A page of the public host that had to change something in a workspace: nothing of it was done."""
        return being_upgraded(request) if isinstance(exception, WorkspaceBehind) else None

    def _moved_api(self, request: Request, tenant: Tenant, primary: Domain, until: datetime) -> HttpResponseBase:
        """A program's call to an old address is answered there: after a redirect most would drop their key."""
        if tenant.state not in BUILT:
            return out_of_service(request, tenant)
        ref = tenant.ref(primary)
        if ref.is_behind:
            return self._being_upgraded(request, ref)
        request.session, request.tenant = SessionStore(None, ref.id), ref
        request._cached_user = AnonymousUser()  # type: ignore[attr-defined]
        with tenant_scope(ref):
            response = self._answer(request, settings.TENANT_URLCONF)
        response["Deprecation"] = "true"
        response["Sunset"] = http_date(until.timestamp())
        response["Link"] = f'<{hosts.tenant_url(ref, request.get_full_path())}>; rel="successor-version"'
        return response


class SessionMiddleware(DjangoSessionMiddleware):
    """Django's, that leaves a session which the host has read already, and gives browsers their cookie."""

    def process_request(self, request: HttpRequest) -> None:
        if cast(Request, request).host_kind != "tenant":
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        wanted = cast(Request, request)
        if wanted.host_kind == "public":
            seen(wanted.session)
            browser_cookie(wanted, response)
        return super().process_response(request, response)


def drop_unreadable_cookies(request: HttpRequest) -> None:
    """A quoted cookie may name any byte by its number. None of ours holds one that cannot be printed, and NUL cannot be
    looked up."""
    for name in [name for name, value in request.COOKIES.items() if not value.isprintable()]:
        del request.COOKIES[name]


def _in_its_scope(content: Iterable[bytes]) -> Iterator[bytes]:
    scope = scope_copy()

    def read() -> Iterator[bytes]:
        with scope_resume(scope):
            yield from content

    return read()


def _shut_out(request: Request, tenant: Tenant, user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether the workspace asks for a second factor, the user has none, and the time to set one up is over."""
    if not tenant.requires_second_factor or cast(User, user).has_second_factor:
        return False
    request.second_factor_by = tenant.second_factor_from
    return tenant.second_factor_from is None or tenant.second_factor_from <= timezone.now()


def _visit_over(request: Request, tenant: TenantRef) -> bool:
    """Whether the session is of an operator's visit that has ended; notes one that goes on."""
    visit_id = request.session.get(VISIT)
    if visit_id is None:
        return False
    operator_id = UUID(str(request.session[auth.SESSION_KEY]))
    request.visit = visit_of_session(str(visit_id), tenant_id=tenant.id, operator_id=operator_id)
    return request.visit is None


def to_https(request: HttpRequest) -> HttpResponse | None:
    """Leads from http to https, on hosts that are ours only: of any other nobody learns that something answers here."""
    if not settings.SECURE_SSL_REDIRECT or request.is_secure():
        return None
    return moved_page(f"https://{request.get_host()}{request.get_full_path()}")


def not_found() -> HttpResponse:
    """The answer of a host that is nobody's: says nothing of who is here."""
    return HttpResponse("Not found\n", status=404, content_type="text/plain; charset=utf-8")


def moved_page(url: str) -> HttpResponse:
    """The answer of a workspace's old host. No browser may remember it: the address can be taken back."""
    return HttpResponseRedirect(url, preserve_request=True, headers={"Cache-Control": "no-store"})


def out_of_service(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    if tenant.state in (Tenant.State.RESERVED, Tenant.State.PROVISIONING):
        status, title = 503, _("Your workspace is being set up")
        text = _("It will be ready in a moment. This page looks again by itself.")
    else:
        status, title = 410, _("This workspace is being deleted")
        text = _("Its owner can say when, and what remains.")
    return waiting_page(request, status, title, text)


def being_upgraded(request: HttpRequest) -> HttpResponse:
    """The workspace's schema is of the release before, for a moment yet."""
    if request.method in ("GET", "HEAD"):
        text = _("It will be ready in a moment. This page looks again by itself.")
    else:
        text = _("Nothing was saved. Wait a moment, go back, and send it again: what you typed is still there.")
    return waiting_page(request, 503, _("Your workspace is being updated"), text)


def waiting_page(request: HttpRequest, status: int, title: str, text: str) -> HttpResponse:
    """The page of a workspace that nobody can enter; with 503 it says when to come back, and looks again by itself."""
    response = render(
        request,
        "layout/out_of_service.html",
        {"title": title, "text": text, "waits": status == 503, "public_url": hosts.public_url("/workspaces/")},
        status=status,
    )
    if status == 503:
        response["Retry-After"] = "3"
        response["Cache-Control"] = "no-store"
        if request.method in ("GET", "HEAD"):
            response["Refresh"] = "3"
    return response
