"""API keys: ``rpt_live_<id>_<secret>``. The id finds the key; of the secret only a hash is kept."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actors import Actor, ActorKind, Permissions, TenantRef
from tenants.db.prepared import PreparedInstances
from tenants.db.scopes import shared, tenant_scope
from tenants.hooks import audit_note, member_secrets_drop
from tenants.models import ApiKey, Domain, User
from tenants.permission_checks import check
from tenants.selectors import BUILT
from tenants.workspaces import memberships
from tenants.workspaces.entitlements import require_writable

HEADER = re.compile(r"Bearer[ ]+rpt_(live)_([0-9a-z]{16})_([A-Za-z0-9]{40})\Z", re.IGNORECASE)
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
LAST_USE = timedelta(minutes=1)
SCOPE = re.compile(r"[a-z_]{1,40}:(read|write)\Z")
EVER = datetime.min.replace(tzinfo=UTC)
NOBODYS_HASH = hashlib.sha256(b"").hexdigest()
KEY = PreparedInstances(
    lambda public_id, prefix: ApiKey.objects.filter(public_id=public_id, prefix=prefix).annotate(
        host=Subquery(Domain.objects.filter(tenant=OuterRef("tenant"), is_primary=True).values("domain")[:1])
    ),
    str,
    str,
    related=("tenant",),
    extra=("host",),
)


class ApiKeyRefused(Exception):
    """Why a request's key is not let in: ``missing_key``, ``invalid_key``, ``expired_key`` or ``sleeping_key``."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ApiKeyInvalid(Exception):
    """A key cannot be made as asked for; ``field`` names what is wrong."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field
        self.message = message


def _word(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _place in range(length))


def _hash(secret: str) -> str:
    """A plain hash is enough: the secret has 238 bits of chance and cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def api_key_create(
    actor: Actor, *, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """Make a key for the acting member; returns it with its plain text, which is shown once and kept nowhere.

    Raises PermissionDenied for who may not make keys (a key never may) and ApiKeyInvalid.
    """
    check(actor, "workspace", "api_keys")
    if actor.kind not in (ActorKind.MEMBER, ActorKind.SYSTEM) or actor.member_id is None:
        raise ApiKeyInvalid("name", _("Only a member can make a key."))
    require_writable(actor.tenant)
    label = " ".join(name.replace("\x00", "").split())
    if not label or len(label) > 120:
        raise ApiKeyInvalid("name", _("Give the key a name of at most 120 characters."))
    wanted = sorted(set(scopes))
    for scope in wanted:
        if not SCOPE.match(scope):
            raise ApiKeyInvalid("scopes", _("“%(scope)s” is not a scope.") % {"scope": scope[:60]})
    if expires_at is not None and expires_at <= timezone.now():
        raise ApiKeyInvalid("expires_at", _("Choose a day in the future."))
    secret = _word(ALPHABET, 40)
    with transaction.atomic():
        with shared():
            key = ApiKey.objects.create(
                public_id=_word("0123456789abcdefghijklmnopqrstuvwxyz", 16),
                secret_hash=_hash(secret),
                tenant_id=actor.tenant.id,
                member_id=actor.member_id,
                name=label,
                scopes=wanted,
                expires_at=expires_at,
            )
        _note(actor, "api_key.created", key)
    return key, f"rpt_{key.prefix}_{key.public_id}_{secret}"


def api_keys_reach_all(actor: Actor) -> bool:
    """Whether the actor looks after everybody's keys: whoever has the members or the settings in hand."""
    return actor.can("workspace", "members") or actor.can("workspace", "settings")


def _keys(actor: Actor) -> QuerySet[ApiKey]:
    """The keys that the actor looks after, of this workspace and not revoked; read it inside ``shared()``."""
    check(actor, "workspace", "api_keys")
    rows = ApiKey.objects.filter(tenant_id=actor.tenant.id, revoked_at=None)
    if api_keys_reach_all(actor):
        return rows
    return rows.filter(member_id=actor.member_id) if actor.member_id is not None else rows.none()


def api_key_list(actor: Actor) -> list[ApiKey]:
    """The actor's own keys, or everybody's for who looks after them, without revoked ones; the newest first."""
    with shared():
        return list(_keys(actor).order_by("-created_at", "-id"))


def api_key_revoke(actor: Actor, *, key_id: UUID) -> ApiKey:
    """End a key at once. Raises Http404 for one that the actor does not look after or that was revoked before."""
    with transaction.atomic():
        with shared():
            key = _keys(actor).select_for_update().filter(id=key_id).first()
            if key is None:
                raise Http404(_("There is no such key."))
            key.revoked_at = timezone.now()
            key.save(update_fields=["revoked_at"])
        _note(actor, "api_key.revoked", key)
    return key


def secrets_drop_since(user: User, moment: datetime) -> None:
    """Revoke the keys that were made in the user's name from a moment on, in every workspace, and with them what else
    there reads in their name: when somebody else had the account."""
    for membership in memberships.memberships_built(user):
        if membership.member_id is None:
            continue
        ref = membership.tenant.ref()
        made = ApiKey.objects.filter(tenant_id=ref.id, member_id=membership.member_id, created_at__gte=moment)
        keys = list(made.filter(revoked_at=None))
        made.filter(revoked_at=None).update(revoked_at=timezone.now())
        system = Actor(ActorKind.SYSTEM, ref, Permissions({}), label=_("System"))
        with tenant_scope(ref):
            for key in keys:
                _note(system, "api_key.revoked", key)
            member_secrets_drop(system, member_id=membership.member_id, moment=moment)


def _note(actor: Actor, type: str, key: ApiKey) -> None:
    """Tell the workspace's audit of a key, by its name and what it may do."""
    facts = {"name": key.name, "public_id": key.public_id, "scopes": key.scopes, "expires_at": key.expires_at}
    audit_note(actor, type, record_id=key.id, after=facts)


def api_key_authenticate(header: str | None, host: TenantRef | None = None) -> tuple[ApiKey, TenantRef]:
    """The key and workspace of an Authorization header. Raises ApiKeyRefused.

    ``host`` is the workspace whose host was asked, if any: a key of another one is no key there.
    Whether the key's maker still works there is for the workspace to say.
    """
    if not header:
        raise ApiKeyRefused("missing_key", _("Send your key: Authorization: Bearer rpt_live_…"))
    parts = HEADER.match(header.strip()) if len(header) <= 200 else None
    if parts is None:
        raise ApiKeyRefused("invalid_key", _("This is not a key of Rapport."))
    prefix, public_id, secret = parts.groups()
    with shared():
        key = KEY.first(public_id, prefix.lower())
        known = hmac.compare_digest(key.secret_hash if key else NOBODYS_HASH, _hash(secret))
        if key is None or not known or key.revoked_at is not None:
            raise ApiKeyRefused("invalid_key", _("There is no such key, or it was revoked."))
        if host is not None and host.id != key.tenant_id:
            raise ApiKeyRefused("invalid_key", _("There is no such key, or it was revoked."))
        now = timezone.now()
        if key.expires_at is not None and key.expires_at <= now:
            raise ApiKeyRefused("expired_key", _("This key has expired. Make a new one in Settings → API."))
        if key.tenant.state not in BUILT:
            raise ApiKeyRefused("sleeping_key", _("The workspace of this key is not in service."))
        tenant = host or key.tenant.ref(Domain(domain=getattr(key, "host", None) or ""))
        if key.last_used_at is None or key.last_used_at < now - LAST_USE:
            ApiKey.objects.filter(id=key.id).update(last_used_at=now)
    return key, tenant


def api_key_scopes(tenant: TenantRef, key_id: UUID) -> tuple[str, frozenset[str]] | None:
    """Name and scopes of a key that is still good, for work it has started; None for one that is not."""
    with shared():
        key = ApiKey.objects.filter(id=key_id, tenant_id=tenant.id, revoked_at=None).first()
    if key is None or (key.expires_at is not None and key.expires_at <= timezone.now()):
        return None
    return key.name, frozenset(key.scopes)
