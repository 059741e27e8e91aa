"""Which host is whose, and addresses on each. Hosts are without port, lower-case."""

import re
import unicodedata
from urllib.parse import urlsplit

from django.conf import settings
from django.utils.translation import gettext as _

from tenants.actors import TenantRef
from tenants.lookalikes import asks_for_trust
from tenants.models import Tenant

SUBDOMAIN = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,38}[a-z0-9])\Z")
RESERVED = frozenset(
    """
    www api app apps admin administrator root system internal static assets cdn media files upload uploads download
    mail email smtp imap pop pop3 mx webmail autodiscover autoconfig ftp sftp ssh vpn ns ns1 ns2 ns3 dns
    status health healthz readyz metrics monitor monitoring grafana log logs
    auth login signin signup signout logout register account accounts sso oauth oidc saml id identity password
    billing pay payment payments invoice invoices checkout stripe shop store sales crm
    help support docs doc documentation blog news about contact legal privacy terms security abuse postmaster
    hostmaster webmaster noreply no-reply info office team staff
    dev test testing stage staging demo beta alpha sandbox prod production local localhost localdomain
    public ext console operator hook hooks webhook webhooks callback events queue worker cell directory
    example invalid rapport workspace workspaces tenant tenants my me you home dashboard proxy gateway edge
    wpad isatap broadcasthost
    """.split()  # noqa: SIM905
)


def public_hosts() -> frozenset[str]:
    base = settings.BASE_DOMAIN
    return frozenset({base, f"www.{base}", urlsplit(settings.PUBLIC_ORIGIN).hostname or base})


def api_host() -> str:
    return f"api.{settings.BASE_DOMAIN}"


def _with_port(host: str) -> str:
    port = urlsplit(settings.PUBLIC_ORIGIN).port
    return f"{host}:{port}" if port else host


def _origin(host: str) -> str:
    return f"{urlsplit(settings.PUBLIC_ORIGIN).scheme}://{_with_port(host)}"


def public_url(path: str = "/") -> str:
    """The address of ``path`` on the public host."""
    return f"{settings.PUBLIC_ORIGIN.rstrip('/')}{path}"


def api_url(path: str = "/") -> str:
    return _origin(api_host()) + path


def subdomain_host(subdomain: str) -> str:
    """The host of a subdomain, as a Domain keeps it: without port."""
    return f"{subdomain}.{settings.BASE_DOMAIN}"


def tenant_host(tenant: TenantRef | Tenant) -> str:
    """The workspace's host, with the port when there is one, as a browser says it."""
    ref = tenant.ref() if isinstance(tenant, Tenant) else tenant
    return _with_port(subdomain_host(ref.subdomain))


def tenant_url(tenant: TenantRef | Tenant, path: str = "/") -> str:
    ref = tenant.ref() if isinstance(tenant, Tenant) else tenant
    return _origin(subdomain_host(ref.subdomain)) + path


def split_host(value: str) -> str | None:
    """The host of a Host header, lower-case and without port; None when it is no host at all."""
    found = re.fullmatch(r"([a-zA-Z0-9.-]{1,253}|\[[0-9a-fA-F:.]{2,45}\])(?::\d{1,5})?", value)
    return found[1].lower().rstrip(".") if found else None


def subdomain_problem(name: str) -> str | None:
    """What is wrong with ``name`` as a subdomain, for people; None when nothing is. Says nothing of who has it."""
    if not name:
        return _("Choose an address.")
    if len(name) < 3 or len(name) > 40:
        return _("The address must have 3 to 40 characters.")
    if unicodedata.normalize("NFKC", name) != name or not name.isascii():
        return _("Use the letters a to z, digits and hyphens only.")
    if not SUBDOMAIN.match(name):
        return _("Use lower-case letters, digits and hyphens, with a letter or digit at both ends.")
    if "--" in name:
        return _("Two hyphens in a row are not allowed.")
    if name.isdigit():
        return _("The address needs a letter.")
    reserved = subdomain_host(name) in public_hosts() or name.startswith("xn-")
    if reserved or asks_for_trust(name, RESERVED):
        return _("This address is reserved.")
    return None
