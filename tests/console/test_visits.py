"""Operators who come into a workspace as one of its members: how, who sees it, what they cannot do, how it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from console.models import AuditEntry
from crm.people.models import Company
from crm.records.models import ChangeSet, Event
from crm.records.schema.registry import registry
from crm.records.write.gate import change_set_new, create
from crm.workspace.actors import visitor_actor
from crm.workspace.models import Member
from crm.workspace.people.member_services import member_deactivate, member_update
from crm.workspace.permissions import POWERS, VISITOR_POWERS
from tenants.accounts.support_ends import visits_sweep
from tenants.db.scopes import shared, tenant_scope
from tenants.models import HandoverToken, Session, SupportVisit, Tenant
from tenants.workspaces.hosts import public_url, tenant_host

REASON = "The board of the customer stays empty"
SELLER = "seller@example.com"


@pytest.fixture
def mailed(celery_eager: None, django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """``with mailed() as letters:`` the mails that go out after the commit of what is done in the block."""

    @contextmanager
    def caught() -> Iterator[list[Any]]:
        mail.outbox.clear()
        with django_capture_on_commit_callbacks(execute=True):
            yield mail.outbox

    return caught


@pytest.fixture
def visiting(console: Client, tenant_a: Any, the_cast: Any) -> Callable[..., Client]:
    """``visiting(member="owner")``: the operator's browser inside workspace A, by the way that people go."""

    def go(member: str = "owner", reason: str = REASON) -> Client:
        answer = console.post(
            f"/console/workspaces/{tenant_a.id}/visit/", {"member": str(the_cast.users[member]), "reason": reason}
        )
        assert answer.status_code == 302, answer.content.decode()
        return enter(console, answer["Location"], tenant_a)

    return go


def enter(console: Client, door: str, tenant: Any) -> Client:
    inside = Client(headers={"host": tenant_host(tenant)})
    start = inside.get(path_of(door))["Location"]
    handed = console.get(start.removeprefix(public_url("")))
    if handed.status_code == 302:
        inside.get(path_of(handed["Location"]))
    return inside


def path_of(url: str) -> str:
    return "/" + url.partition("://")[2].partition("/")[2]


def audit_of(tenant: Any) -> list[tuple[str, dict[str, Any]]]:
    with tenant_scope(tenant):
        rows = Event.objects.filter(type__startswith="session.support").order_by("id")
        return list(rows.values_list("type", "after"))


class TestComingIn:
    def test_with_a_reason_as_the_member(self, visiting):
        page = visiting("seller").get("/").content.decode()
        assert "You are here for support, as seller@example.com" in page

    def test_without_reason_or_consent_nobody_comes_in(self, console, tenant_a, the_cast):
        answer = console.post(f"/console/workspaces/{tenant_a.id}/visit/", {"member": str(the_cast.users["owner"])})
        assert answer.status_code == 422
        assert "has not agreed" in answer.content.decode()
        with shared():
            assert not SupportVisit.objects.exists()

    def test_who_closed_the_window_goes_in_again(self, visiting, console, tenant_a):
        visiting("seller")
        page = console.get(f"/console/workspaces/{tenant_a.id}/").content.decode()
        door = page.partition('">Go in</a>')[0].rpartition('href="')[2]
        assert "You are here for support" in enter(console, door, tenant_a).get("/").content.decode()

    def test_with_the_members_consent_no_reason_is_needed(self, visiting, browser_client, seller):
        browser_client(seller).post("/settings/support/", {"hours": "4"})
        assert visiting("seller", reason="").get("/").status_code == 200

    def test_anothers_consent_is_none(self, console, browser_client, seller, tenant_a, the_cast):
        browser_client(seller).post("/settings/support/", {"hours": "4"})
        answer = console.post(f"/console/workspaces/{tenant_a.id}/visit/", {"member": str(the_cast.users["owner"])})
        assert answer.status_code == 422

    def test_nobody_of_another_workspace_is_visited_here(self, console, tenant_a, the_cast):
        values = {"member": str(the_cast.users["outsider"]), "reason": REASON}
        assert console.post(f"/console/workspaces/{tenant_a.id}/visit/", values).status_code == 422

    @pytest.mark.parametrize("state", ["suspended", "provisioning", "deleted"])
    def test_nobody_enters_a_workspace_out_of_service(self, console, tenant_a, the_cast, state):
        with shared():
            Tenant.objects.filter(id=tenant_a.id).update(state=state)
        values = {"member": str(the_cast.users["owner"]), "reason": REASON}
        assert console.post(f"/console/workspaces/{tenant_a.id}/visit/", values).status_code == 422

    def test_an_operator_without_a_visit_is_nobody_there(self, console, tenant_a):
        with shared():
            token = HandoverToken.objects.count()
        answer = console.get(f"/handover/{tenant_a.id}/?nonce={'0' * 64}&next=/")
        assert answer.status_code == 403
        with shared():
            assert HandoverToken.objects.count() == token

    def test_a_visit_opens_one_workspace_only(self, visiting, console, tenant_b):
        visiting()
        assert console.get(f"/handover/{tenant_b.id}/?nonce={'0' * 64}&next=/").status_code == 403

    def test_the_step_needs_the_factor_again_after_minutes(self, operator, tenant_a, the_cast):
        from tests.console.conftest import client_of

        late = client_of(operator.pk, confirmed=3600)
        answer = late.post(f"/console/workspaces/{tenant_a.id}/visit/", {"member": str(the_cast.users["owner"])})
        assert answer["Location"].startswith("/account/confirm/")


