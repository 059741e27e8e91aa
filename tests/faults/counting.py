"""An event reader that is not idempotent on purpose: it leaves one more mark each time it is called."""

from uuid import uuid4

from crm.records.models import Event
from crm.workspace.models import Member, Notification
from tenants.actors import TenantRef


def count(tenant: TenantRef, event: Event) -> None:
    """Mark ``event`` as seen, in the transaction that also moves this reader on."""
    owner = Member.objects.order_by("created_at").first()
    if owner is not None:
        Notification.objects.create(member=owner, key=f"count:{event.id}:{uuid4()}", kind="count", title=event.type)
