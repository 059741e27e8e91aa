"""The connection: nothing runs on it without a scope, and the scope travels with the first statement.

A scope is a search path and a role. They are sent as one string before the first statement after a change, so that a
switch costs no round trip, and are forgotten whenever Postgres may have undone them: after a failure, after any
rollback, after a new connection.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

import psycopg2.extensions
from django.core.exceptions import SuspiciousOperation
from django.db.backends.postgresql.introspection import DatabaseIntrospection, TableInfo
from django.utils.functional import cached_property
from django_tenants.postgresql_backend.base import DatabaseWrapper as DjangoTenantsWrapper

from tenants.actors import TenantRef
from tenants.db.backend import ids
from tenants.db.database_roles import EXTENSIONS_SCHEMA, SHARED_SCHEMA, check_schema, role_of

OWNER_ALIAS = "owner"
TENANTS_PER_CONNECTION = 100
POSTGRES_VERSION = 180000


class NoScope(RuntimeError):
    """A statement was about to run without saying for whom."""


class Unstorable(SuspiciousOperation):
    """A value that somebody sent cannot be put into a statement; nobody's form sends such."""


@dataclass(frozen=True, slots=True)
class ConnectionScope:
    """Where a connection looks, and as whom. ``role`` is None for the owner, who speaks as themselves."""

    schema: str
    role: str | None
    tenant: TenantRef | None = None

    @property
    def prefix(self) -> str:
        path = f'SET search_path = "{self.schema}", {EXTENSIONS_SCHEMA}; '
        if self.role is None:
            return f"{path}SELECT '{self.schema}'::regnamespace; "
        return f'{path}SET ROLE "{self.role}"; '


class ScopedConnection(psycopg2.extensions.connection):
    wrapper: "DatabaseWrapper"


