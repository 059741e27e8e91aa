"""The workspace's picture: taken from what was uploaded by drawing it anew, kept among the tenant's own files."""

import secrets
from functools import partial
from io import BytesIO
from typing import IO
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError

from crm.workspace.auditing import audit_note
from crm.workspace.currencies.services import settings_locked
from crm.workspace.errors import NotAllowed, WorkspaceError
from crm.workspace.storage import require_storage
from tenants.actors import Actor
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.settings import metadata_changed

MAX_BYTES = 2 * 1024 * 1024
MAX_PIXELS = 25_000_000
KINDS = ("PNG", "JPEG", "WEBP")
SIZES = (64, 256)


def file_name(tenant_id: UUID, token: str, size: int) -> str:
    return f"tenants/{tenant_id}/logo/{token}-{size}.png"


def _wrong(message: str) -> WorkspaceError:
    return WorkspaceError("bad_picture", message, field="logo")


def drawn(upload: IO[bytes]) -> dict[int, bytes]:
    """The picture as PNGs of our sizes, with nothing of the file but its pixels. Raises WorkspaceError.

    Its size is read from its head before any pixel is: a small file that unpacks to a huge picture is refused unpacked.
    """
    data = upload.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _wrong(_("This picture is too large: at most 2 MB."))
    many = _wrong(_("This picture has too many pixels: at most 25 million."))
    try:
        with Image.open(BytesIO(data), formats=KINDS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise many
            if min(picture.size) < 16:
                raise _wrong(_("This picture is too small: at least 16 by 16 pixels."))
            whole = ImageOps.exif_transpose(picture).convert("RGBA")
    except Image.DecompressionBombError:
        raise many from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        raise _wrong(_("This is not a picture that can be read. Take a PNG, JPEG or WebP.")) from None
    made = {}
    for size in SIZES:
        fitted = ImageOps.pad(whole, (size, size), color=(0, 0, 0, 0))
        out = BytesIO()
        fitted.save(out, "PNG", optimize=True)
        made[size] = out.getvalue()
    return made


def logo_set(actor: Actor, *, upload: IO[bytes] | None) -> str:
    """Take the picture, or with None none; gives what names it. The one before goes once this is certain.

    Raises WorkspaceError for what is no picture, and LimitReached without room for it."""
    if not actor.can("workspace", "settings"):
        raise NotAllowed("forbidden", _("You may not change the settings of this workspace."))
    require_writable(actor.tenant)
    pictures = {} if upload is None else drawn(upload)
    require_storage(actor.tenant, adding=sum(map(len, pictures.values())))
    token = secrets.token_hex(16) if pictures else ""
    kept = [
        default_storage.save(file_name(actor.tenant.id, token, size), ContentFile(data))
        for size, data in pictures.items()
    ]
    try:
        with transaction.atomic():
            row = settings_locked()
            before, row.logo = row.logo, token
            row.save(update_fields=["logo"])
            metadata_changed(actor.tenant)
            if before or token:
                audit_note(actor, "settings.logo_changed" if token else "settings.logo_removed")
            if before:
                transaction.on_commit(partial(_gone, actor.tenant.id, before))
    except BaseException:
        for name in kept:
            default_storage.delete(name)
        raise
    return token


def _gone(tenant_id: UUID, token: str) -> None:
    for size in SIZES:
        default_storage.delete(file_name(tenant_id, token, size))


def logo_read(tenant_id: UUID, token: str, size: int) -> bytes | None:
    name = file_name(tenant_id, token, size)
    if size not in SIZES or not default_storage.exists(name):
        return None
    with default_storage.open(name) as file:
        data: bytes = file.read()
    return data
