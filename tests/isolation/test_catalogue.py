"""What a workspace's role learns of another's rows from Postgres's own catalogue: nothing, by any view or function."""

import os
from collections.abc import Iterator

import psycopg2
import pytest
from django.db import connections
from psycopg2 import errors, sql

from tenants.db.catalogue_grants import catalogue_open
from tenants.db.database_roles import owner_role, role_of

CANARY = "Canary-of-B 4711"
ARGUMENTS = {"oid", "regclass", "name", "integer", "smallint", "boolean", "text"}
FUNCTIONS = """
    SELECT p.oid::regproc::text, array(SELECT format_type(t, NULL) FROM unnest(p.proargtypes::oid[]) t)
    FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
    AND p.pronargs BETWEEN 1 AND 4 AND has_function_privilege(p.oid, 'EXECUTE')
    AND (p.proargtypes[0] = 'oid'::regtype OR p.proargtypes[0] = 'regclass'::regtype)
"""
NO_ARGUMENTS = """
    SELECT p.oid::regproc::text FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace
    AND p.prokind = 'f' AND p.pronargs = 0 AND p.proretset AND has_function_privilege(p.oid, 'EXECUTE')
"""
COLUMNS = """
    SELECT c.oid::regclass::text, array_agg(quote_ident(a.attname) ORDER BY a.attnum)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
    AND c.relkind IN ('r', 'v', 'm', 'p', 'f') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
    GROUP BY c.oid ORDER BY 1
"""
CHANGING = {"pg_timezone_names", "pg_timezone_abbrevs"}
"""Views that say what time it is somewhere."""
OF_THE_CLUSTER = {"pg_db_role_setting", "pg_roles", "pg_user"}
"""Show the roles of the whole cluster, which tests of other workers change meanwhile; no rows of a table."""


@pytest.fixture
def admin() -> Iterator[psycopg2.extensions.connection]:
    url = os.environ["DATABASE_ADMIN_URL"].rpartition("/")[0]
    found = psycopg2.connect(f"{url}/{connections['default'].settings_dict['NAME']}")
    found.autocommit = True
    yield found
    found.close()


@pytest.fixture
def of_a(tenant_a):
    """A connection that speaks as workspace A, in its schema."""
    values = connections["default"].settings_dict
    found = psycopg2.connect(
        dbname=values["NAME"],
        user=values["USER"],
        password=values["PASSWORD"],
        host=values["HOST"],
        port=values["PORT"],
    )
    found.autocommit = True
    cursor = found.cursor()
    cursor.execute(f'SET search_path = "{tenant_a.schema_name}", ext; SET ROLE "{role_of(tenant_a.schema_name)}"')
    yield cursor
    found.close()


@pytest.fixture
def table_of_b(admin, tenant_b):
    """A table of workspace B's with the rights that every table of a workspace has."""
    cursor = admin.cursor()
    name = sql.Identifier(tenant_b.schema_name, "canary")
    cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner_role())))
    cursor.execute(sql.SQL("CREATE TABLE {} (id serial PRIMARY KEY, word text, other text)").format(name))
    statistics = sql.Identifier(tenant_b.schema_name, "canary_words")
    cursor.execute(sql.SQL("CREATE STATISTICS {} (mcv) ON word, other FROM {}").format(statistics, name))
    yield name
    cursor.execute(sql.SQL("DROP TABLE {}").format(name))


def ids_of(cursor, schema: str) -> list[int]:
    """The workspace's schema, role, and what belongs to its table."""
    cursor.execute(
        "SELECT oid FROM pg_class WHERE relnamespace = %s::regnamespace AND relname LIKE 'canary%%'"
        " UNION ALL SELECT %s::regnamespace::oid UNION ALL SELECT %s::regrole::oid"
        " UNION ALL SELECT oid FROM pg_database WHERE datname = current_database()",
        [f'"{schema}"', f'"{schema}"', f'"{role_of(schema)}"'],
    )
    return [oid for (oid,) in cursor.fetchall()]


def everything_told(cursor, schema: str) -> dict[str, list[str]]:
    """What each view and table of the catalogue shows, and what each function says of workspace B."""
    told: dict[str, list[str]] = {}
    cursor.execute(COLUMNS)
    for name, columns in cursor.fetchall():
        if name.rpartition(".")[2] in CHANGING:
            continue
        try:
            cursor.execute(f"SELECT ROW({', '.join(columns)})::text FROM {name}")
        except psycopg2.Error:
            continue
        told[name] = sorted(row for (row,) in cursor.fetchall())
    cursor.execute(NO_ARGUMENTS)
    for (name,) in cursor.fetchall():
        if not name.startswith("pg_timezone"):
            told[f"{name}()"] = answers(cursor, f"SELECT x::text FROM {name}() x", ())
    ids = ids_of(cursor, schema)
    cursor.execute(FUNCTIONS)
    for name, kinds in cursor.fetchall():
        if set(kinds) <= ARGUMENTS:
            rest = [{"boolean": "false", "text": "'main'", "name": "'word'"}.get(kind, "2") for kind in kinds[1:]]
            call = f"SELECT x::text FROM {name}({', '.join([f'%s::{kinds[0]}', *rest])}) x"
            told[f"{name}({', '.join(kinds)})"] = [said for oid in ids for said in answers(cursor, call, (oid,))]
    return told


