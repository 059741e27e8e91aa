"""Who may do what in the database, as SQL. Names come from tenants.db.database_roles, which checks them."""

from collections.abc import Collection, Mapping

from tenants.db.database_roles import (
    EXTENSIONS_SCHEMA,
    app_role,
    check_schema,
    common_role,
    owner_role,
    role_of,
    shared_role,
)

ROWS = "SELECT, INSERT, UPDATE, DELETE"
WAKEUPS = "tenants_wakeup"
MIGRATIONS = "django_migrations"
TICKS = 2**32
"""So many hundredths of a second, 497 days, until the name of a writer's lock comes again."""


def database_sql() -> str:
    """What the superuser says once in the installation's database; safe to repeat."""
    app, owner, shared, common = app_role(), owner_role(), shared_role(), common_role()
    return f"""
        CREATE SCHEMA IF NOT EXISTS {EXTENSIONS_SCHEMA};
        CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA {EXTENSIONS_SCHEMA};
        GRANT USAGE ON SCHEMA {EXTENSIONS_SCHEMA} TO "{owner}", "{shared}", "{common}";
        REVOKE ALL ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO "{shared}", "{common}";
        REVOKE EXECUTE ON FUNCTION pg_catalog.set_config(text, text, boolean) FROM PUBLIC;
        REVOKE UPDATE ON pg_catalog.pg_settings FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
        ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA public GRANT {ROWS} ON TABLES TO "{shared}";
        ALTER DEFAULT PRIVILEGES FOR ROLE "{owner}" IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO "{shared}";
        GRANT "{shared}" TO "{app}" WITH INHERIT FALSE, SET TRUE;
        GRANT "{common}" TO "{owner}" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;
        GRANT SELECT ON pg_catalog.pg_locks TO "{owner}";
        GRANT EXECUTE ON FUNCTION pg_catalog.pg_lock_status() TO "{owner}";
    """  # noqa: S608


def writers_sql() -> str:
    """Two functions by which readers know how far the writers of their own workspace have come (ADR 0425).

    ``writer_stamp()`` is the time of a write. It first takes, until the end of the transaction, a lock that all can
    share and that is named by the workspace and the hundredth of a second in which the transaction began.
    ``settled_until()`` is the time before which nobody else writes any more: the owner of all tables looks at the
    locks, and tells a workspace of its own alone.
    """
    fixed = "SET search_path = pg_catalog, pg_temp"
    ticks = "floor(extract(epoch FROM {}) * 100)::bigint"
    began, reached = ticks.format("now()"), ticks.format("reached")
    return f"""
        CREATE OR REPLACE FUNCTION public.writer_stamp() RETURNS timestamptz
        LANGUAGE plpgsql VOLATILE {fixed} AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock_shared(hashtext(current_user), ({began} % {TICKS} - {TICKS // 2})::integer);
            RETURN clock_timestamp();
        END $$;
        CREATE OR REPLACE FUNCTION public.settled_until() RETURNS timestamptz
        LANGUAGE plpgsql VOLATILE SECURITY DEFINER {fixed} AS $$
        DECLARE
            reached timestamptz := clock_timestamp();
            oldest bigint;
        BEGIN
            SELECT max(age) INTO oldest FROM (
                SELECT ({reached} + {TICKS // 2} - objid::bigint) & {TICKS - 1} AS age FROM pg_locks
                WHERE locktype = 'advisory' AND objsubid = 2 AND pid <> pg_backend_pid()
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                    AND classid::bigint = hashtext(current_setting('role'))::bigint & {TICKS - 1}
            ) AS writers WHERE age < {TICKS // 2};
            RETURN least(reached, to_timestamp(({reached} - oldest) / 100.0));
        END $$;
        REVOKE EXECUTE ON FUNCTION public.writer_stamp(), public.settled_until() FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION public.writer_stamp(), public.settled_until() TO "{common_role()}"
    """  # noqa: S608


def shared_sql(append_only: Collection[str]) -> str:
    """What the owner says after the shared migrations; safe to repeat. Rows of ``append_only`` stay as they are."""
    kept = ";\n".join(f'REVOKE UPDATE, DELETE ON "{table}" FROM "{shared_role()}"' for table in sorted(append_only))
    return f"""
        REVOKE ALL ON {WAKEUPS} FROM "{common_role()}";
        GRANT INSERT (due_at, work) ON {WAKEUPS} TO "{common_role()}";
        REVOKE INSERT, UPDATE, DELETE ON {MIGRATIONS} FROM "{shared_role()}";
        {writers_sql()};
        {kept};
    """


def schema_sql(schema: str) -> str:
    """What the owner says to make a tenant's schema and role, in one transaction with its tables."""
    role = role_of(check_schema(schema))
    return f"""
        CREATE ROLE "{role}" NOLOGIN;
        GRANT "{common_role()}" TO "{role}" WITH INHERIT TRUE, SET FALSE;
        GRANT "{role}" TO "{app_role()}" WITH INHERIT FALSE, SET TRUE;
        CREATE SCHEMA "{schema}";
        GRANT USAGE ON SCHEMA "{schema}" TO "{role}";
        ALTER DEFAULT PRIVILEGES IN SCHEMA "{schema}" GRANT {ROWS} ON TABLES TO "{common_role()}";
    """


def schema_again_sql(schema: str) -> str:
    """What ``schema_sql`` said otherwise in a release before; safe to repeat.

    Sequences: ``nextval`` goes by the sequence's number, past the USAGE of a schema, so that who had rights on the
    sequences of all could read and move on those of others. Keys are UUIDs and need none.
    """
    return f"""
        ALTER DEFAULT PRIVILEGES IN SCHEMA "{check_schema(schema)}" REVOKE ALL ON SEQUENCES FROM "{common_role()}";
        REVOKE ALL ON ALL SEQUENCES IN SCHEMA "{schema}" FROM "{common_role()}";
    """


def tables_sql(tables: Collection[str], append_only: Mapping[str, tuple[str, ...]]) -> str:
    """What the owner says of the tables in their path; safe to repeat."""
    common = common_role()
    said = [f'REVOKE INSERT, UPDATE, DELETE ON {MIGRATIONS} FROM "{common}"'] if MIGRATIONS in tables else []
    for table, columns in sorted(append_only.items()):
        if table in tables:
            said.append(f'REVOKE UPDATE, DELETE ON "{table}" FROM "{common}"')
            if columns:
                named = ", ".join(f'"{column}"' for column in columns)
                said.append(f'GRANT UPDATE ({named}) ON "{table}" TO "{common}"')
    return ";\n".join(said)


def drop_sql(schema: str) -> str:
    role = role_of(check_schema(schema))
    return f'DROP SCHEMA IF EXISTS "{schema}" CASCADE; DROP ROLE IF EXISTS "{role}";'
