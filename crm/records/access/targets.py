"""What relations lead to, as the one who asks may see it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy

from crm.records.schema import mentions
from crm.records.schema.field import MEMBER_TARGET, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.policies import Everyone
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from tenants.actors import Actor

MEMBER_TYPE = RecordType(
    slug=MEMBER_TARGET,
    plural="members",
    label=gettext_lazy("Member"),
    label_plural=gettext_lazy("Members"),
    icon="user",
    model="workspace.Member",
    fields=(
        Field(slug="name", label=gettext_lazy("Name"), kind=Kind.TEXT),
        Field(slug="email", label=gettext_lazy("Email"), kind=Kind.TEXT),
    ),
    visible=Everyone(),
)
"""What relations to members show of them; members are no records."""


def target_type(slug: str) -> RecordType:
    return MEMBER_TYPE if slug == MEMBER_TARGET else registry.get(slug)


def target_rows(actor: Actor, target: RecordType) -> QuerySet[Any]:
    """Rows of a relation's other side that the actor may see, none from the trash."""
    rows = target.visible_to(actor)
    return rows if target is MEMBER_TYPE else rows.filter(deleted_at__isnull=True)


def as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def titles(actor: Actor, wanted: Iterable[tuple[str, UUID]]) -> dict[tuple[str, UUID], str]:
    """What records (and members) are called, trashed ones included, as far as the actor may see them."""
    by_type: dict[str, set[UUID]] = {}
    for name, id in wanted:
        by_type.setdefault(name, set()).add(id)
    found: dict[tuple[str, UUID], str] = {}
    for name, ids in by_type.items():
        if name == MEMBER_TARGET or name in registry:
            target = target_type(name)
            rows = target.visible_to(actor).filter(pk__in=ids).values_list("pk", target.title)
            found |= {(name, pk): mentions.plain(title) for pk, title in rows}
    return found
