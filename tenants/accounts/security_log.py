"""What happened to people's accounts: noted, and mailed to the person it concerns."""

from datetime import timedelta

import structlog
from allauth.account.models import EmailAddress
from django.utils import timezone

from tenants.accounts.browsers import Visit
from tenants.db.scopes import tenant_scope
from tenants.hooks import session_note
from tenants.models import AccountEvent, Membership, User
from tenants.selectors import BUILT
from tenants.work.mail import mail_queue
from tenants.workspaces.hosts import public_url

log = structlog.get_logger(__name__)

Kind = AccountEvent.Kind


def account_event(user: User, kind: AccountEvent.Kind, visit: Visit, *, detail: str = "", mail: bool = True) -> None:
    """Note it, and mail it to a proven address. Call it in the transaction that does the thing."""
    event = AccountEvent.objects.create(
        user=user, kind=kind, address=visit.address, device=visit.device, detail=detail[:200]
    )
    _tell_workspaces(user, event)
    if mail and EmailAddress.objects.filter(user=user, verified=True).exists():
        context = {
            "what": kind.label,
            "kind": str(kind),
            "detail": event.detail,
            "visit": visit,
            "at": timezone.now(),
            "email": user.email,
            "link": public_url("/account/"),
        }
        mail_queue("account/mail/security", to=user.email, locale=user.locale, context=context)


def failed_lately(user: User) -> int:
    """How often the second step failed within an hour."""
    since = timezone.now() - timedelta(hours=1)
    return AccountEvent.objects.filter(user=user, kind=Kind.SECOND_FAILED, at__gt=since).count()


def _tell_workspaces(user: User, event: AccountEvent) -> None:
    """Note it in the audit of each workspace the person works in."""
    rows = Membership.objects.select_related("tenant").filter(
        user=user,
        state=Membership.State.ACTIVE,
        tenant__state__in=BUILT,
    )
    for membership in rows:
        ref = membership.tenant.ref()
        if ref.is_behind:
            log.warning("audit.left_out", tenant=ref.schema_name, kind=str(event.kind))
            continue
        with tenant_scope(ref):
            session_note(
                ref,
                user.pk,
                f"session.{event.kind}",
                address=event.address,
                device=event.device,
                detail=event.detail,
            )


def account_events(user: User, *, limit: int = 10) -> list[AccountEvent]:
    """What happened last, for the person themselves."""
    return list(AccountEvent.objects.filter(user=user).order_by("-id")[:limit])
