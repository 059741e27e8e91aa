"""Reading the notifications of a member."""

from django.db.models import QuerySet, UUIDField
from django.db.models.functions import Coalesce

from crm.workspace.hooks import records_in_sight
from crm.workspace.models import Notification
from tenants.actors import Actor


def notifications_of(actor: Actor) -> QuerySet[Notification]:
    """What stands in the actor's own inbox: nothing of records that are out of their sight by now, or of
    changes that were undone."""
    if actor.member_id is None:
        return Notification.objects.none()
    return Notification.objects.filter(
        records_in_sight(actor), member_id=actor.member_id, in_app=True, withdrawn_at=None
    )


def unread_count(actor: Actor) -> int:
    """The inbox's unread lines: what is of one kind and record counts once."""
    unread = notifications_of(actor).filter(read_at=None)
    return (
        unread.values("kind", "record_type", of=Coalesce("record_id", "id", output_field=UUIDField()))
        .distinct()
        .order_by()
        .count()
    )
