"""People's accounts in the shared schema. Call these inside ``shared()`` or on the public host.

An address is proven when allauth's EmailAddress says so; at most one account has proven it. Others may carry it
unproven, since a sign-up must not tell whether an address is known.
"""

from collections.abc import Iterable
from uuid import UUID

import structlog
from allauth.account.models import EmailAddress
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from tenants.db.scopes import tenant_scope
from tenants.hooks import session_note
from tenants.models import Membership, Session, Tenant, User
from tenants.selectors import BUILT
from tenants.sessions import ADDRESS, DEVICE, SessionStore
from tenants.workspaces.memberships import members_changed

log = structlog.get_logger(__name__)

UNVERIFIED = "unverified"
"""Set in a workspace's session as long as its user has not proven the address."""


class AddressTaken(Exception):
    """Another account has proven the address, perhaps since a moment ago."""


def account_create(*, email: str, password: str, name: str = "", locale: str = "", verified: bool = False) -> User:
    """A new account with its address. ``verified`` only where the mailbox was just shown to be theirs.

    Raises AddressTaken where it is to be verified and another account has been faster.
    """
    try:
        with transaction.atomic():
            user = User.objects.create_user(email=email.lower(), password=password, name=name, locale=locale)
            EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=verified)
    except IntegrityError:
        raise AddressTaken(email) from None
    return user


def verified_user(email: str) -> User | None:
    """The account that has proven this address."""
    address = EmailAddress.objects.select_related("user").filter(email=email.lower(), verified=True).first()
    return address.user if address is not None else None


def is_verified(user_id: UUID) -> bool:
    return bool(EmailAddress.objects.filter(user_id=user_id, verified=True).exists())


def verified_among(user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the users who have proven their address."""
    return set(EmailAddress.objects.filter(user_id__in=user_ids, verified=True).values_list("user_id", flat=True))


def sign_in_candidates(email: str) -> tuple[User | None, User | None]:
    """The account that has proven the address, and the newest one that has not.

    Which unproven ones there are besides makes no difference, so that nobody learns of one by signing up again.
    """
    proven = EmailAddress.objects.filter(user_id=OuterRef("pk"), verified=True)
    unproven = User.objects.filter(~Exists(proven), email=email.lower(), is_active=True).order_by("-created_at", "-id")
    verified = verified_user(email)
    return (verified if verified is not None and verified.is_active else None), unproven.first()


def reset_candidates(email: str) -> list[User]:
    """Whose password a reset by mail may set: the account that has proven the address, else all that carry it."""
    verified = verified_user(email)
    if verified is not None:
        return [verified] if verified.is_active else []
    return list(User.objects.filter(email=email.lower(), is_active=True).order_by("-created_at", "-id")[:5])


def address_of(user: User) -> EmailAddress:
    found = EmailAddress.objects.filter(user=user, email=user.email).first()
    return found or EmailAddress.objects.create(user=user, email=user.email, primary=True)


def address_prove(user: User) -> bool:
    """Note that the mailbox is theirs; False when another account has proven it before, or at this moment."""
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        try:
            with transaction.atomic():
                proven = address_of(user).set_verified()
        except IntegrityError:
            proven = False
        if not proven:
            return False
        for row in Session.objects.filter(user_id=user.pk, tenant_id__isnull=False):
            store = SessionStore(row.session_key, row.tenant_id)
            if store.pop(UNVERIFIED, None) is not None:
                store.save()
    return True


def account_end(user: User) -> None:
    """Delete an account; it works nowhere any more."""
    places = list(Membership.objects.filter(user=user).values_list("tenant_id", flat=True))
    user.delete()
    for tenant_id in places:
        members_changed(tenant_id)


def sessions_end(*, user_id: UUID, tenant_id: UUID | None = None) -> None:
    """Sign a user out in all browsers, or only on one workspace's host, which then knows by itself."""
    rows = Session.objects.filter(user_id=user_id)
    if tenant_id is None:
        _end(rows)
    else:
        rows.filter(tenant_id=tenant_id).delete()


def session_end(key: str) -> None:
    """End a public session and, with it, those on workspaces' hosts that hang on it."""
    _end(Session.objects.filter(session_key=key))


def sessions_end_others(*, user_id: UUID, but: str | None) -> int:
    """Sign a user out in all other browsers than that of the public session ``but``; gives in how many."""
    others = Session.objects.filter(user_id=user_id, tenant_id=None).exclude(session_key=but or "")
    count = others.count()
    _end(others)
    Session.objects.filter(user_id=user_id, tenant_id__isnull=False).exclude(parent_id=but or "").delete()
    return count


def _end(rows: QuerySet[Session]) -> None:
    """End sessions with all that hang on them; each workspace among them notes from which browser its member went."""
    alive = Session.objects.filter(Q(pk__in=rows) | Q(parent__in=rows), tenant_id__isnull=False)
    gone = list(
        alive.filter(expire_date__gt=timezone.now(), parent__expire_date__gt=timezone.now()).select_related("parent")
    )
    rows.delete()
    if not gone:
        return
    tenants = Tenant.objects.filter(state__in=BUILT).in_bulk({one.tenant_id for one in gone})
    for one in gone:
        if one.parent is None or one.user_id is None or one.tenant_id not in tenants:
            continue
        data = one.parent.get_decoded()
        ref = tenants[one.tenant_id].ref()
        if ref.is_behind:
            log.warning("audit.left_out", tenant=ref.schema_name, kind="session.ended")
            continue
        with tenant_scope(ref):
            session_note(
                ref,
                one.user_id,
                "session.ended",
                address=str(data.get(ADDRESS) or ""),
                device=str(data.get(DEVICE) or ""),
            )
