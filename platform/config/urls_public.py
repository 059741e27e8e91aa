"""Paths on the public host: the landing page, sign-up and everything about one's account."""

from django.urls import include, path

from config.landing import landing
from crm.workspace.settings.appearance import appearance

urlpatterns = [
    path("", landing, name="landing"),
    path("appearance/", appearance, name="appearance"),
    path("", include("tenants.web.urls")),
    path("", include("crm.workspace.urls_public")),
    path("", include("billing.urls_public")),
    path("console/", include("console.urls")),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"
