"""Carrying a sign-in from the public host to a workspace's own.

The workspace's host gives the browser a secret nonce in a cookie and sends it to the public host with the nonce's
hash. Whoever is signed in there gets a token bound to user, workspace and nonce, good once and for a minute, and goes
back. A token that was forwarded or stolen is worth nothing in a browser without the nonce, so nobody can be signed in
as somebody else by a link.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme

from tenants.actors import TenantRef
from tenants.models import HandoverToken, SupportVisit, User
from tenants.sessions import METHOD, PASSWORD
from tenants.workspaces.hosts import public_url, tenant_url
from tenants.workspaces.memberships import membership_of
from tenants.workspaces.support import visit_waiting

TOKEN_LIFE = timedelta(seconds=60)
NONCE_SECONDS = 15 * 60
HASH = re.compile(r"[0-9a-f]{64}\Z")


def nonce_cookie() -> str:
    return f"{settings.COOKIE_PREFIX}handover{settings.COOKIE_SUFFIX}"


def digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def nonce_make() -> str:
    return secrets.token_urlsafe(32)


def is_nonce(value: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{43}", value) is not None


def is_digest(value: str) -> bool:
    return HASH.match(value) is not None


def safe_path(value: str | None, default: str = "/") -> str:
    """``value`` when it is a path on this very host, else ``default``: where a redirect may lead."""
    if not value or len(value) > 2000 or not value.startswith("/") or not value.isprintable():
        return default
    return value if url_has_allowed_host_and_scheme(value, allowed_hosts=None) else default


def start_url(tenant: TenantRef, nonce: str, path: str) -> str:
    """Where the workspace's host sends a browser that has a nonce and is to come back to ``path``."""
    return public_url(f"/handover/{tenant.id}/?nonce={digest(nonce)}&next={quote(path)}")


def entry_url(tenant: TenantRef, path: str = "/") -> str:
    """Where the public host sends people into a workspace."""
    return tenant_url(tenant, f"/handover/?next={quote(path)}")


def token_issue(*, user: User, tenant: TenantRef, nonce_hash: str, parent_key: str) -> str:
    """A token for a user who is signed in on the public host with the session ``parent_key``."""
    token = secrets.token_urlsafe(32)
    now = timezone.now()
    HandoverToken.objects.filter(user=user, expires_at__lt=now - TOKEN_LIFE).delete()
    HandoverToken.objects.create(
        token_hash=digest(token),
        user=user,
        tenant_id=tenant.id,
        nonce_hash=nonce_hash,
        parent_session_id=parent_key,
        expires_at=now + TOKEN_LIFE,
    )
    return token


@dataclass(frozen=True, slots=True)
class Handover:
    """``method`` is how the user signed in on the public host; ``visit`` is an operator's who is no member."""

    user: User
    parent_key: str
    method: str
    visit: SupportVisit | None = None


def token_consume(token: str, *, tenant_id: UUID, nonce: str) -> Handover | None:
    """Who comes in by this token, once; None when it is forged, used, too old, another's or for elsewhere."""
    with transaction.atomic():
        found = (
            HandoverToken.objects.select_for_update(of=("self",))
            .select_related("user", "parent_session")
            .filter(token_hash=digest(token), tenant_id=tenant_id, used_at=None, expires_at__gt=timezone.now())
            .first()
        )
        if found is None or not hmac.compare_digest(found.nonce_hash, digest(nonce)):
            return None
        found.used_at = timezone.now()
        found.save(update_fields=["used_at"])
        if found.parent_session.expire_date <= timezone.now() or not found.user.is_active:
            return None
        visit = None
        if membership_of(found.user.pk, tenant_id) is None:
            visit = visit_waiting(operator_id=found.user.pk, tenant_id=tenant_id)
            if visit is None:
                return None
        method = str(found.parent_session.get_decoded().get(METHOD, PASSWORD))
        return Handover(user=found.user, parent_key=found.parent_session_id, method=method, visit=visit)