class TestBeingSeen:
    def test_every_member_is_told_on_every_page(self, visiting, browser_client, reader, operator):
        visiting()
        client = browser_client(reader)
        for path in ("/", "/companies/", "/settings/personal/"):
            assert f"Support ({operator.email}) is in this workspace" in client.get(path).content.decode()

    def test_no_other_workspace_is_told(self, visiting, browser_client, outsider):
        visiting()
        assert "is in this workspace until" not in browser_client(outsider).get("/").content.decode()

    def test_the_audits_of_both_sides_say_why(self, visiting, tenant_a, operator):
        visiting("seller")
        assert audit_of(tenant_a) == [("session.support_entered", {"operator": operator.email, "reason": REASON})]
        with shared():
            entry = AuditEntry.objects.get(action="visit_started")
        assert (entry.reason, entry.about, entry.tenant_id) == (REASON, SELLER, tenant_a.id)

    def test_the_member_reads_who_came_and_why(self, visiting, browser_client, seller, manager, owner, operator):
        visiting("seller")
        for who in (seller, owner):
            page = browser_client(who).get("/settings/support/").content.decode()
            assert operator.email in page
            assert REASON in page
            assert "not yet: " in page
        assert REASON not in browser_client(manager).get("/settings/support/").content.decode()

    def test_what_is_done_meanwhile_names_the_operator(self, visiting, tenant_a, operator):
        visiting("owner").post("/companies/new/", {"name": "Made on a visit"})
        with tenant_scope(tenant_a):
            company = Company.objects.get(name="Made on a visit")
            change = ChangeSet.objects.get(events__record_id=company.pk)
        assert change.actor_label.startswith(f"{operator.email} (support) as ")


CLOSED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("post", "/settings/members/", {"emails": "friend@example.com", "role": "admin"}),
    ("get", "/settings/roles/", {}),
    ("get", "/settings/api/", {}),
    ("get", "/settings/billing/", {}),
    ("post", "/settings/security/", {"days": "7"}),
    ("post", "/settings/security/", {"release": "1"}),
    ("post", "/settings/support/", {"hours": "4"}),
    ("post", "/settings/calendar/", {}),
    ("post", "/companies/export/", {"sort": "name"}),
)


