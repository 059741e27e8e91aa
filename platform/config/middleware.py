"""One log line for each answer, and a page where a browser asks for what is no page."""

import time
from collections.abc import Callable
from typing import cast

import structlog
from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase, HttpResponseNotAllowed

from config.errors import asked_first, not_allowed, not_entitled
from tenants.http import Request
from tenants.workspaces.entitlements import NotEntitled

log = structlog.get_logger("rapport.request")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
UNLOGGED = ("/static/", "/healthz", "/readyz")


class RequestLogMiddleware:
    """Logs method, path without its query, status and milliseconds; stands right after RequestIdMiddleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        response = self.get_response(request)
        if not request.path_info.startswith(UNLOGGED):
            tenant = getattr(request, "tenant", None)
            log.info(
                "request",
                method=request.method,
                path=request.path_info,
                status=response.status_code,
                ms=round((time.perf_counter() - started) * 1000, 1),
                **({"tenant": tenant.schema_name} if tenant else {}),
            )
        return response


class NoStoreMiddleware:
    """Has no cache keep, and no "back" after a sign-out show, what somebody got who came with a session or a key.

    WhiteNoise answers before for files that are the same for all. A view that says how long its answer keeps is heeded.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if settings.SESSION_COOKIE_NAME in request.COOKIES or "Authorization" in request.headers:
            response.headers.setdefault("Cache-Control", "no-store")
        return response


class NotEntitledMiddleware:
    """An answer to who wants something that was not paid for. Stands below what knows the reader and their language."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        return not_entitled(cast(Request, request), exception) if isinstance(exception, NotEntitled) else None


class NotAllowedMiddleware:
    """A page instead of an empty answer to who opens the address of a form, for instance by going back to it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or request.method != "GET" or response.content:
            return response
        page = not_allowed(request)
        page["Allow"] = response.headers["Allow"]
        return page


class AskFirstMiddleware:
    """Asks before what cannot be taken back: a form with a field ``ask`` is answered by a page with that question.

    A script asks in place and sends the form without the field; who clicks before it is loaded, or has none, gets here.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponseBase | None:
        if request.method != "POST" or request.content_type not in FORMS or getattr(request, "actor", None) is None:
            return None
        question = request.POST.get("ask", "")
        return asked_first(request, question) if question else None
