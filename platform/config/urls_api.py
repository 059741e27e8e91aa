"""Paths on the API host: the same routes as under ``/api/`` on a workspace's own host."""

from django.urls import include, path

urlpatterns = [path("api/", include("api.urls"))]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"
