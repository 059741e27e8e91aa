"""A tenant's schema out of the template: the SQL of the real migrations, recorded once and replayed as one string."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from django.conf import settings
from django.db import connections, transaction
from django.db.migrations.executor import MigrationExecutor

from tenants.db import grants
from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.database_roles import SHARED_SCHEMA
from tenants.db.release import app_labels, template_digest
from tenants.db.scopes import owner_scope
from tenants.models import TemplateRecording

TEMPLATE_SCHEMA = "t_000000template"
# Questions and the bookkeeping of transactions are no part of what makes a schema.
UNRECORDED = re.compile(r"\s*(SELECT|SHOW|SAVEPOINT|RELEASE|ROLLBACK|COMMIT|BEGIN)\b", re.IGNORECASE)
CONCURRENTLY = re.compile(r"^(\s*(?:CREATE|DROP)\s+(?:UNIQUE\s+)?INDEX\s+)CONCURRENTLY\s+", re.IGNORECASE)


class TemplateMissing(RuntimeError):
    """This release's template has not been recorded: ``manage.py migrate_all`` does."""


@cache
def _recording(digest: str, database: str) -> str:
    with owner_scope(SHARED_SCHEMA):
        found = TemplateRecording.objects.using(OWNER_ALIAS).filter(digest=digest).first()
    if found is None:
        raise TemplateMissing("The template of this release is not recorded; run manage.py migrate_all.")
    return found.sql


def schema_create(schema: str) -> None:
    """Make a tenant's schema and role from the template, whole or not at all. Raises TemplateMissing."""
    recording = _recording(template_digest(), str(connections[OWNER_ALIAS].settings_dict["NAME"]))
    with transaction.atomic(using=OWNER_ALIAS):
        _schema_make(schema)
        with owner_scope(schema), connections[OWNER_ALIAS].cursor() as cursor:
            cursor.execute(recording)


def schema_migrate(schema: str) -> None:
    """Bring one schema to this release by Django's own migrations, its rights included."""
    shared = schema == SHARED_SCHEMA
    labels = app_labels(settings.SHARED_APPS if shared else settings.TENANT_APPS)
    with owner_scope(schema):
        owner = connections[OWNER_ALIAS]
        executor = MigrationExecutor(owner)
        executor.loader.check_consistent_history(owner)
        executor.migrate([leaf for leaf in executor.loader.graph.leaf_nodes() if leaf[0] in labels])
        with owner.cursor() as cursor:
            if shared:
                cursor.execute(grants.shared_sql(settings.SHARED_APPEND_ONLY))
            else:
                tables = owner.introspection.table_names(cursor)
                cursor.execute(grants.tables_sql(tables, settings.APPEND_ONLY))


def schema_upgrade(schema: str) -> None:
    """Bring a tenant's schema, as some release before made it, to this one."""
    schema_migrate(schema)
    with owner_scope(schema), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute(grants.schema_again_sql(schema))


def schema_drop(schema: str) -> None:
    """Take a tenant's schema and role away; nothing when there are none."""
    with owner_scope(SHARED_SCHEMA), transaction.atomic(using=OWNER_ALIAS), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute(grants.drop_sql(schema))


def schema_exists(schema: str) -> bool:
    with owner_scope(SHARED_SCHEMA), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema])
        return cursor.fetchone() is not None


def template_record(*, anew: bool = False) -> bool:
    """Record this release's template unless it has been; True when it was done now."""
    digest = template_digest()
    with owner_scope(SHARED_SCHEMA):
        recordings = TemplateRecording.objects.using(OWNER_ALIAS)
        if not anew and recordings.filter(digest=digest).exists():
            return False
    schema_drop(TEMPLATE_SCHEMA)
    _schema_make(TEMPLATE_SCHEMA)
    said: list[str] = []
    with _recorded(said):
        schema_migrate(TEMPLATE_SCHEMA)
    with owner_scope(SHARED_SCHEMA):
        recordings.update_or_create(digest=digest, defaults={"sql": ";\n".join(said)})
    _recording.cache_clear()
    return True


def schema_make_by_migrating(schema: str) -> None:
    """The slow way that the template is compared with: an empty schema and Django's migrations."""
    _schema_make(schema)
    schema_migrate(schema)


def _schema_make(schema: str) -> None:
    with owner_scope(SHARED_SCHEMA), transaction.atomic(using=OWNER_ALIAS), connections[OWNER_ALIAS].cursor() as cursor:
        cursor.execute(grants.schema_sql(schema))


@contextmanager
def _recorded(said: list[str]) -> Iterator[None]:
    """Note every statement of the owner's connection that changes something, with its values filled in."""

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        result = execute(sql, params, many, context)
        if not UNRECORDED.match(sql):
            cursor = context["cursor"].cursor
            sent = [cursor.mogrify(sql, one) for one in params] if many else [cursor.query]
            said.extend(CONCURRENTLY.sub(r"\1", one.decode()).rstrip().rstrip(";") for one in sent)
        return result

    with connections[OWNER_ALIAS].execute_wrapper(note):
        yield
