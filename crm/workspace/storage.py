"""How much of the disk a workspace's files take: pictures, exports and whatever else is kept for it."""

from pathlib import Path

from django.conf import settings

from tenants.actors import TenantRef
from tenants.workspaces.limits import LimitReached

MB = 1024 * 1024


def stored_bytes(tenant: TenantRef) -> int:
    """The size of all files of the workspace; one that goes while it is looked at counts nothing."""
    total = 0
    for place in (Path(settings.MEDIA_ROOT) / "tenants" / str(tenant.id)).rglob("*"):
        try:
            total += place.stat().st_size if place.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def in_mb(size: int) -> int:
    """Bytes in megabytes, begun ones counted whole."""
    return -(-size // MB)


def stored_mb(tenant: TenantRef) -> int:
    return in_mb(stored_bytes(tenant))


def require_storage(tenant: TenantRef, *, adding: int) -> None:
    """Raise LimitReached unless so many more bytes fit under the plan's limit."""
    most = tenant.limits.get("storage_mb")
    if most is not None and adding and (there := stored_bytes(tenant)) + adding > most * MB:
        raise LimitReached("storage_mb", most=most, used=in_mb(there))
