from django.urls import path

from api import settings_views

app_name = "api_settings"
urlpatterns = [
    path("settings/api/", settings_views.index, name="index"),
    path("settings/api/keys/", settings_views.create, name="create"),
    path("settings/api/keys/<uuid:key_id>/revoke/", settings_views.revoke, name="revoke"),
    path("settings/api/reference/", settings_views.reference, name="reference"),
    path("settings/api/openapi.json", settings_views.openapi, name="openapi"),
]
