"""The operator's pages, on the public host."""

from django.urls import path

from console.views import audit, workspaces

app_name = "console"
urlpatterns = [
    path("", workspaces.workspaces, name="workspaces"),
    path("workspaces/<uuid:tenant_id>/", workspaces.workspace, name="workspace"),
    path("audit/", audit.audit, name="audit"),
]
