"""Whether this process could sign somebody in now."""

import secrets
from collections.abc import Callable
from functools import cache

import structlog
from django.apps import apps
from django.conf import settings
from django.core.cache import cache as store
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tenants.db.scopes import shared
from tenants.models import User

log = structlog.get_logger(__name__)


class Unready(Exception):
    """Says what is missing, without a word that a stranger should not read."""


def readiness() -> dict[str, str]:
    """The state of each part by name: ``ok``, or in a few words what is wrong with it."""
    return {"database": probe(check_users), "migrations": probe(check_migrations), "cache": probe(check_cache)}


def probe(check: Callable[[], None]) -> str:
    try:
        check()
    except Unready as error:
        return str(error)
    except Exception as error:
        log.warning("health.failed", check=check.__name__, error=f"{type(error).__name__}: {error}".strip())
        return "unreachable"
    return "ok"


def check_users() -> None:
    with shared():
        User.objects.exists()


def check_migrations() -> None:
    with shared(), connection.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        missing = expected_migrations() - set(cursor.fetchall())
    if missing:
        raise Unready(f"{len(missing)} not applied")


@cache
def expected_migrations() -> frozenset[tuple[str, str]]:
    """The shared schema's migrations in this release's code."""
    loader = MigrationLoader(None)
    return frozenset(key for key in loader.disk_migrations if key[0] in loader.migrated_apps and is_shared(key[0]))


def is_shared(label: str) -> bool:
    return apps.get_app_config(label).name in settings.SHARED_APPS


def check_cache() -> None:
    value = secrets.token_hex(4)
    store.set("health", value, 10)
    if store.get("health") is None:
        raise Unready("does not keep what it is given")
