"""Brings workspaces to this release, one after the other, while those that are at it work already."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import DatabaseError, connections

from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.database_roles import SHARED_SCHEMA
from tenants.db.release import template_digest
from tenants.db.scopes import owner_scope
from tenants.models import Tenant, is_behind
from tenants.workspaces.schema_template import schema_exists, schema_upgrade

log = structlog.get_logger(__name__)

ATTEMPTS = 3
MAX_FAILURES = 5
WITHOUT_SCHEMA = (Tenant.State.RESERVED, Tenant.State.DELETED)


class FleetStopped(Exception):
    """Workspaces could not be upgraded: ``failed`` by schema with the reason, and so many ``left`` untried."""

    def __init__(self, failed: dict[str, str], left: int) -> None:
        super().__init__(f"{len(failed)} failed, {left} were not tried")
        self.failed = failed
        self.left = left


def schemas_behind(*, every: bool = False) -> list[str]:
    """Schemas of workspaces that a release before this one made or upgraded last, the oldest workspace first."""
    with owner_scope(SHARED_SCHEMA):
        tenants = Tenant.objects.using(OWNER_ALIAS).exclude(state__in=WITHOUT_SCHEMA).order_by("created_at", "id")
        if not every:
            tenants = tenants.exclude(schema_version=template_digest())
        rows = list(tenants.values_list("schema_name", "schema_version"))
        behind = {one: every or is_behind(one, using=OWNER_ALIAS) for one in {version for _schema, version in rows}}
    return [schema for schema, version in rows if behind[version]]


def fleet_upgrade(*, every: bool = False) -> Iterator[str]:
    """Upgrade what is behind and give each schema that was; ``every`` opens also what is said to be at this release.

    The first goes alone: where it fails nothing else is tried. Raises FleetStopped at the end, or after MAX_FAILURES;
    what was upgraded stays so, and another call goes on from there.
    """
    failed: dict[str, str] = {}
    waiting = schemas_behind(every=every)
    for place, schema in enumerate(waiting, 1):
        try:
            upgraded = schema_exists(schema) and workspace_upgrade(schema, anyhow=every)
        except DatabaseError as problem:
            failed[schema] = str(problem).strip()
            log.error("workspace.not_upgraded", tenant=schema, error=failed[schema])
            if place == 1 or len(failed) == MAX_FAILURES:
                raise FleetStopped(failed, len(waiting) - place) from problem
            continue
        if upgraded:
            yield schema
    if failed:
        raise FleetStopped(failed, 0)


def workspace_upgrade(schema: str, *, anyhow: bool = False) -> bool:
    """Bring one workspace's schema to this release and note it beside the tenant; False where it was there already.

    What fails, for instance at a lock that is held too long, is tried again. Raises DatabaseError.
    """
    for attempt in range(1, ATTEMPTS):
        try:
            return _upgrade(schema, anyhow)
        except DatabaseError:
            connections[OWNER_ALIAS].close_if_unusable_or_obsolete()
            time.sleep(attempt)
    return _upgrade(schema, anyhow)


def _upgrade(schema: str, anyhow: bool) -> bool:
    with _alone(schema):
        if not anyhow and not _is_behind(schema):
            return False
        schema_upgrade(schema)
        with owner_scope(SHARED_SCHEMA):
            Tenant.objects.using(OWNER_ALIAS).filter(schema_name=schema).update(schema_version=template_digest())
        return True


def _is_behind(schema: str) -> bool:
    with owner_scope(SHARED_SCHEMA):
        version = Tenant.objects.using(OWNER_ALIAS).values_list("schema_version", flat=True).get(schema_name=schema)
        return is_behind(version, using=OWNER_ALIAS)


@contextmanager
def _alone(schema: str) -> Iterator[None]:
    """Of two processes that come to a schema at once one waits, and finds it done."""
    with owner_scope(SHARED_SCHEMA), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"upgrade {schema}"])
    try:
        yield
    finally:
        with owner_scope(SHARED_SCHEMA), connections[OWNER_ALIAS].cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [f"upgrade {schema}"])
