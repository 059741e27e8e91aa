"""Which subdomain is still to be had: none that somebody has, and none that would be taken for somebody's."""

from uuid import UUID

from django.utils.translation import gettext as _

from tenants.db.locks import advisory_lock_everywhere
from tenants.lookalikes import imitated, skeleton
from tenants.models import Domain
from tenants.workspaces.hosts import subdomain_host, subdomain_problem


class SubdomainTaken(Exception):
    """Somebody has this address or one like it, perhaps since a moment ago; the text is for people."""


def subdomain_taken(name: str, *, by_other_than: UUID | None = None) -> str | None:
    """Why the address is not free, for people; None when it is. A workspace does not stand in its own way."""
    others = Domain.objects.exclude(tenant_id=by_other_than) if by_other_than else Domain.objects.all()
    if others.filter(domain=subdomain_host(name)).exists():
        return _("This address is taken.")
    if others.filter(skeleton__in=imitated(name)).exists():
        return _("This reads like an address that somebody else has. Choose one that differs more.")
    return None


def subdomain_refusal(name: str) -> str | None:
    """Why this address cannot be had, for people; None when it can."""
    return subdomain_problem(name) or subdomain_taken(name)


def subdomain_claim(name: str, *, by: UUID | None = None) -> None:
    """Hold the address, and all that read like it, until the transaction ends. Raises SubdomainTaken."""
    advisory_lock_everywhere(f"subdomain:{skeleton(name)}")
    problem = subdomain_taken(name, by_other_than=by)
    if problem is not None:
        raise SubdomainTaken(problem)
