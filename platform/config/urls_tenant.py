"""Paths on a workspace's own host."""

from importlib import import_module
from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from config.settings_index import settings_index
from crm.records.palette import palette
from crm.workspace import inbox
from crm.workspace.appearance import appearance


def _there(module: str) -> list[URLPattern | URLResolver]:
    return list(import_module(module).urlpatterns) if find_spec(module) else []


settings_pages = [
    path("", settings_index, name="index"),
    *_there("crm.workspace.settings_urls"),
    *_there("crm.sales.settings_urls"),
]
urlpatterns = [
    path("appearance/", appearance, name="appearance"),
    path("palette/", palette, name="palette"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/badge/", inbox.inbox_badge, name="inbox_badge"),
    path("inbox/read/", inbox.inbox_read, name="inbox_read"),
    path("inbox/<uuid:id>/", inbox.inbox_open, name="inbox_open"),
    path("", include("tenants.urls_tenant")),
    path("", include("api.settings_urls")),
    path("settings/", include((settings_pages, "settings"))),
    path("api/", include("api.urls")),
    *[
        path("", include(one))
        for one in ("crm.workspace.urls", "crm.sales.urls", "crm.activities.urls")
        if find_spec(one)
    ],
    path("", include("crm.records.urls")),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"
