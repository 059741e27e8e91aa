"""What operators tell workspaces: a banner on their pages until a day, or until somebody has read enough of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import DateTimeField, Exists, F, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Greatest
from django.utils import timezone

from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.models import Announcement, AnnouncementDismissal, AnnouncementRecipient, Tenant, User
from tenants.selectors import BUILT

MAX_SHOWN = 3
BATCH_SIZE = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """An announcement as one reader sees it."""

    id: UUID
    text: str


def audience_of(*, plans: list[str], states: list[str], ids: list[UUID]) -> QuerySet[Tenant]:
    """The workspaces that are there and have one of the plans and one of the states of billing, or are named.

    Nothing given of a sort means any; ids alone mean just these.
    """
    served: QuerySet[Tenant] = Tenant.objects.filter(state__in=BUILT)
    return served.filter(_wanted(plans, states, ids))


def _wanted(plans: Collection[str], states: Collection[str], ids: Collection[UUID | str]) -> Q:
    if ids and not plans and not states:
        return Q(id__in=ids)
    wanted = Q()
    if plans:
        wanted &= Q(plan_name__in=plans)
    if states:
        wanted &= Q(access_state__in=states)
    return wanted | Q(id__in=ids) if ids else wanted


def announce(
    *,
    texts: Mapping[str, str],
    language: str,
    until: datetime,
    to: QuerySet[Tenant],
    audience: Mapping[str, Any],
    author: str,
) -> tuple[Announcement, int]:
    """Show a message in those workspaces that are there now; gives it, and in how many. Called inside ``shared()``.

    ``audience`` is what ``to`` was made from (see ``audience_of``): while the message is shown, a workspace that comes
    to fit it sees it too, and one that fits no longer does not (``announcements_follow``). Whose plan or state is being
    changed at this moment is waited for, and whoever changes one afterwards waits until the message can be seen.
    """
    with transaction.atomic():
        list(Tenant.objects.select_for_update(no_key=True).filter(state__in=BUILT).order_by("id").values_list("id"))
        made = Announcement.objects.create(
            texts=dict(texts), language=language, until=until, audience=dict(audience), author=author
        )
        ids = list(to.values_list("id", flat=True))
        AnnouncementRecipient.objects.bulk_create(
            [AnnouncementRecipient(announcement=made, tenant_id=one) for one in ids], batch_size=BATCH_SIZE
        )
        _mark(Tenant.objects.filter(Exists(made.recipients.filter(tenant=OuterRef("pk")))), until)
    return made, len(ids)


def announcements_provision(tenant: TenantRef, _owner: User | None) -> None:
    """Show a new workspace what is announced to such as it is; safe to repeat."""
    announcements_follow(tenant.id)


@shared()
def announcements_follow(tenant_id: UUID) -> None:
    """Show a workspace what is announced to such as it is now, and no more what was to such as it was.

    Called when its plan or its state of billing has changed; what names it by id stays.
    """
    running = Announcement.objects.filter(ended_at=None, until__gt=timezone.now()).order_by("id")
    with transaction.atomic():
        for one in running:
            named = {name: one.audience.get(name, []) for name in ("plans", "states", "ids")}
            here = Tenant.objects.filter(id=tenant_id)
            if here.filter(_wanted(**named)).exists():
                _recipient, is_new = AnnouncementRecipient.objects.get_or_create(announcement=one, tenant_id=tenant_id)
                if is_new:
                    _mark(here, one.until)
            elif AnnouncementRecipient.objects.filter(announcement=one, tenant_id=tenant_id).delete()[0]:
                _mark_anew(here)


def _mark(recipients: QuerySet[Tenant], until: datetime) -> None:
    """Note on workspaces until when there is something to say."""
    recipients.update(announced_until=Greatest(F("announced_until"), Value(until, output_field=DateTimeField())))


def announcement_end(announcement: Announcement) -> bool:
    """Show it no more; False when it was over. Called inside ``shared()``."""
    with transaction.atomic():
        rows = Announcement.objects.filter(id=announcement.id, ended_at=None, until__gt=timezone.now())
        if not rows.update(ended_at=timezone.now()):
            return False
        recipients = Tenant.objects.filter(Exists(announcement.recipients.filter(tenant=OuterRef("pk"))))
        _mark_anew(recipients)
    return True


def _mark_anew(tenants: QuerySet[Tenant]) -> None:
    """Note it after something that was to be said is not any more."""
    others = Announcement.objects.filter(recipients__tenant=OuterRef("pk"), ended_at=None).order_by()
    last = others.values("recipients__tenant").annotate(last=Max("until")).values("last")
    tenants.update(announced_until=Subquery(last))


def announcements_for(actor: Actor) -> list[Shown]:
    """What is shown to a member, the newest first; asked only where the workspace has any."""
    if not actor.tenant.has_announcements:
        return []
    now = timezone.now()
    with shared():
        dismissed = AnnouncementDismissal.objects.filter(announcement=OuterRef("pk"), user_id=actor.details["user_id"])
        rows = Announcement.objects.filter(
            ~Exists(dismissed), recipients__tenant_id=actor.tenant.id, ended_at=None, until__gt=now
        )
        found = list(rows.order_by("-id")[:MAX_SHOWN])
    return [Shown(one.id, one.text_in(actor.locale)) for one in found]


def announcement_dismiss(actor: Actor, announcement_id: UUID) -> bool:
    """Show it to this member no more; False when it is none of this workspace's."""
    with shared():
        mine = AnnouncementRecipient.objects.filter(announcement_id=announcement_id, tenant_id=actor.tenant.id)
        if not mine.exists():
            return False
        AnnouncementDismissal.objects.get_or_create(
            announcement_id=announcement_id, user_id=UUID(str(actor.details["user_id"]))
        )
    return True
