"""How many requests a workspace's keys may make a minute: reads and writes apart, counted in the cache."""

import time
from dataclasses import dataclass

import structlog
from django.utils.translation import gettext as _

from api.errors import ApiError
from tenants.actors import TenantRef
from tenants.db.caching import count

log = structlog.get_logger(__name__)

WINDOW = 60
DEFAULTS = {"api_reads_per_minute": 6000, "api_writes_per_minute": 3000}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left in this minute, in requests and seconds."""

    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """Headers of draft-ietf-httpapi-ratelimit-headers, in its three-header form."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
        }


def spend(tenant: TenantRef, *, write: bool) -> Allowance:
    """Count one request of whichever key. Raises ApiError 429 when the minute's allowance is used up.

    Without a cache nothing is counted: the API goes on, and the failure is logged.
    """
    name = "api_writes_per_minute" if write else "api_reads_per_minute"
    limit = int(tenant.limits.get(name, DEFAULTS[name]))
    now = time.time()
    reset = WINDOW - int(now) % WINDOW
    slot = f"api-limit:{tenant.id}:{name}:{int(now) // WINDOW}"
    try:
        used = count(slot, WINDOW * 2)
    except (OSError, ValueError) as error:
        log.warning("api.limit_not_counted", error=str(error), tenant=tenant.schema_name)
        used = 0
    allowance = Allowance(limit, max(0, limit - used), reset)
    if used > limit:
        message = _(
            "The keys of this workspace have used up the %(limit)s requests of this minute. Wait %(seconds)s seconds."
        )
        raise ApiError(
            429,
            "rate_limited",
            message % {"limit": limit, "seconds": reset},
            headers={**allowance.headers(), "Retry-After": str(reset)},
        )
    return allowance
