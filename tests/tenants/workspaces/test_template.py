"""A schema from the template is the one that the migrations make, and nobody else's."""

import io
import os
import re
import subprocess

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections, transaction
from django.db.utils import ProgrammingError
from django.test.utils import CaptureQueriesContext

from crm.workspace.models import Member
from embedded.postgres import binaries
from tenants.db.database_roles import app_role, common_role, owner_role, role_of, schema_name_new, shared_role
from tenants.db.scopes import owner_scope, shared, tenant_scope
from tenants.management.commands.database_prepare import prepare
from tenants.models import Tenant
from tenants.workspaces import provisioning
from tenants.workspaces.provisioning import tenant_drop, tenant_provision
from tenants.workspaces.schema_template import schema_create, schema_drop, schema_exists, schema_make_by_migrating
from tests.registrations import anew

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    """The superuser in this worker's database."""
    url = os.environ["DATABASE_ADMIN_URL"].rpartition("/")[0]
    found = psycopg2.connect(f"{url}/{connections['default'].settings_dict['NAME']}")
    found.autocommit = True
    yield found
    found.close()


def rows(admin, query, parameters=()):
    with admin.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetchall()


def dump(schema: str) -> str:
    """pg_dump of one schema, with its own names and moments taken out."""
    url = os.environ["DATABASE_ADMIN_URL"].rpartition("/")[0]
    name = connections["default"].settings_dict["NAME"]
    told = subprocess.run(
        [binaries() / "pg_dump", f"{url}/{name}", "--schema", schema, "--inserts"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    told = told.replace(schema, "THE_SCHEMA")
    told = re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*\+00'", "'MOMENT'", told)
    return re.sub(r"(?m)^\\(un)?restrict .*$", "", told)


@pytest.mark.slow("migrates a schema from nothing")
def test_a_replayed_schema_is_the_migrated_one(owner_alias):
    replayed, migrated = schema_name_new(), schema_name_new()
    schema_create(replayed)
    schema_make_by_migrating(migrated)
    assert "CREATE TABLE THE_SCHEMA.workspace_member" in dump(replayed)
    assert "INSERT INTO THE_SCHEMA.django_migrations" in dump(replayed)
    assert dump(replayed) == dump(migrated)


def test_a_schema_is_made_in_a_few_statements(owner_alias):
    schema_create(schema_name_new())
    with CaptureQueriesContext(connections["owner"]) as asked:
        schema_create(schema_name_new())
    assert 0 < len(asked) < 20


def test_a_schema_is_made_whole_or_not_at_all(owner_alias, monkeypatch):
    from tenants.workspaces import schema_template

    schema = schema_name_new()
    monkeypatch.setattr(schema_template, "_recording", lambda *_: "CREATE TABLE half (id int); SELECT 1/0")
    with pytest.raises(Exception, match="division"):
        schema_create(schema)
    assert not schema_exists(schema)
    with owner_scope("public"), connections["owner"].cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role_of(schema)])
        assert cursor.fetchone() is None


def test_two_workspaces_share_no_key(tenant_a, tenant_b, admin):
    """An object of one, saved in the other, would otherwise stand for a row there."""

    def keys(schema: str) -> set[str]:
        tables = rows(
            admin,
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = %s AND column_name = 'id' AND table_name <> 'django_migrations'",
            [schema],
        )
        return {str(key) for (table,) in tables for (key,) in rows(admin, f'SELECT id FROM "{schema}"."{table}"')}

    of_a, of_b = keys(tenant_a.schema_name), keys(tenant_b.schema_name)
    assert of_a
    assert of_b
    assert not of_a & of_b


def test_every_key_of_a_tenants_table_is_a_uuid_by_postgres(admin, tenant_a):
    keys = rows(
        admin,
        "SELECT c.table_name, c.data_type, c.column_default FROM information_schema.table_constraints t"
        " JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name)"
        " JOIN information_schema.columns c ON c.table_schema = k.table_schema"
        " AND c.table_name = k.table_name AND c.column_name = k.column_name"
        " WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = %s AND t.table_name <> 'django_migrations'",
        [tenant_a.schema_name],
    )
    assert len(keys) > 10
    assert {(kind, default) for _table, kind, default in keys} == {("uuid", "uuidv7()")}


