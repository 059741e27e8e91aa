from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkspaceConfig(AppConfig):
    name = "crm.workspace"
    label = "workspace"
    verbose_name = _("Workspace")

    def ready(self) -> None:
        from crm.workspace import kinds  # noqa: F401
        from crm.workspace.selectors import seats
        from crm.workspace.storage import stored_mb
        from tenants.limits import usage_register

        usage_register("seats", lambda tenant: seats(tenant).used)
        usage_register("storage_mb", stored_mb)
