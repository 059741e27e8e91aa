"""The operator's pages, on the public host."""

from django.urls import path

from console.views import announcements, audit, setups, steps, workspaces

app_name = "console"
urlpatterns = [
    path("", workspaces.workspaces, name="workspaces"),
    path("workspaces/<uuid:tenant_id>/", workspaces.workspace, name="workspace"),
    path("workspaces/<uuid:tenant_id>/setup/", steps.setup, name="setup"),
    path("workspaces/<uuid:tenant_id>/visit/", steps.visit, name="visit"),
    path("workspaces/<uuid:tenant_id>/visit/end/", steps.visit_end, name="visit_end"),
    path("setups/", setups.setups, name="setups"),
    path("announcements/", announcements.announcements, name="announcements"),
    path("announcements/new/", announcements.announcement_new, name="announcement_new"),
    path("announcements/<uuid:announcement_id>/end/", announcements.announcement_stop, name="announcement_stop"),
    path("audit/", audit.audit, name="audit"),
]
