from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class PeopleConfig(AppConfig):
    name = "crm.people"
    label = "people"
    verbose_name = _("People")

    def ready(self) -> None:
        from crm.people import types
        from crm.records.write.limits import counted
        from tenants.workspaces.limits import usage_register

        usage_register("contacts", lambda _tenant: counted(types.CONTACT))