class TestWhatIsClosed:
    @pytest.mark.parametrize(("method", "path", "values"), CLOSED, ids=[f"{how} {path}" for how, path, _more in CLOSED])
    def test_also_as_the_owner(self, visiting, method, path, values, tenant_a):
        answer = getattr(visiting("owner"), method)(path, values)
        assert answer.status_code in (403, 404, 405), (path, answer.status_code)

    def test_the_owner_may_all_of_it(self, browser_client, owner):
        """So that the test above says something."""
        client = browser_client(owner)
        for method, path, _values in CLOSED:
            if method == "get":
                assert client.get(path).status_code == 200, path

    def test_powers_are_decided_one_by_one(self, visiting, tenant_a, the_cast):
        """A power that is new is in the list, or this fails."""
        visiting("owner")
        with shared():
            visit = SupportVisit.objects.select_related("operator").get()
        with tenant_scope(tenant_a):
            actor = visitor_actor(tenant_a, visit)
        assert actor is not None
        assert {power: actor.can("workspace", power) for power in POWERS} == {
            "settings": True,
            "sample_data": True,
            "audit": True,
            "members": False,
            "roles": False,
            "api_keys": False,
            "billing": False,
            "owners": False,
        }
        assert VISITOR_POWERS.keys() == set(POWERS)

    @pytest.mark.parametrize("what", ["deactivated", "role", "with a record"])
    @pytest.mark.parametrize("who", ["visitor", "owner"])
    def test_a_change_of_members_is_undone_by_members_only(
        self, visiting, browser_client, owner, seller, tenant_a, what, who
    ):
        with tenant_scope(tenant_a):
            change = change_set_new(owner, "ui")
            if what == "with a record":
                create(owner, registry.get("company"), {"name": "With it"}, change_set=change)
            if what == "role":
                member_update(owner, member_id=seller.member_id, role="manager", change_set=change)
            else:
                member_deactivate(owner, member_id=seller.member_id, change_set=change)
            before = Member.objects.get(id=seller.member_id).snapshot()
        client = visiting("owner") if who == "visitor" else browser_client(owner)
        client.post(f"/undo/{change.pk}/", {"sure": "1"})
        client.post("/undo/last/", {"sure": "1"})
        with tenant_scope(tenant_a):
            assert (Member.objects.get(id=seller.member_id).snapshot() == before) is (who == "visitor")
            if what == "with a record":
                assert Company.objects.filter(name="With it", deleted_at=None).exists() is (who == "visitor")

    def test_no_session_is_the_members(self, visiting, the_cast, tenant_a, operator):
        visiting("owner")
        with shared():
            assert not Session.objects.filter(user_id=the_cast.users["owner"], tenant_id=tenant_a.id).exists()
            assert Session.objects.filter(user_id=operator.pk, tenant_id=tenant_a.id).count() == 1


class TestTheEnd:
    def gone(self, inside: Client) -> bool:
        return inside.get("/companies/").status_code == 302

    def test_by_itself_after_an_hour(self, visiting):
        inside = visiting()
        with shared():
            visit = SupportVisit.objects.get()
            assert visit.expires_at - visit.created_at <= timedelta(hours=1, seconds=5)
            SupportVisit.objects.update(expires_at=timezone.now())
        assert self.gone(inside)

    def test_at_once_by_the_owner(self, visiting, browser_client, owner, tenant_a):
        inside = visiting("seller")
        browser_client(owner).post("/support/end/", {"next": "/"})
        assert self.gone(inside)
        assert [type for type, _after in audit_of(tenant_a)] == ["session.support_entered", "session.support_left"]
        assert "is in this workspace until" not in browser_client(owner).get("/").content.decode()

    def test_by_the_member_as_whom(self, visiting, browser_client, seller):
        inside = visiting("seller")
        browser_client(seller).post("/support/end/")
        assert self.gone(inside)

    def test_by_no_other_member(self, visiting, browser_client, admin, reader):
        inside = visiting("seller")
        for who in (admin, reader):
            browser_client(who).post("/support/end/")
        assert not self.gone(inside)

    def test_by_nobody_of_another_workspace(self, visiting, browser_client, outsider):
        inside = visiting("seller")
        browser_client(outsider).post("/support/end/")
        assert not self.gone(inside)

    @pytest.mark.parametrize("way", ["/support/end/", "/signout/"])
    def test_by_the_operator_inside_who_stays_one(self, visiting, console, way, tenant_a):
        inside = visiting()
        page = inside.post(way).content.decode()
        assert "The visit is over" in page
        assert "signed out" not in page
        door = page.partition('">Back to the console</a>')[0].rpartition('href="')[2]
        assert door == public_url(f"/console/workspaces/{tenant_a.id}/")
        assert self.gone(inside)
        assert console.get(path_of(door)).status_code == 200

    def test_whoever_is_still_there_is_led_to_the_console(self, visiting, console, browser_client, owner, tenant_a):
        inside = visiting("seller")
        browser_client(owner).post("/support/end/")
        asked = inside.get(inside.get("/deals/")["Location"])["Location"]
        answer = console.get(path_of(asked))
        assert answer.status_code == 403
        page = answer.content.decode()
        assert f'href="/console/workspaces/{tenant_a.id}/"' in page
        assert "Ask the person who runs it" not in page

    def test_from_the_console(self, visiting, console, tenant_a):
        inside = visiting()
        console.post(f"/console/workspaces/{tenant_a.id}/visit/end/", {"why": ""})
        assert self.gone(inside)
        with shared():
            assert AuditEntry.objects.filter(action="visit_ended").count() == 1

    def test_when_the_consent_is_taken_back(self, visiting, browser_client, seller):
        browser_client(seller).post("/settings/support/", {"hours": "4"})
        inside = visiting("seller", reason="")
        browser_client(seller).post("/settings/support/", {"withdraw": "1"})
        assert self.gone(inside)

    def test_when_the_operator_is_none_any_more(self, visiting, operator):
        inside = visiting()
        with shared():
            type(operator).objects.filter(pk=operator.pk).update(is_staff=False)
        assert self.gone(inside)

    def test_when_the_member_has_left(self, visiting, seller):
        inside = visiting("seller")
        with tenant_scope(seller.tenant):
            Member.objects.filter(id=seller.member_id).update(state=Member.State.DEACTIVATED)
        assert self.gone(inside)