class ScopedCursor(psycopg2.extensions.cursor):
    """Says the scope before whatever it is asked to run."""

    _said = 0

    @property
    def query(self) -> bytes | None:
        """What was asked for, without the words of the scope."""
        sent: bytes | None = super().query
        return sent[self._said :] if sent and self._said else sent

    def execute(self, query: Any, vars: Any = None) -> None:
        wrapper = self.connection.wrapper  # type: ignore[attr-defined]
        self._said = 0
        scope = wrapper.unsaid_scope()
        try:
            if scope is not None:
                if self.name is not None or scope.role is None:
                    self._say(scope)
                else:
                    prefix = scope.prefix
                    self._said = len(prefix)
                    if isinstance(query, bytes):
                        query = prefix.encode() + query
                    else:
                        query = prefix + (query if isinstance(query, str) else query.as_string(self))
            super().execute(query, vars)
        except ValueError as error:
            wrapper.forget_scope()
            raise Unstorable("A text holds signs that no column can: NUL, or half a surrogate.") from error
        except BaseException:
            wrapper.forget_scope()
            raise
        if scope is not None:
            wrapper.scope_was_said(scope)

    def _say(self, scope: ConnectionScope) -> None:
        with self.connection.cursor() as cursor:
            psycopg2.extensions.cursor.execute(cursor, scope.prefix)

    def _said_first(self, run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        wrapper = self.connection.wrapper  # type: ignore[attr-defined]
        self._said = 0
        scope = wrapper.unsaid_scope()
        try:
            if scope is not None:
                self._say(scope)
                wrapper.scope_was_said(scope)
            return run(*args, **kwargs)
        except BaseException:
            wrapper.forget_scope()
            raise

    def executemany(self, query: Any, vars_list: Any) -> None:
        self._said_first(super().executemany, query, vars_list)

    def callproc(self, procname: Any, parameters: Any = None) -> Any:
        return self._said_first(super().callproc, procname, *(() if parameters is None else (parameters,)))

    def copy_from(self, *args: Any, **kwargs: Any) -> None:
        self._said_first(super().copy_from, *args, **kwargs)

    def copy_to(self, *args: Any, **kwargs: Any) -> None:
        self._said_first(super().copy_to, *args, **kwargs)

    def copy_expert(self, *args: Any, **kwargs: Any) -> None:
        self._said_first(super().copy_expert, *args, **kwargs)


class SchemaIntrospection(DatabaseIntrospection):
    """Lists the tables of the schema that the connection is in.

    Django asks of every table of all tenants whether it is visible from here, and finds those of ``ext`` too.
    """

    def get_table_list(self, cursor: Any) -> list[TableInfo]:  # type: ignore[override]
        cursor.execute(
            "SELECT relname, CASE WHEN relispartition THEN 'p' WHEN relkind IN ('m', 'v') THEN 'v' ELSE 't' END,"
            " obj_description(oid, 'pg_class') FROM pg_class"
            " WHERE relkind IN ('f', 'm', 'p', 'r', 'v') AND relnamespace = current_schema()::regnamespace"
        )
        return [TableInfo(*row) for row in cursor.fetchall()]


class DatabaseWrapper(DjangoTenantsWrapper):  # type: ignore[misc]
    """See the module. ``default`` speaks as one tenant or as the shared role, ``owner`` as the owner of all tables."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._scope: ConnectionScope | None = None
        self._said: ConnectionScope | None = None
        self._last_said: ConnectionScope | None = None
        self._bare = False
        self._made = False
        self._tenants_seen: set[str] = set()
        self.scope_switches = 0
        super().__init__(*args, **kwargs)
        self._made = True
        # django-tenants' own sets and restores the path by hand; ours already looks at one schema only.
        self.introspection = SchemaIntrospection(self)

    # The scope

    @property
    def scope(self) -> ConnectionScope | None:
        return self._scope

    def scope_for(self, schema: str, tenant: TenantRef | None = None) -> ConnectionScope:
        check_schema(schema)
        return ConnectionScope(schema, None if self.alias == OWNER_ALIAS else role_of(schema), tenant)

    def scope_enter(self, scope: ConnectionScope | None) -> ConnectionScope | None:
        """Speak in ``scope`` from now on; gives the one before, to be entered again at the end."""
        previous, self._scope = self._scope, scope
        if previous is None and scope is not None:
            self.forget_scope()
            self._recycle(scope)
        return previous

    def unsaid_scope(self) -> ConnectionScope | None:
        """The scope that must be sent before the next statement, None when it has been. Raises NoScope."""
        if self._bare:
            return None
        if self._scope is None:
            raise NoScope(
                f"No scope on the connection {self.alias!r}: enter tenant_scope(…), shared() or owner_scope(…) first."
            )
        return None if self._said == self._scope else self._scope

    def scope_was_said(self, scope: ConnectionScope) -> None:
        if self._last_said != scope:
            self.scope_switches += 1
        self._said = self._last_said = scope
        if scope.schema != SHARED_SCHEMA:
            self._tenants_seen.add(scope.schema)

    def forget_scope(self) -> None:
        self._said = None

    def switches_reset(self) -> None:
        self.scope_switches = 0
        self._last_said = None
        self.forget_scope()

    @contextmanager
    def bare(self) -> Iterator[None]:
        """For statements that touch no table: the connection's own housekeeping and savepoints."""
        previous, self._bare = self._bare, True
        try:
            yield
        finally:
            self._bare = previous

    def _recycle(self, scope: ConnectionScope) -> None:
        if self.connection is None or self.in_atomic_block or not self.get_autocommit():
            return
        full = len(self._tenants_seen) >= TENANTS_PER_CONNECTION and scope.schema not in self._tenants_seen
        if full or (self.close_at is not None and time.monotonic() >= self.close_at):
            self.close()

    # What django-tenants calls: the same state by another door

    @property
    def schema_name(self) -> str | None:
        return None if self._scope is None else self._scope.schema

    @schema_name.setter
    def schema_name(self, value: str | None) -> None:
        self._refuse(value)

    @property
    def tenant(self) -> TenantRef | None:
        return None if self._scope is None else self._scope.tenant

    @tenant.setter
    def tenant(self, value: object) -> None:
        self._refuse(value)

    def _refuse(self, value: object) -> None:
        if value is not None:
            raise NoScope("The scope of a connection is changed by tenant_scope(…) and shared() only.")

    def set_tenant(self, tenant: Any, include_public: bool = True) -> None:
        self.set_schema(tenant.schema_name)

    def set_schema(self, schema_name: str, include_public: bool = True, tenant_type: str | None = None) -> None:
        self.scope_enter(self.scope_for(schema_name))

    def set_schema_to_public(self) -> None:
        if self._made:
            self.set_schema(SHARED_SCHEMA)

    def _handle_search_path(self, cursor: Any = None) -> NoReturn:
        raise NoScope("The path is set by the cursor itself.")

    @cached_property
    def pg_version(self) -> int:
        """The server's; without one, as when migrations are written, the version that the product is made for."""
        if not self.settings_dict["NAME"]:
            return POSTGRES_VERSION
        with self.temporary_connection():
            return int(self.connection.info.server_version)

    # Postgres undoes a SET when what it was part of is rolled back

    def get_connection_params(self) -> dict[str, Any]:
        params: dict[str, Any] = super().get_connection_params()
        return params | {"connection_factory": ScopedConnection, "cursor_factory": ScopedCursor}

    def get_new_connection(self, conn_params: dict[str, Any]) -> ScopedConnection:
        connection: ScopedConnection = super().get_new_connection(conn_params)
        connection.wrapper = self
        ids.register(connection)
        self.forget_scope()
        self._tenants_seen = set()
        return connection

    def init_connection_state(self) -> None:
        with self.bare():
            super().init_connection_state()

    def _cursor(self, name: str | None = None) -> Any:
        return super(DjangoTenantsWrapper, self)._cursor(name)

    def close(self) -> None:
        self.forget_scope()
        super().close()

    def _rollback(self) -> None:
        self.forget_scope()
        super()._rollback()

    def _savepoint(self, sid: str) -> None:
        with self.bare():
            super()._savepoint(sid)

    def _savepoint_rollback(self, sid: str) -> None:
        try:
            with self.bare():
                super()._savepoint_rollback(sid)
        finally:
            self.forget_scope()

    def _savepoint_commit(self, sid: str) -> None:
        with self.bare():
            super()._savepoint_commit(sid)

    def is_usable(self) -> bool:
        with self.bare():
            return bool(super().is_usable())

    def check_constraints(self, table_names: Sequence[str] | None = None) -> None:
        with self.bare():
            super().check_constraints(table_names)
