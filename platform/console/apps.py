from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConsoleConfig(AppConfig):
    name = "console"
    verbose_name = _("Console")

    def ready(self) -> None:
        from console.workspaces.visits import visit_end_note
        from tenants.accounts.support_ends import visit_ended

        visit_ended.register(visit_end_note)
