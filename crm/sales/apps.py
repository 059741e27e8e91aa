from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SalesConfig(AppConfig):
    name = "crm.sales"
    label = "sales"
    verbose_name = _("Sales")

    def ready(self) -> None:
        from crm.sales import types  # noqa: F401
        from crm.sales.rules import pipelines_in_use
        from crm.sales.sample import sample_load
        from crm.workspace import hooks
        from tenants.limits import usage_register

        hooks.sample_load.register(sample_load)
        usage_register("pipelines", lambda _tenant: pipelines_in_use())