def ended() -> list[tuple[str, str, Any]]:
    """The ends of visits in the operators' audit: whose, as whom, by whom."""
    with shared():
        found = AuditEntry.objects.filter(action="visit_ended").order_by("id")
        return [(one.details["visitor"], one.about, one.details["by"]) for one in found]


def run_out(**by: int) -> None:
    with shared():
        SupportVisit.objects.update(expires_at=timezone.now() - timedelta(**by))


def sweep() -> int:
    with shared():
        return visits_sweep()


class TestWhatIsToldOfTheEnd:
    def test_the_console_of_an_end_by_the_owner(self, visiting, browser_client, owner, operator):
        visiting("seller")
        browser_client(owner).post("/support/end/")
        assert ended() == [(operator.email, SELLER, owner.email)]

    def test_by_the_member_as_whom(self, visiting, browser_client, seller, operator):
        visiting("seller")
        browser_client(seller).post("/support/end/")
        assert ended() == [(operator.email, SELLER, SELLER)]

    def test_by_taking_the_consent_back(self, visiting, browser_client, seller, operator):
        browser_client(seller).post("/settings/support/", {"hours": "4"})
        visiting("seller", reason="")
        browser_client(seller).post("/settings/support/", {"withdraw": "1"})
        assert ended() == [(operator.email, SELLER, SELLER)]

    @pytest.mark.parametrize("way", ["/support/end/", "/signout/"])
    def test_by_the_operator_inside(self, visiting, operator, way):
        visiting("seller").post(way)
        assert ended() == [(operator.email, SELLER, operator.email)]

    def test_from_the_console_with_the_reason_and_once(self, visiting, console, tenant_a, operator):
        visiting("seller")
        console.post(f"/console/workspaces/{tenant_a.id}/visit/end/", {"why": "Seen enough"})
        assert ended() == [(operator.email, SELLER, operator.email)]
        with shared():
            entry = AuditEntry.objects.get(action="visit_ended")
        assert (entry.reason, entry.address) == ("Seen enough", "127.0.0.1")

    def test_when_its_time_is_over(self, visiting, tenant_a, operator, browser_client, seller):
        visiting("seller")
        assert sweep() == 0
        run_out(minutes=3)
        assert sweep() == 1
        assert sweep() == 0
        assert ended() == [(operator.email, SELLER, "time")]
        assert audit_of(tenant_a)[-1] == ("session.support_left", {"operator": operator.email})
        with shared():
            visit = SupportVisit.objects.get()
            assert visit.ended_at == visit.expires_at
            assert Tenant.objects.get(id=tenant_a.id).support_by == ""
        assert "by itself" in browser_client(seller).get("/settings/support/").content.decode()

    def test_when_the_operator_is_none_any_more(self, visiting, operator):
        visiting("seller")
        with shared():
            type(operator).objects.filter(pk=operator.pk).update(is_staff=False)
        assert sweep() == 1

    def test_one_that_was_ended_is_not_ended_again(self, visiting, browser_client, owner):
        visiting("seller")
        browser_client(owner).post("/support/end/")
        run_out(minutes=3)
        assert sweep() == 0
        assert len(ended()) == 1

    @pytest.mark.parametrize("way", ["owner", "time"])
    def test_the_member_by_mail(self, visiting, browser_client, owner, operator, mailed, way):
        visiting("seller")
        with mailed() as letters:
            if way == "owner":
                browser_client(owner).post("/support/end/")
            else:
                run_out(minutes=1)
                sweep()
        [letter] = letters
        assert letter.to == [SELLER]
        for word in (operator.email, REASON, "/settings/support/"):
            assert word in letter.body

    def test_no_mail_of_what_nobody_has_proven(self, visiting, mailed, the_cast):
        from allauth.account.models import EmailAddress

        inside = visiting("seller")
        with shared():
            EmailAddress.objects.filter(user_id=the_cast.users["seller"]).update(verified=False)
        with mailed() as letters:
            inside.post("/support/end/")
        assert letters == []
