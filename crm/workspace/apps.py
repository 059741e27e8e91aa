from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class WorkspaceConfig(AppConfig):
    name = "crm.workspace"
    label = "workspace"
    verbose_name = _("Workspace")

    def ready(self) -> None:
        from crm.workspace import auditing, tasks
        from crm.workspace.notifications import kinds, notify  # noqa: F401
        from crm.workspace.people import member_services, provisioning
        from crm.workspace.people.selectors import power_holders, seats
        from crm.workspace.storage import stored_mb
        from tenants import hooks
        from tenants.work import mail
        from tenants.work.wakeups import work_register
        from tenants.workspaces.limits import usage_register
        from tenants.workspaces.provisioning import provisioner_register

        work_register(notify.MAILS, tasks.mails_send, queue="interactive")
        provisioner_register("workspace", provisioning.provision, order=10)
        hooks.audit_note.register(auditing.audit_note)
        hooks.session_note.register(auditing.session_note)
        hooks.member_user_change.register(member_services.member_user_change)
        hooks.member_email_follow.register(member_services.member_email_follow)
        hooks.sample_request.register(tasks.sample_request)
        mail.power_holders.register(power_holders)
        usage_register("seats", lambda tenant: seats(tenant).used)
        usage_register("storage_mb", stored_mb)
