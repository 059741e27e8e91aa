"""Sessions in the shared schema, bound to one host: the public one or one workspace's."""

import uuid
from datetime import datetime, timedelta
from typing import Any, cast

from django.contrib.auth import SESSION_KEY
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from tenants.db.scopes import shared
from tenants.models import Session

PARENT = "_parent_key"
METHOD = "_method"
"""How its user signed in: ``password``, ``passkey``, or ``password+`` and the second factor."""
DEVICE = "_device"
ADDRESS = "_address"
PASSWORD = "password"  # noqa: S105
COARSE = timedelta(minutes=10)


class SessionStore(DatabaseStore):
    """``tenant_id`` is the workspace whose host this is, None on the public host.

    A session of one host is not found on another. Store the key of the public host's session by ``hang_on``: when
    that one ends, this one does.
    """

    def __init__(self, session_key: str | None = None, tenant_id: uuid.UUID | None = None) -> None:
        super().__init__(session_key)
        self.tenant_id = tenant_id
        self.last_seen_at: datetime | None = None

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def hang_on(self, parent_key: str) -> None:
        self[PARENT] = parent_key

    def cycle_with_children(self) -> None:
        """As ``cycle_key``, but those on workspaces' hosts that hang on this one go on under its new key."""
        data, old = self._session, self.session_key  # type: ignore[attr-defined]
        self.create()
        self._session_cache = data
        self.save()
        with shared():
            hanging = list(Session.objects.filter(parent_id=old).values_list("session_key", "tenant_id"))
        for key, tenant_id in hanging:
            child = SessionStore(key, tenant_id)
            child.hang_on(str(self.session_key))
            child.save()
        self.delete(old)

    def preload(self) -> None:
        """Read the row now, so that using the session later needs no other schema."""
        if self.session_key:
            self._get_session()  # type: ignore[attr-defined]

    def _get_session_from_db(self) -> Session | None:
        now = timezone.now()
        alive = Q(parent=None) | Exists(Session.objects.filter(session_key=OuterRef("parent_id"), expire_date__gt=now))
        with shared():
            found = Session.objects.filter(
                alive, session_key=self.session_key, expire_date__gt=now, tenant_id=self.tenant_id
            ).first()
        if found is None:
            self._session_key = None
        else:
            self.last_seen_at = found.last_seen_at
        return found

    def exists(self, session_key: str) -> bool:
        with shared():
            return Session.objects.filter(session_key=session_key).exists()

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        instance = cast(Session, super().create_model_instance(data))
        instance.tenant_id = self.tenant_id
        instance.user_id = uuid.UUID(data[SESSION_KEY]) if SESSION_KEY in data else None
        instance.parent_id = data.get(PARENT)
        instance.last_seen_at = timezone.now()
        return instance

    def save(self, must_create: bool = False) -> None:
        with shared():
            super().save(must_create)

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            with shared():
                Session.objects.filter(session_key=key, tenant_id=self.tenant_id).delete()

    @classmethod
    def clear_expired(cls) -> None:
        with shared():
            Session.objects.filter(expire_date__lt=timezone.now()).delete()


def is_weak(user: AbstractBaseUser | AnonymousUser, session: SessionStore) -> bool:
    """Whether the session was had without the second factor that its user has."""
    return bool(getattr(user, "has_second_factor", False)) and session.get(METHOD, PASSWORD) == PASSWORD


def seen(session: SessionStore) -> None:
    """Note, every ten minutes, that it is in use, and with it the one that it hangs on."""
    now = timezone.now()
    if session.last_seen_at is not None and session.last_seen_at < now - COARSE:
        keys = [key for key in (session.session_key, session.get(PARENT)) if key]
        with shared():
            Session.objects.filter(session_key__in=keys).update(last_seen_at=now)
        session.last_seen_at = now
