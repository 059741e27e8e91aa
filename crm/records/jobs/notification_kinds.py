"""What members are told of work in the background."""

from django.utils.translation import gettext_lazy as _

from crm.workspace.notifications.notify import Channel, register_kind

JOB_DONE = "job_done"

register_kind(JOB_DONE, _("Work in the background that I started has ended"), (Channel.IN_APP,), icon="list-checks")