class TestCatalogue:
    """What Postgres itself says of rights."""

    def test_only_its_own_role_may_use_a_schema(self, admin, tenant_a, tenant_b):
        used = rows(
            admin,
            "SELECT n.nspname, r.rolname FROM pg_namespace n, pg_roles r WHERE n.nspname LIKE 't\\_%%'"
            " AND starts_with(r.rolname, %s) AND NOT r.rolsuper"
            " AND has_schema_privilege(r.oid, n.oid, 'USAGE') AND r.rolname <> %s",
            [connections["default"].settings_dict["NAME"].removeprefix("rapport_"), owner_role()],
        )
        assert {(tenant_a.schema_name, role_of(tenant_a.schema_name))} <= set(used)
        assert all(role == role_of(schema) for schema, role in used)
        assert len(used) == len({schema for schema, _role in used})

    def test_nobody_but_the_owner_may_make_anything(self, admin):
        makers = rows(
            admin,
            "SELECT DISTINCT r.rolname FROM pg_namespace n, pg_roles r WHERE NOT r.rolsuper"
            " AND n.nspname NOT LIKE 'pg\\_%%' AND has_schema_privilege(r.oid, n.oid, 'CREATE')"
            " AND starts_with(r.rolname, %s)",
            [app_role().removesuffix("_app")],
        )
        assert {role for (role,) in makers} <= {owner_role()}

    def test_the_login_role_has_nothing_by_itself(self, admin):
        (inherits, is_super, may_make) = rows(
            admin, "SELECT rolinherit, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = %s", [app_role()]
        )[0]
        assert (inherits, is_super, may_make) == (False, False, False)
        assert not rows(
            admin,
            "SELECT m.roleid::regrole FROM pg_auth_members m WHERE m.member = %s::regrole AND m.inherit_option",
            [app_role()],
        )

    def test_a_superuser_is_no_role_to_sign_in_as(self, admin, owner_alias):
        """Whoever made the roles beforehand may have meant well."""
        with admin.cursor() as cursor:
            cursor.execute(f'ALTER ROLE "{app_role()}" SUPERUSER BYPASSRLS')
        try:
            with pytest.raises(CommandError, match=f"{app_role()} may do everything"):
                call_command("migrate_all", shared=True, stdout=io.StringIO())
        finally:
            prepare(os.environ["DATABASE_ADMIN_URL"])
        assert rows(admin, "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", [app_role()]) == [
            (False, False)
        ]

    def test_no_tenant_may_take_the_common_role(self, admin, tenant_a):
        assert not rows(
            admin,
            "SELECT 1 FROM pg_auth_members WHERE member = %s::regrole AND set_option",
            [role_of(tenant_a.schema_name)],
        )

    def test_settings_cannot_be_changed_by_function_or_view(self, admin):
        (allowed,) = rows(
            admin,
            "SELECT bool_or(has_function_privilege(r.oid, 'set_config(text, text, boolean)', 'EXECUTE')"
            " OR has_table_privilege(r.oid, 'pg_settings', 'UPDATE')) FROM pg_roles r WHERE r.rolname IN %s",
            [(app_role(), shared_role(), common_role())],
        )[0]
        assert allowed is False

    def test_no_foreign_key_crosses_between_schemas(self, admin):
        assert not rows(
            admin,
            "SELECT c.conname FROM pg_constraint c JOIN pg_class a ON a.oid = c.conrelid"
            " JOIN pg_class b ON b.oid = c.confrelid WHERE c.contype = 'f' AND a.relnamespace <> b.relnamespace",
        )


class TestAppendOnly:
    def refused(self, statement: str) -> None:
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            connection.cursor().execute(statement)

    @pytest.mark.parametrize("table", ["records_event", "records_changeset"])
    def test_what_happened_is_neither_changed_nor_taken_away(self, in_tenant, table):
        self.refused(f"DELETE FROM {table}")
        self.refused(f"UPDATE {table} SET id = id")
        self.refused(f"TRUNCATE {table}")

    def test_an_event_gets_its_position(self, in_tenant):
        connection.cursor().execute("UPDATE records_event SET position = position")

    def test_the_record_of_migrations_is_the_owners(self, in_tenant):
        self.refused("DELETE FROM django_migrations")
        with shared():
            self.refused("DELETE FROM django_migrations")

    def test_into_the_wake_ups_a_tenant_only_adds_in_its_own_name(self, in_tenant):
        from django.utils import timezone

        from tenants.models import Wakeup
        from tenants.work.wakeups import wake

        wake(timezone.now(), "timers")
        with shared():
            assert Wakeup.objects.filter(role=role_of(in_tenant.schema_name)).exists()
        self.refused("SELECT role FROM public.tenants_wakeup")
        self.refused("DELETE FROM public.tenants_wakeup")
        self.refused("INSERT INTO public.tenants_wakeup (due_at, role) VALUES (now(), 'someone')")


class TestProvisioning:
    def reserved(self):
        with shared():
            return Tenant.objects.create(name="New")

    def test_goes_through_its_states_and_notes_them(self, owner_alias):
        tenant = self.reserved()
        ref = tenant_provision(tenant, None)
        assert ref.state == "active"
        with shared():
            states = list(tenant.steps.filter(kind="state").order_by("at", "id").values_list("name", flat=True))
        assert states == ["reserved → provisioning", "provisioning → active"]
        with tenant_scope(ref):
            assert Member.objects.count() == 0

    def test_goes_on_where_it_stopped(self, owner_alias, monkeypatch):
        tenant = self.reserved()
        calls: list[str] = []

        def fails_once(ref, owner):
            calls.append("call")
            if len(calls) == 1:
                raise ConnectionError

        provisioned = list(provisioning.provisioners.items())
        anew(monkeypatch, provisioning, "provisioners")
        for name, one in provisioned:
            provisioning.provisioner_register(name, one.provision, order=one.order)
        provisioning.provisioner_register("fails", fails_once, order=200)
        with pytest.raises(ConnectionError):
            tenant_provision(tenant, None)
        with shared():
            tenant.refresh_from_db()
        assert tenant.state == "provisioning"
        assert tenant_provision(tenant, None).state == "active"
        assert tenant_provision(tenant, None).state == "active"
        assert len(calls) == 2

    def test_a_dropped_workspace_leaves_no_schema_and_no_role(self, owner_alias, admin, monkeypatch):
        anew(monkeypatch, provisioning, "provisioners")
        tenant = self.reserved()
        tenant_provision(tenant, None)
        tenant_drop(tenant)
        assert tenant.state == "deleted"
        assert not rows(admin, "SELECT 1 FROM pg_namespace WHERE nspname = %s", [tenant.schema_name])
        assert not rows(admin, "SELECT 1 FROM pg_roles WHERE rolname = %s", [role_of(tenant.schema_name)])

    def test_a_deleted_workspace_does_not_come_back(self, db):
        from tenants.workspaces.provisioning import StateRefused, tenant_state_set

        with shared():
            tenant = Tenant.objects.create(name="Gone", state="deleted")
        with pytest.raises(StateRefused):
            tenant_state_set(tenant, "active")

    def test_dropping_what_is_not_there_is_nothing(self, owner_alias):
        schema_drop(schema_name_new())
