"""A workspace's address: changed, while the one before leads on for a time and stays the workspace's own."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from tenants.actors import Actor, TenantRef
from tenants.db.scopes import shared
from tenants.hooks import audit_note
from tenants.models import Domain, Tenant
from tenants.permission_checks import check
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.hosts import subdomain_host, subdomain_problem
from tenants.workspaces.subdomains import SubdomainTaken, subdomain_claim

REDIRECTS_FOR = timedelta(days=90)
MAX_ADDRESSES = 10


class AddressRefused(Exception):
    """An address that cannot be had; the text is for people."""


@dataclass(frozen=True, slots=True)
class Moved:
    """The workspace at its new address, and until when the ``old`` host leads there."""

    tenant: TenantRef
    old: str
    until: datetime


@dataclass(frozen=True, slots=True)
class OldAddress:
    host: str
    until: datetime


def old_addresses(actor: Actor) -> list[OldAddress]:
    """The hosts that lead to the workspace still."""
    with shared():
        rows = Domain.objects.filter(
            tenant_id=actor.tenant.id, is_primary=False, redirect_until__gt=timezone.now()
        ).order_by("redirect_until")
        return [OldAddress(str(one.domain), one.redirect_until) for one in rows if one.redirect_until]


def subdomain_change(actor: Actor, *, subdomain: str) -> Moved:
    """Give the workspace another subdomain. Raises PermissionDenied for who may not, AddressRefused.

    Sign-ins go on: the new host asks the public one, where the people are still signed in, by the usual hand-over. An
    address that was given up is never another workspace's; this one can take it back.
    """
    check(actor, "workspace", "settings")
    require_writable(actor.tenant)
    problem = subdomain_problem(subdomain)
    if problem:
        raise AddressRefused(problem)
    try:
        with transaction.atomic():
            with shared():
                moved = _moved(actor, subdomain)
            audit_note(
                actor,
                "settings.address_changed",
                record_id=actor.tenant.id,
                before={"address": moved.old},
                after={"address": subdomain_host(subdomain)},
            )
    except SubdomainTaken as taken:
        raise AddressRefused(str(taken)) from None
    except IntegrityError:
        raise AddressRefused(_("This address is taken.")) from None
    return moved


def _moved(actor: Actor, subdomain: str) -> Moved:
    tenant = Tenant.objects.select_for_update().get(id=actor.tenant.id)
    own = list(Domain.objects.select_for_update().filter(tenant=tenant))
    old = next(one for one in own if one.is_primary)
    host, until = subdomain_host(subdomain), timezone.now() + REDIRECTS_FOR
    if old.domain == host:
        raise AddressRefused(_("This is the address already."))
    new = next((one for one in own if one.domain == host), None)
    if new is None:
        subdomain_claim(subdomain, by=tenant.id)
    if new is None and len(own) >= MAX_ADDRESSES:
        raise AddressRefused(_("A workspace can have had %(count)d addresses at most.") % {"count": MAX_ADDRESSES})
    Domain.objects.filter(id=old.id).update(is_primary=False, redirect_until=until)
    if new is None:
        new = Domain.objects.create(tenant=tenant, domain=host, is_primary=True)
    else:
        Domain.objects.filter(id=new.id).update(is_primary=True, redirect_until=None)
    Tenant.objects.filter(id=tenant.id).update(metadata_version=F("metadata_version") + 1)
    return Moved(tenant.ref(new), str(old.domain), until)
