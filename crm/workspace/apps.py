from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkspaceConfig(AppConfig):
    name = "crm.workspace"
    label = "workspace"
    verbose_name = _("Workspace")

    def ready(self) -> None:
        from crm.workspace import kinds  # noqa: F401
