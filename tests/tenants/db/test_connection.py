"""The connection speaks for one tenant, or not at all."""

import io
import os
from typing import Any

import psycopg2
import pytest
from django.db import DatabaseError, IntegrityError, ProgrammingError, connections, transaction
from django.db import connection as django_connection

from crm.workspace.models import Member
from tenants.db.backend.base import TENANTS_PER_CONNECTION, ConnectionScope
from tenants.db.database_roles import role_of
from tenants.db.scopes import NoScope, current_schema, owner_scope, scope_copy, shared, tenant_scope
from tenants.models import Tenant, User

pytestmark = pytest.mark.django_db
connection: Any = django_connection


def speaks_as() -> tuple[str, str]:
    """The schema and the role that Postgres says it is now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema(), current_user")
        schema, role = cursor.fetchone()
    return schema, role


def expected(ref) -> tuple[str, str]:
    return ref.schema_name, role_of(ref.schema_name)


@pytest.mark.parametrize(
    "run",
    [
        lambda cursor: cursor.execute("SELECT 1"),
        lambda cursor: cursor.executemany("SELECT %s", [(1,)]),
        lambda cursor: cursor.callproc("now"),
        lambda cursor: cursor.copy_expert("COPY (SELECT 1) TO STDOUT", io.StringIO()),
    ],
)
def test_without_a_scope_nothing_runs(run):
    with pytest.raises(NoScope), connection.cursor() as cursor:
        run(cursor)


def test_the_drivers_own_cursor_is_guarded_too(tenant_a):
    connection.ensure_connection()
    with pytest.raises(NoScope), connection.connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    with tenant_scope(tenant_a), connection.connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        assert cursor.fetchone() == (tenant_a.schema_name,)


def test_scopes_nest_and_are_restored(tenant_a, tenant_b):
    assert current_schema() is None
    with tenant_scope(tenant_a):
        assert speaks_as() == expected(tenant_a)
        with tenant_scope(tenant_b):
            assert speaks_as() == expected(tenant_b)
            with shared():
                assert speaks_as() == ("public", role_of("public"))
            assert speaks_as() == expected(tenant_b)
        assert speaks_as() == expected(tenant_a)
    assert current_schema() is None


def test_a_failure_inside_restores_the_scope_before(tenant_a, tenant_b):
    with tenant_scope(tenant_a):
        with pytest.raises(ProgrammingError), transaction.atomic(), tenant_scope(tenant_b):
            Member.objects.raw("SELECT no_such_column FROM workspace_member")[0]
        assert speaks_as() == expected(tenant_a)


def test_a_savepoint_rolled_back_undoes_what_was_said_in_it(tenant_a, tenant_b):
    """Postgres undoes the SET; a wrapper that remembers it would go on as the other tenant."""
    with tenant_scope(tenant_a):
        assert speaks_as() == expected(tenant_a)
        sid = transaction.savepoint()
        with tenant_scope(tenant_b):
            assert speaks_as() == expected(tenant_b)
            transaction.savepoint_rollback(sid)
            assert speaks_as() == expected(tenant_b)
        assert speaks_as() == expected(tenant_a)


def test_the_same_transaction_sees_both_schemas(tenant_a):
    with tenant_scope(tenant_a), transaction.atomic():
        with shared():
            user = User.objects.create_user("in.transaction@example.com")
        Member.objects.filter(pk=user.pk).exists()
        with shared():
            assert User.objects.filter(pk=user.pk).exists()


def test_a_scope_costs_no_statement_of_its_own(tenant_a, tenant_b, django_assert_num_queries):
    with django_assert_num_queries(3) as captured:
        with tenant_scope(tenant_a):
            Member.objects.count()
        with tenant_scope(tenant_b):
            Member.objects.count()
        with shared():
            User.objects.count()
    assert all(query["sql"].startswith("SELECT COUNT") for query in captured.captured_queries)


def test_the_scope_is_said_once_while_nothing_changes(tenant_a):
    with tenant_scope(tenant_a):
        connection.switches_reset()
        for _ in range(3):
            Member.objects.count()
        assert connection.scope_switches == 1


def test_a_tenants_tables_are_not_found_in_the_shared_schema(db):
    with shared(), pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        Member.objects.count()


def test_shared_tables_are_not_found_in_a_tenant(tenant_a):
    with tenant_scope(tenant_a), pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
        User.objects.count()


@pytest.mark.parametrize("table", ["public.tenants_user", "public.tenants_session", "public.tenants_wakeup"])
def test_shared_tables_are_refused_to_a_tenant(tenant_a, table):
    with tenant_scope(tenant_a), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        User.objects.raw(f"SELECT count(*) AS id FROM {table}")[0]


def test_another_tenants_tables_are_refused_by_name(tenant_a, tenant_b):
    with tenant_scope(tenant_a), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Member.objects.raw(f"SELECT id FROM {tenant_b.schema_name}.workspace_member")[0]


def test_a_missing_schema_raises(tenant_a):
    gone = ConnectionScope("t_gone00000000", role_of(tenant_a.schema_name))
    previous = connection.scope_enter(gone)
    try:
        with pytest.raises(ProgrammingError, match="does not exist"), transaction.atomic():
            Member.objects.count()
    finally:
        connection.scope_enter(previous)


def test_a_missing_role_raises():
    previous = connection.scope_enter(connection.scope_for("t_gone00000000"))
    try:
        with pytest.raises(DatabaseError, match="does not exist"), transaction.atomic():
            Member.objects.count()
    finally:
        connection.scope_enter(previous)


def test_the_owner_does_not_work_in_a_missing_schema(owner_alias):
    with pytest.raises(DatabaseError, match="does not exist"), owner_scope("t_gone00000000"):
        connections["owner"].cursor().execute("CREATE TABLE stray (id int)")


@pytest.mark.parametrize("name", ["", "public, t_x", 't_x"; DROP', "T_ABCDEFGHIJKL", "pg_catalog", "ext", "t_short"])
def test_only_names_of_schemas_can_be_entered(name):
    with pytest.raises(ValueError, match="no schema"):
        connection.scope_for(name)


def test_django_tenants_own_doors_lead_to_the_same_state(tenant_a, tenant_b):
    with tenant_scope(tenant_a):
        connection.set_schema(tenant_b.schema_name)
        assert speaks_as() == expected(tenant_b)
        connection.set_tenant(tenant_a)
        assert speaks_as() == expected(tenant_a)
        connection.set_schema_to_public()
        assert speaks_as() == ("public", role_of("public"))
    with pytest.raises(NoScope):
        connection.schema_name = tenant_a.schema_name
    with pytest.raises(NoScope):
        connection.tenant = tenant_a
    assert scope_copy() is None


def test_with_tenant_is_refused(db):
    with pytest.raises(RuntimeError, match="tenant_scope"), Tenant(name="x"):
        pass


def test_rows_by_copy_and_named_cursors_are_the_tenants(tenant_a, tenant_b, tmp_path):
    for ref in (tenant_a, tenant_b):
        path = tmp_path / ref.schema_name
        with tenant_scope(ref):
            expected_rows = {str(pk) for pk in Member.objects.values_list("pk", flat=True)}
            with connection.cursor() as cursor, path.open("w") as output:
                connection.forget_scope()
                cursor.copy_expert("COPY workspace_member (id) TO STDOUT", output)
            connection.forget_scope()
            with connection.chunked_cursor() as cursor:
                cursor.execute("SELECT id FROM workspace_member")
                assert {str(pk) for (pk,) in cursor.fetchall()} == expected_rows
        assert set(path.read_text().split()) == expected_rows


def test_an_object_of_one_tenant_is_not_saved_in_another(tenant_a, tenant_b):
    from tenants.db.stamped import WrongSchema

    with tenant_scope(tenant_a):
        member = Member.objects.all()[0]
    with tenant_scope(tenant_b):
        for write in (member.save, member.delete, member.refresh_from_db):
            with pytest.raises(WrongSchema):
                write()
        with pytest.raises(WrongSchema):
            Member.objects.bulk_update([member], ["name"])
    with tenant_scope(tenant_a):
        member.save()


def test_one_just_made_is_stamped_too(tenant_a, tenant_b):
    from crm.workspace.models import Role
    from tenants.db.stamped import WrongSchema

    with tenant_scope(tenant_a):
        role = Role.objects.create(slug="new", name="New")
        many = Role.objects.bulk_create([Role(slug="newer", name="Newer")])
    with tenant_scope(tenant_b):
        for one in (role, *many):
            with pytest.raises(WrongSchema):
                one.save()


def test_a_wrong_row_does_not_poison_what_comes_after(tenant_a):
    with tenant_scope(tenant_a):
        member = Member.objects.all()[0]
        with pytest.raises(IntegrityError), transaction.atomic():
            Member.objects.create(user_id=member.user_id, email="x@example.com", name="x", role_id=member.role_id)
        assert speaks_as() == expected(tenant_a)


class TestRecycling:
    """On connections of its own: they are closed meanwhile."""

    @pytest.fixture
    def own(self, django_db_blocker):
        wrapper = connections.create_connection("default")
        with django_db_blocker.unblock():
            yield wrapper
            wrapper.close()

    def run(self, wrapper, ref):
        previous = wrapper.scope_enter(wrapper.scope_for(ref.schema_name))
        try:
            with wrapper.cursor() as cursor:
                cursor.execute("SELECT pg_backend_pid()")
                return cursor.fetchone()[0]
        finally:
            wrapper.scope_enter(previous)

    def test_after_a_hundred_tenants(self, own, tenant_a, tenant_b):
        first = self.run(own, tenant_a)
        own._tenants_seen |= {f"t_other{number:012}" for number in range(TENANTS_PER_CONNECTION - 1)}
        assert self.run(own, tenant_a) == first
        assert self.run(own, tenant_b) != first
        assert self.run(own, tenant_a) != first

    def test_after_its_time(self, own, tenant_a):
        first = self.run(own, tenant_a)
        own.close_at = 0
        assert self.run(own, tenant_a) != first

    def test_never_within_a_transaction(self, own, tenant_a, tenant_b):
        own.ensure_connection()
        own.set_autocommit(False)
        first = self.run(own, tenant_a)
        own.close_at = 0
        assert self.run(own, tenant_b) == first
        own.rollback()

    def test_a_connection_that_broke_comes_back_in_the_scope(self, own, tenant_a):
        first = self.run(own, tenant_a)
        with psycopg2.connect(os.environ["DATABASE_ADMIN_URL"]) as admin, admin.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        with pytest.raises(DatabaseError):
            self.run(own, tenant_a)
        own.close_if_unusable_or_obsolete()
        assert self.run(own, tenant_a) != first
