"""Paths on a workspace's own host."""

from django.urls import URLPattern, URLResolver, include, path

from config.settings_index import settings_index
from crm.records import settings_urls as records_settings
from crm.records.views.palette import palette
from crm.sales import settings_urls as sales_settings
from crm.workspace import settings_urls as workspace_settings
from crm.workspace.notifications import inbox
from crm.workspace.notifications.unsubscribe import unsubscribe
from crm.workspace.settings.announcement_views import announcement_hide
from crm.workspace.settings.appearance import appearance
from crm.workspace.settings.support_views import support_end
from crm.workspace.settings.views import logo_file

settings_pages: list[URLPattern | URLResolver] = [
    path("", settings_index, name="index"),
    *workspace_settings.urlpatterns,
    *records_settings.urlpatterns,
    *sales_settings.urlpatterns,
]
urlpatterns = [
    path("appearance/", appearance, name="appearance"),
    path("logo/<slug:picture>/<int:size>/", logo_file, name="logo_file"),
    path("support/end/", support_end, name="support_end"),
    path("announcements/<uuid:announcement_id>/hide/", announcement_hide, name="announcement_hide"),
    path("palette/", palette, name="palette"),
    path("inbox/", inbox.inbox, name="inbox"),
    path("inbox/unread/", inbox.inbox_unread, name="inbox_unread"),
    path("unsubscribe/<str:token>/", unsubscribe, name="unsubscribe"),
    path("inbox/badge/", inbox.inbox_badge, name="inbox_badge"),
    path("inbox/read/", inbox.inbox_read, name="inbox_read"),
    path("inbox/<uuid:id>/", inbox.inbox_open, name="inbox_open"),
    path("", include("tenants.web.urls_tenant")),
    path("", include("api.settings_urls")),
    path("settings/billing/", include("billing.urls_tenant")),
    path("settings/", include((settings_pages, "settings"))),
    path("api/", include("api.urls")),
    path("", include("crm.sales.urls")),
    path("", include("crm.activities.urls")),
    path("", include("crm.records.urls")),
]
handler400 = "config.errors.bad_request"
handler403 = "config.errors.forbidden"
handler404 = "config.errors.not_found"
handler500 = "config.errors.failed"
