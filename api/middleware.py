"""The short way of a request with an API key: no session, no cookies, no pages."""

from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse
from django.urls import resolve
from django.utils import translation

PREFIX = "/api/"


def is_api(request: HttpRequest) -> bool:
    """Whether a program asks, which is answered in the API's shape whatever happens."""
    return getattr(request, "host_kind", "public") != "public" and request.path_info.startswith(PREFIX)


class ApiMiddleware:
    """Answers paths under /api/, but for the public host, at once; what stands below it in MIDDLEWARE is for browsers.

    The API speaks the installation's language, and its routes answer every path and every error themselves.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_api(request):
            return self.get_response(request)
        with translation.override(settings.LANGUAGE_CODE):
            match = request.resolver_match = resolve(request.path_info, settings.API_URLCONF)
            response = cast(HttpResponseBase, match.func(request, *match.args, **match.kwargs))
            if isinstance(response, SimpleTemplateResponse):
                response.render()
        if not response.streaming and not response.has_header("Content-Length"):
            response["Content-Length"] = str(len(getattr(response, "content", b"")))
        return response
