from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SalesConfig(AppConfig):
    name = "crm.sales"
    label = "sales"
    verbose_name = _("Sales")

    def ready(self) -> None:
        from crm.records.jobs import jobs
        from crm.records.lists.record_page import part_register
        from crm.sales import types  # noqa: F401
        from crm.sales.page_sections import stage_bar
        from crm.sales.provisioning import provision
        from crm.sales.rules.pipelines import pipelines_in_use
        from crm.sales.sample.loading import sample_load
        from crm.sales.services import archive_step
        from crm.workspace import hooks
        from tenants.workspaces.limits import usage_register
        from tenants.workspaces.provisioning import provisioner_register

        hooks.sample_load.register(sample_load)
        jobs.register("pipeline_archive", archive_step)
        part_register("stages", stage_bar, slot="header", order=10)
        provisioner_register("sales", provision, order=20)
        usage_register("pipelines", lambda _tenant: pipelines_in_use())
