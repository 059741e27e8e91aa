"""An overdue task is told to its assignee and to his manager, once for each due time."""

from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.activities.models import Task
from crm.activities.rules import OVERDUE
from crm.activities.selectors import seen_by
from crm.records.types import registry
from crm.workspace.models import Member
from crm.workspace.services import notification_add
from tenants.actors import TenantRef


def task_overdue(tenant: TenantRef, record_id: UUID, due_at: datetime) -> None:
    """Tell of a task that is still open at its due time; does nothing when it was done, trashed or put off."""
    task = (
        Task.objects.filter(pk=record_id, done=False, deleted_at=None, due_at__lte=timezone.now())
        .select_related("assignee__manager")
        .first()
    )
    if task is None or task.assignee is None or task.due_at is None:
        return
    key = f"task_overdue:{task.pk}:{task.due_at.isoformat()}"
    told: list[Member] = [
        member
        for member in (task.assignee, task.assignee.manager)
        if member and seen_by(tenant, member.pk, registry.get("task"), task.pk)
    ]
    for member in told:
        with override(member.locale or tenant.locale):
            if member.pk == task.assignee.pk:
                title = _("Overdue: %(task)s") % {"task": task.name}
            else:
                title = _("Overdue with %(name)s: %(task)s") % {"name": task.assignee.name, "task": task.name}
            notification_add(
                member_id=member.pk,
                key=key,
                kind=OVERDUE,
                title=title[:300],
                body=task.description[:500],
                record_type="task",
                record_id=task.pk,
            )
