"""Who is acting in this request, in which language, time zone, formats and theme."""

from collections.abc import Callable
from uuid import UUID

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpResponseBase
from django.utils import timezone, translation

from crm.workspace.actors import actor_for_user, visitor_actor
from crm.workspace.configuration import reader_formats
from crm.workspace.text import formats
from tenants.accounts.services import UNVERIFIED
from tenants.http import Request
from tenants.ids import id_of

THEMES = ("light", "dark")
THEME_COOKIE = "theme"


def _user_id(request: Request) -> UUID | None:
    return id_of(request.session.get(SESSION_KEY))


class ActorMiddleware:
    """Sets ``request.actor`` on a tenant's host, and ``request.theme`` everywhere."""

    def __init__(self, get_response: Callable[[Request], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponseBase:
        theme = request.COOKIES.get(THEME_COOKIE, "")
        request.theme = theme if theme in THEMES else ""
        request.actor = None
        if request.tenant is None:
            return self.get_response(request)
        user_id = _user_id(request)
        if request.visit is not None:
            request.actor = visitor_actor(request.tenant, request.visit, request.request_id)
        elif user_id is not None:
            request.actor = actor_for_user(
                request.tenant, user_id, request.request_id, unverified=UNVERIFIED in request.session
            )
        if request.actor is None:
            return self.get_response(request)
        language = request.actor.locale if request.actor.locale in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with (
            timezone.override(request.actor.time_zone),
            translation.override(language),
            formats.override(reader_formats(request.actor)),
        ):
            request.LANGUAGE_CODE = language
            return self.get_response(request)
