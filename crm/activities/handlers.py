"""What members are told when something becomes theirs."""

from uuid import UUID

from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.activities.selectors import seen_by
from crm.records.models import Event
from crm.records.types import registry
from crm.workspace.models import Member
from crm.workspace.services import notification_add
from tenants.actors import TenantRef

MANY = 5
"""Records handed over in one change of which each is still told by itself."""
QUIET_SOURCES = frozenset({"sample", "import"})


def assignment_told(tenant: TenantRef, event: Event) -> None:
    """Tell a member that somebody else gave him a task or a record; of many at once he is told once."""
    if event.record_type not in registry or event.type.rpartition(".")[2] not in {"created", "updated"}:
        return
    rt = registry.get(event.record_type)
    holder = event.after.get(rt.owner_field) if rt.owner_field else None
    change = event.change_set
    if not holder or change.source in QUIET_SOURCES or str(change.member_id) == holder:
        return
    member = Member.objects.filter(pk=UUID(holder), state=Member.State.ACTIVE).first()
    record = rt.model_class.objects.filter(pk=event.record_id, deleted_at=None).first()
    if member is None or record is None or str(getattr(record, rt.field(rt.owner_field).column)) != holder:
        return
    if not seen_by(tenant, member.pk, rt, record.pk):
        return
    together = Event.objects.filter(change_set=change, type=event.type, **{f"after__{rt.owner_field}": holder})[
        : MANY + 1
    ].count()
    with override(member.locale or tenant.locale):
        facts = {"who": change.actor_label, "noun": rt.label, "nouns": rt.label_plural, "title": rt.title_of(record)}
        if together > MANY:
            title = _("%(who)s made many records yours: %(nouns)s") % facts
        elif rt.slug == "task":
            title = _("%(who)s gave you a task: %(title)s") % facts
        else:
            title = _("%(who)s made you the owner: %(noun)s %(title)s") % facts
        notification_add(
            member_id=member.pk,
            key=f"assigned:{change.pk if together > MANY else event.pk}",
            kind="assigned",
            title=title[:300],
            record_type=rt.slug,
            record_id=record.pk,
        )
