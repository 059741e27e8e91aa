"""Who gets into the console: operators with a second factor, and nobody else learns that it is there."""

from io import StringIO
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.urls import reverse

from console.models import AuditEntry
from tenants.accounts.two_factor import factors_drop
from tenants.db.scopes import shared
from tenants.models import Session, User
from tenants.web.access import OPERATOR, declared
from tests.console.conftest import EMAIL, client_of
from tests.isolation.routes import routes

ROUTES = [route for route in routes(settings.ROOT_URLCONF) if declared(route.view) is OPERATOR]


def paths(tenant_id: Any) -> list[str]:
    found = []
    for route in ROUTES:
        path = route.path.replace("<uuid:tenant_id>", str(tenant_id))
        for name in route.parameters - {"tenant_id"}:
            path = path.replace(f"<uuid:{name}>", str(uuid4())).replace(f"<slug:{name}>", "word")
        assert "<" not in path, path
        found.append(f"/{path}")
    return found


def same_page(answer: Any, other: Any) -> bool:
    return answer.status_code == other.status_code == 404 and b"/console/" not in answer.content


@pytest.mark.parametrize("who", ["", "owner", "reader", "outsider"])
def test_to_all_others_there_is_no_such_page(who, signed_in, public_client, tenant_a):
    client = signed_in(who) if who else public_client
    nothing = client.get("/no-such-page/")
    for path in paths(tenant_a.id):
        assert same_page(client.get(path), nothing), path
        assert same_page(client.post(path, {}), nothing), path
    with shared():
        assert not AuditEntry.objects.exists()


@pytest.mark.parametrize("who", ["", "owner", "outsider"])
@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}], ids=["a form", "htmx"])
def test_also_not_by_a_form_without_a_token(who, headers, signed_in, public_client, tenant_a):
    client = signed_in(who) if who else public_client
    client.handler.enforce_csrf_checks = True
    nothing = client.post("/no-such-page/", headers=headers)
    for path in paths(tenant_a.id):
        for method in (client.post, client.put, client.delete):
            assert same_page(method(path, headers=headers), nothing), path


def test_an_operator_is_told_that_the_form_is_out_of_date(console, tenant_a):
    console.handler.enforce_csrf_checks = True
    assert console.post(f"/console/workspaces/{tenant_a.id}/resume/", {"why": "x"}).status_code == 403


def test_a_former_operator_is_as_all_others(operator, console):
    with shared():
        User.objects.filter(pk=operator.pk).update(is_staff=False)
    assert console.get("/console/").status_code == 404


def test_without_a_second_factor_one_is_led_to_set_one_up(operator):
    with shared():
        factors_drop(operator)
    client = client_of(operator.pk, method="password")
    answer = client.get("/console/")
    assert answer["Location"] == reverse("account")
    assert "second factor" in client.get("/account/").content.decode()


def test_the_password_alone_leads_to_the_second_step(operator):
    answer = client_of(operator.pk, method="password").get("/console/")
    assert answer["Location"] == reverse("second_step")


def test_a_factor_shown_yesterday_is_asked_for_again(operator):
    answer = client_of(operator.pk, confirmed=24 * 3600).get("/console/?q=x")
    assert answer["Location"] == f"{reverse('confirm')}?next=/console/%3Fq%3Dx"


def test_no_browser_stands_for_an_operators_factor(operator, public_client, monkeypatch):
    monkeypatch.setattr("tenants.accounts.sign_in.is_trusted", lambda *_args: True)
    answer = public_client.post("/signin/", {"email": EMAIL, "password": "correct horse battery", "next": "/console/"})
    assert answer["Location"] == reverse("second_step")


def test_the_password_confirms_nothing_for_an_operator(operator):
    client = client_of(operator.pk, confirmed=24 * 3600)
    page = client.get("/account/confirm/?with=password&next=/console/").content.decode()
    assert 'name="password"' not in page
    answer = client.post("/account/confirm/", {"with": "password", "password": "correct horse battery"})
    assert answer.status_code == 422


def test_every_page_opens_for_an_operator(console, tenant_a):
    """None of them is left out of the walk: those about a thing that is not there say 404, and none fails."""
    for path in paths(tenant_a.id):
        assert console.get(path).status_code in (200, 404), path


def test_no_look_changes_anything_but_the_audit(console, tenant_a):
    """A page that is read may be fetched ahead, and by a link in a mail."""
    for path in paths(tenant_a.id):
        console.get(path)
    with shared():
        assert set(AuditEntry.objects.values_list("action", flat=True)) == {"looked"}


class TestMakingOne:
    def test_a_proven_account_becomes_one_and_is_signed_out(self, signed_in, the_cast):
        said = StringIO()
        signed_in("owner")
        call_command("operator_add", "owner@example.com", stdout=said)
        assert "second factor" in said.getvalue()
        with shared():
            assert User.objects.get(email="owner@example.com").is_staff
            assert not Session.objects.filter(user_id=the_cast.users["owner"]).exists()
            assert AuditEntry.objects.get().action == "operator_added"

    def test_and_ends_being_one(self, operator, console):
        call_command("operator_add", EMAIL, remove=True, stdout=StringIO())
        assert console.get("/console/").status_code == 404
        with shared():
            assert AuditEntry.objects.get(action="operator_removed").about == EMAIL

    def test_an_address_that_nobody_has_proven_is_refused(self, db, tenant_a):
        with pytest.raises(CommandError, match=r"nobody@example\.com"):
            call_command("operator_add", "nobody@example.com")


def test_the_way_into_the_console_is_on_an_operators_page_alone(console, signed_in):
    link = b'href="/console/"'
    page = console.get("/workspaces/")
    assert link in page.content
    assert b"You are in no workspace" not in page.content
    assert link not in signed_in("owner").get("/workspaces/?choose=1").content
