"""The role that signs in, when a query forgot whose it is: reads nothing, changes nothing."""

import psycopg2
import pytest
from django.db import connections
from psycopg2 import errors


@pytest.fixture
def bare(tenant_a):
    """A connection as the web server signs in, without our wrapper."""
    values = connections["default"].settings_dict
    found = psycopg2.connect(
        dbname=values["NAME"],
        user=values["USER"],
        password=values["PASSWORD"],
        host=values["HOST"],
        port=values["PORT"],
    )
    found.autocommit = True
    yield found.cursor()
    found.close()


def test_it_finds_no_table(bare):
    for table in ("workspace_member", "tenants_user", "django_migrations"):
        with pytest.raises(errors.UndefinedTable):
            bare.execute(f"SELECT * FROM {table}")


def test_it_may_read_no_table_by_its_full_name(bare, tenant_a):
    bare.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = 'public' OR schemaname LIKE 't\\_%'")
    tables = bare.fetchall()
    assert {schema for schema, _table in tables} >= {"public", tenant_a.schema_name}
    for schema, table in tables:
        with pytest.raises(errors.InsufficientPrivilege):
            bare.execute(f'SELECT * FROM "{schema}"."{table}"')


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (id int)",
        "CREATE FUNCTION public.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE ROLE mine",
        "SELECT set_config('role', 'none', false)",
        "UPDATE pg_settings SET setting = 'public' WHERE name = 'search_path'",
        "COPY (SELECT 1) TO '/tmp/stolen'",
        "SELECT pg_read_file('postgresql.conf')",
    ],
)
def test_it_may_make_and_set_nothing(bare, statement):
    with pytest.raises(errors.InsufficientPrivilege):
        bare.execute(statement)


def test_it_starts_in_utc_and_nowhere(bare):
    bare.execute("SHOW search_path")
    assert bare.fetchone() == ('""',)
    bare.execute("SHOW timezone")
    assert bare.fetchone() == ("UTC",)
