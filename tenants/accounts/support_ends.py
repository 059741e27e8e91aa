"""How operators' visits in a workspace end, by somebody or by their time, and who is told of it."""

from collections.abc import Callable
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tenants.accounts.services import is_verified
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import SupportConsent, SupportVisit
from tenants.names import name_mailed
from tenants.registration import Hook
from tenants.selectors import BUILT
from tenants.work.mail import mail_queue
from tenants.workspaces.hosts import tenant_url
from tenants.workspaces.support import ENTERED, mark, open_among, own_audit, tell, user_of

MAX_SWEPT = 200

type Note = Callable[[SupportVisit], None]


@Hook
def visit_ended(visit: SupportVisit) -> None:
    """Note the end of a visit, in the transaction that ends it, where operators are watched."""


def visit_end(visit: SupportVisit, *, by: str, request_id: str = "", note: Note = visit_ended) -> bool:
    """End a visit at once; False when it was over. Called inside ``shared()``.

    ``note`` takes the place of ``visit_ended``, where the caller has more to note.
    """
    now = timezone.now()
    rows = SupportVisit.objects.filter(id=visit.id, ended_at=None, expires_at__gt=now)
    with transaction.atomic():
        if not rows.update(ended_at=now, ended_by=by[:254]):
            return False
        _over(visit.id, request_id, note)
    return True


def visits_sweep() -> int:
    """End the visits whose time is over and those of who is no operator any more; gives how many. Called inside
    ``shared()``."""
    now = timezone.now()
    rows = SupportVisit.objects.filter(ended_at=None)
    over = rows.exclude(id__in=open_among(rows).values("id")).order_by("id")[:MAX_SWEPT]
    count = 0
    for visit in over:
        with transaction.atomic():
            if rows.filter(id=visit.id).update(ended_at=min(now, visit.expires_at)):
                _over(visit.id)
                count += 1
    return count


def _over(visit_id: UUID, request_id: str = "", note: Note = visit_ended) -> None:
    """Tell it to the workspace, the member and the operators: a visit has ended."""
    visit = SupportVisit.objects.select_related("operator", "user", "tenant").get(id=visit_id)
    mark(visit.tenant_id)
    ref = visit.tenant.ref()
    if visit.tenant.state in BUILT and not ref.is_behind:
        tell(ref, visit.user_id, "session.support_left", request_id, operator=visit.operator.email)
    if is_verified(visit.user_id):
        _mail(visit)
    note(visit)


def _mail(visit: SupportVisit) -> None:
    is_there = visit.tenant.state in ENTERED
    mail_queue(
        "workspace/mail/support_left",
        to=visit.user.email,
        locale=visit.user.locale,
        context={
            "workspace": name_mailed(visit.tenant.name),
            "visit": visit,
            "email": visit.user.email,
            "link": tenant_url(visit.tenant, "/settings/support/") if is_there else "",
        },
    )


# What members do about it


def consent_withdraw(actor: Actor) -> None:
    """Take the consent back: visits that rested on it end at once. Raises PermissionDenied."""
    user_id = user_of(actor)
    with transaction.atomic():
        with shared():
            consents = SupportConsent.objects.filter(tenant_id=actor.tenant.id, user_id=user_id, withdrawn_at=None)
            ids = list(consents.values_list("id", flat=True))
            consents.update(withdrawn_at=timezone.now())
            visits = list(open_among(SupportVisit.objects.filter(consent__in=ids)))
            for one in visits:
                visit_end(one, by=actor.email, request_id=actor.request_id)
        if ids:
            own_audit(actor, "session.support_withdrawn", {})


def visits_end(actor: Actor) -> int:
    """End the visits that a member may end, and give how many: an owner's are all, another's those as that member.

    Raises PermissionDenied for an operator on a visit.
    """
    user_id = user_of(actor)
    rows = SupportVisit.objects.filter(tenant_id=actor.tenant.id)
    if not actor.can("workspace", "owners"):
        rows = rows.filter(user_id=user_id)
    with shared(), transaction.atomic():
        return sum(visit_end(one, by=actor.email, request_id=actor.request_id) for one in open_among(rows))
