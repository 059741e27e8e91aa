"""What a request carries beside what Django puts on it."""

from typing import TYPE_CHECKING, Literal

from django.http import HttpRequest

from tenants.actors import Actor, TenantRef

if TYPE_CHECKING:
    from datetime import datetime

    from django_htmx.middleware import HtmxDetails

    from tenants.models import SupportVisit
    from tenants.sessions import SessionStore

type HostKind = Literal["public", "tenant", "api"]


class Request(HttpRequest):
    """The type of requests in views; middlewares set these."""

    request_id: str
    host_kind: HostKind
    tenant: TenantRef | None
    actor: Actor | None
    theme: str
    htmx: "HtmxDetails"
    session: "SessionStore"
    browser_token: str
    """The cookie by which a browser that has just signed in will be known."""
    second_factor_by: "datetime | None"
    """Until when somebody without a second factor may enter this workspace, if it asks for one."""
    visit: "SupportVisit | None"
    """On a workspace's host: the visit for support that the session belongs to."""


class MemberRequest(Request):
    """A request that ``@access(MEMBER)`` or ``@access(needs(…))`` let through: somebody acts in a workspace."""

    tenant: TenantRef
    actor: Actor
