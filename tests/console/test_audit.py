"""The audit of the console: every look and step is in it, and it cannot be changed."""

import pytest
from django.db import connection
from django.db.utils import ProgrammingError

from console.models import AuditEntry
from tenants.db.scopes import shared, tenant_scope


@pytest.fixture
def looked(console, tenant_a):
    console.get(f"/console/workspaces/{tenant_a.id}/", headers={"X-Request-ID": "request-of-look"})
    with shared():
        return AuditEntry.objects.get()


def test_a_look_says_who_at_what_from_where_and_in_which_request(looked, operator, tenant_a):
    assert (looked.action, looked.tenant_id) == ("looked", tenant_a.id)
    assert (looked.operator_id, looked.operator_email) == (operator.pk, operator.email)
    assert looked.path == f"/console/workspaces/{tenant_a.id}/"
    assert (looked.request_id, looked.address) == ("request-of-look", "127.0.0.1")


def test_what_was_searched_for_is_in_it(console):
    console.get("/console/?q=owner%40example.com")
    with shared():
        assert AuditEntry.objects.get().path == "/console/?q=owner%40example.com"


def looks() -> list[str]:
    with shared():
        return list(AuditEntry.objects.filter(action="looked").order_by("id").values_list("path", flat=True))


def test_the_form_of_a_step_is_a_look_too(console, tenant_a):
    """It has more on it than a reason: the form of a visit has everybody's address."""
    path = f"/console/workspaces/{tenant_a.id}/visit/"
    assert "owner@example.com" in console.get(path).content.decode()
    assert looks() == [path]
    with shared():
        assert AuditEntry.objects.get().tenant_id == tenant_a.id


def test_so_is_one_that_comes_back_because_it_was_refused(console, tenant_a):
    path = f"/console/workspaces/{tenant_a.id}/visit/"
    assert console.post(path, {"member": "nobody"}).status_code == 422
    assert looks() == [path]


def test_a_step_that_is_done_is_noted_once(console, tenant_a):
    console.post(f"/console/workspaces/{tenant_a.id}/visit/end/", {"why": "x"})
    assert looks() == []


def test_nothing_is_shown_that_could_not_be_noted(console, monkeypatch, tenant_a):
    def full(*_args, **_values):
        raise OSError("The disk is full.")

    monkeypatch.setattr("console.models.AuditEntry.objects.create", full)
    console.raise_request_exception = False
    assert console.get(f"/console/workspaces/{tenant_a.id}/").status_code == 500


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE console_auditentry SET reason = 'another'",
        "DELETE FROM console_auditentry",
        "TRUNCATE console_auditentry",
        "ALTER TABLE console_auditentry ADD COLUMN x int",
        "DROP TABLE console_auditentry",
    ],
)
def test_the_application_cannot_change_it(looked, statement):
    with (
        shared(),
        pytest.raises(ProgrammingError, match=r"permission denied|must be owner"),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


@pytest.mark.parametrize(
    "statement", ["SELECT * FROM public.console_auditentry", "DELETE FROM public.console_auditentry"]
)
def test_a_workspace_knows_nothing_of_it(looked, tenant_a, statement):
    with tenant_scope(tenant_a), pytest.raises(ProgrammingError, match="denied"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_the_page_shows_steps_and_looks_the_newest_first(console, looked, tenant_a, operator):
    page = console.get(f"/console/audit/?tenant={tenant_a.id}").content.decode()
    assert tenant_a.name in page
    assert "request-of-look" in page
    assert "request-of-look" not in console.get("/console/audit/?steps=on").content.decode()
    assert "request-of-look" not in console.get("/console/audit/?operator=another@example.com").content.decode()


def test_it_goes_on_after_fifty(console, monkeypatch):
    monkeypatch.setattr("console.auditing.PAGE", 2)
    for word in ("first", "second", "third"):
        console.get(f"/console/?q={word}")
    page = console.get("/console/audit/").content.decode()
    assert "q=third" in page
    assert "q=first" not in page
    with shared():
        second = AuditEntry.objects.get(path="/console/?q=second")
    assert "q=first" in console.get(f"/console/audit/?before={second.pk}").content.decode()


def test_a_filter_that_is_not_understood_is_refused(console):
    assert console.get("/console/audit/?tenant=nobody").status_code == 422