def answers(cursor, call: str, values: tuple[int, ...]) -> list[str]:
    try:
        cursor.execute(call, values or None)
        return [str(said) for (said,) in cursor.fetchall()]
    except psycopg2.Error as refusal:
        return [type(refusal).__name__]


def test_nothing_that_it_can_read_or_call_tells_of_anothers_rows(of_a, admin, table_of_b, tenant_b):
    """Reads every catalogue view and calls every function before and after B's table is filled: all says the same.

    Once more before that, since some functions load what views then show. A second or two: there are some 200 of them.
    """
    everything_told(of_a, tenant_b.schema_name)
    before = everything_told(of_a, tenant_b.schema_name)
    assert len([name for name in before if "(" not in name]) > 100
    assert len([name for name in before if "(" in name]) > 50
    cursor = admin.cursor()
    cursor.execute(
        sql.SQL("INSERT INTO {} (word, other) SELECT %s, n::text FROM generate_series(1, 5000) n").format(table_of_b),
        [CANARY],
    )
    cursor.execute(sql.SQL("VACUUM ANALYZE {}").format(table_of_b))
    cursor.execute(
        sql.SQL("SELECT most_common_vals::text FROM pg_stats WHERE attname = 'word' AND schemaname = %s"),
        [tenant_b.schema_name],
    )
    assert CANARY in cursor.fetchone()[0]
    after = everything_told(of_a, tenant_b.schema_name)
    assert not [name for name, rows in after.items() if any(CANARY in row for row in rows)]
    assert {name: rows for name, rows in after.items() if rows != before[name] and name not in OF_THE_CLUSTER} == {}


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM pg_stats",
        "SELECT * FROM pg_stats_ext",
        "SELECT * FROM pg_stats_ext_exprs",
        "SELECT * FROM pg_statistic",
        "SELECT * FROM pg_statistic_ext_data",
        "SELECT * FROM pg_stat_activity",
        "SELECT * FROM pg_stat_user_tables",
        "SELECT * FROM pg_statio_all_tables",
        "SELECT * FROM pg_stat_database",
        "SELECT * FROM pg_locks",
        "SELECT * FROM pg_sequences",
        "SELECT * FROM pg_prepared_statements",
        "SELECT * FROM pg_largeobject",
        "SELECT * FROM pg_largeobject_metadata",
        "SELECT lo_from_bytea(0, 'kept for later')",
        "SELECT reltuples FROM pg_class",
        "SELECT relpages FROM pg_class",
        "SELECT * FROM pg_class",
        "SELECT pg_relation_size('pg_class'::regclass)",
        "SELECT pg_total_relation_size('pg_class'::regclass)",
        "SELECT pg_database_size(current_database())",
        "SELECT pg_stat_get_live_tuples('pg_class'::regclass)",
        "SELECT * FROM pg_stat_get_activity(NULL)",
        "SELECT pg_terminate_backend(1)",
    ],
)
def test_statistics_sizes_and_activity_are_refused(of_a, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        of_a.execute(statement)


def test_the_role_that_signs_in_reads_no_more_than_a_workspaces(of_a):
    of_a.execute("RESET ROLE")
    for statement in ("SELECT * FROM pg_stats", "SELECT * FROM pg_stat_activity", "SELECT reltuples FROM pg_class"):
        with pytest.raises(errors.InsufficientPrivilege):
            of_a.execute(statement)


def test_structure_stays_readable(of_a):
    of_a.execute("SELECT relname, relkind FROM pg_class WHERE relname = 'workspace_member'")
    assert of_a.fetchall()
    of_a.execute("SELECT 'workspace_member'::regclass, current_setting('server_version'), pg_backend_pid()")


def test_what_stands_open_is_told(of_a, admin):
    with admin.cursor() as cursor:
        assert catalogue_open(cursor) == []
        cursor.execute("GRANT SELECT ON pg_stats TO PUBLIC")
        try:
            assert catalogue_open(cursor) == ["pg_stats"]
        finally:
            cursor.execute("REVOKE SELECT ON pg_stats FROM PUBLIC")
