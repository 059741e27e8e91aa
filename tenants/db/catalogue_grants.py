"""What Postgres's own catalogue tells of rows, sizes and activity, kept from everybody but the owner. ADR 0455.

Postgres lets every role read the statistics of tables it has rights on, and the tenants' roles share theirs: without
this, one workspace reads another's most frequent names in ``pg_stats``. What stays readable tells of structure, which
is the same in every workspace.
"""

from typing import Any

from tenants.db.database_roles import owner_role

VIEWS = """
    pg_locks pg_sequences pg_cursors pg_prepared_statements pg_prepared_xacts pg_largeobject_metadata
    pg_replication_slots pg_replication_origin_status pg_backend_memory_contexts pg_shmem_allocations pg_aios
""".split()  # noqa: SIM905
"""Beside all whose names begin with ``pg_stat``, but for the definitions of extended statistics."""

FUNCTIONS = """
    pg_relation_size pg_table_size pg_indexes_size pg_total_relation_size pg_database_size pg_tablespace_size
    pg_relation_filenode pg_relation_filepath pg_filenode_relation pg_sequence_last_value pg_get_sequence_data
    pg_lock_status pg_blocking_pids pg_safe_snapshot_blocking_pids pg_isolation_test_session_is_blocked
    pg_cursor pg_prepared_statement pg_prepared_xact pg_get_backend_memory_contexts pg_get_aios
    pg_get_replication_slots pg_show_replication_origin_status pg_cancel_backend pg_terminate_backend
    pg_current_wal_lsn pg_current_wal_insert_lsn pg_current_wal_flush_lsn pg_notification_queue_usage
    loread lowrite
""".split()  # noqa: SIM905
"""Beside all whose names begin with ``pg_stat_get_`` or ``lo_``: large objects belong to no workspace."""

COUNTS = "relpages reltuples relallvisible relallfrozen relfilenode relfrozenxid relminmxid".split()  # noqa: SIM905
"""Columns of ``pg_class`` that change with what a table holds."""

NAMES = {"views": VIEWS, "functions": FUNCTIONS, "counts": COUNTS}

REVOKED_VIEWS = """
    SELECT c.oid, c.oid::regclass::text FROM pg_class c WHERE c.relnamespace = 'pg_catalog'::regnamespace
    AND c.relkind IN ('r', 'v') AND c.relname <> 'pg_statistic_ext'
    AND (c.relname LIKE 'pg\\_stat%%' OR c.relname = ANY(%(views)s))
    AND has_table_privilege('public', c.oid, 'SELECT')
"""
REVOKED_FUNCTIONS = """
    SELECT p.oid, p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
    AND (p.proname LIKE 'pg\\_stat\\_get\\_%%' OR p.proname LIKE 'lo\\_%%' OR p.proname = ANY(%(functions)s))
    AND has_function_privilege('public', p.oid, 'EXECUTE')
"""
KEPT_COLUMNS = """
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 'pg_class'::regclass AND attnum > 0 AND NOT attisdropped AND attname <> ALL(%(counts)s)
"""
COUNTS_SHOWN = "SELECT has_column_privilege('public', 'pg_class', 'reltuples', 'SELECT')"


def catalogue_close(cursor: Any) -> None:
    """Say so, as the superuser, in the installation's database; safe to repeat, and nothing where it has been said."""
    owner = owner_role()
    for query, privilege, kind in ((REVOKED_VIEWS, "SELECT", "TABLE"), (REVOKED_FUNCTIONS, "EXECUTE", "FUNCTION")):
        cursor.execute(query, NAMES)
        for _oid, name in cursor.fetchall():
            cursor.execute(f"REVOKE {privilege} ON {kind} {name} FROM PUBLIC")
            cursor.execute(f'GRANT {privilege} ON {kind} {name} TO "{owner}"')
    cursor.execute(COUNTS_SHOWN)
    if cursor.fetchone() == (True,):
        cursor.execute(KEPT_COLUMNS, NAMES)
        (columns,) = cursor.fetchone()
        cursor.execute("REVOKE SELECT ON TABLE pg_class FROM PUBLIC")
        cursor.execute(f"GRANT SELECT ({columns}) ON TABLE pg_class TO PUBLIC")
        cursor.execute(f'GRANT SELECT ON TABLE pg_class TO "{owner}"')


def catalogue_open(cursor: Any) -> list[str]:
    """What of it every role can still read or call, by name: of a start before, or where no superuser could say it."""
    found: list[str] = []
    for query in (REVOKED_VIEWS, REVOKED_FUNCTIONS):
        cursor.execute(query, NAMES)
        found += [name for _oid, name in cursor.fetchall()]
    cursor.execute(COUNTS_SHOWN)
    return [*found, "pg_class.reltuples"] if cursor.fetchone() == (True,) else found
