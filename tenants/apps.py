from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tenants.db.release import template_digest


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = _("Workspaces")

    def ready(self) -> None:
        """Know the release by the files that this process runs, and not by those that the next one puts there."""
        template_digest()
        from tenants.workspaces.announcements import announcements_provision
        from tenants.workspaces.provisioning import provisioner_register

        # What is announced goes by the workspace's plan, so it is the last to look.
        provisioner_register("announcements", announcements_provision, order=100)
