"""``Authorization: Bearer rpt_live_<id>_<secret>`` → the key, its tenant and the Actor it acts as."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from api.errors import ApiError
from crm.workspace import actors
from tenants.accounts.api_keys import ApiKeyRefused, api_key_authenticate
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.models import ApiKey


@dataclass(frozen=True, slots=True)
class Key:
    """A key that was proven, in the tenant it belongs to."""

    row: ApiKey
    tenant: TenantRef

    @property
    def id(self) -> UUID:
        found: UUID = self.row.id
        return found

    def actor(self, request_id: str) -> Actor:
        """The Actor, read inside of the tenant's scope. Raises ApiError 401 when the key's maker is not active."""
        actor = actors.actor_for_member(
            self.tenant,
            self.row.member_id,
            kind=ActorKind.API_KEY,
            actor_id=self.row.id,
            label=self.row.name,
            scopes=frozenset(self.row.scopes),
            request_id=request_id,
        )
        if actor is None:
            raise refused("sleeping_key", _("The member who made this key is deactivated, so the key sleeps."))
        return actor


def refused(code: str, message: str) -> ApiError:
    return ApiError(401, code, message, headers={"WWW-Authenticate": 'Bearer realm="api"'})


def authenticate(request: HttpRequest) -> tuple[Key, TenantRef]:
    """Find and prove the key. Raises ApiError 401; a key on another tenant's host is refused like a wrong one."""
    try:
        row, tenant = api_key_authenticate(
            request.headers.get("Authorization", ""), host=getattr(request, "tenant", None)
        )
    except ApiKeyRefused as error:
        raise refused(error.code, str(error.message)) from error
    return Key(row, tenant), tenant


class KeyAuthentication(BaseAuthentication):
    """Tells DRF who was authenticated by ``ApiView.dispatch``."""

    def authenticate(self, request: Request) -> tuple[Any, Any]:
        actor: Actor = request._request.actor  # type: ignore[attr-defined]
        return actor, None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "rpt_live_<id>_<secret>"}
