"""A colleague leaves, or work is shared out anew: all of it, once, as one change."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import transaction

from crm.activities.models import Task
from crm.people.models import Company
from crm.records.errors import Forbidden, HolderGone, NotFound
from crm.records.jobs import jobs, ownership_transfer
from crm.records.jobs.ownership_transfer import member_hand_over, portions, records_move
from crm.records.lists.view_services import view_create
from crm.records.models import Event, Job, SavedView
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.undo import undo
from crm.sales.models import Deal, Stage
from crm.workspace.actors import actor_for_member, actor_for_user
from crm.workspace.errors import Conflict, NotAllowed, WorkspaceError
from crm.workspace.models import Member, Notification, Role, Team
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.provisioning import roles_ensure
from crm.workspace.people.team_services import team_create
from tenants.actors import Actor, TenantRef
from tests import factories
from tests.records.conftest import PATIENCE, elsewhere, until_waited_for


def of(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def everything(actor: Actor) -> dict[str, UUID]:
    return {
        record_type.slug: of(actor)
        for record_type in registry.all()
        if record_type.owner_field and not record_type.is_history
    }


def won(actor: Actor, **values: Any) -> Any:
    stage = Stage.objects.filter(kind="won").first()
    assert stage
    return factories.deal(actor, name="Won", stage=stage.pk, **values)


@pytest.fixture
def desk(seller: Actor) -> dict[str, Any]:
    """What the seller has: two open deals, a won one, a company, an open task and one that is done."""
    return {
        "deal": factories.deal(seller, name="Open", amount="100", currency="EUR"),
        "other": factories.deal(seller, name="Dollars", amount="50", currency="USD"),
        "won": won(seller, amount="70", currency="EUR"),
        "company": factories.company(seller),
        "task": factories.task(seller),
        "done": factories.task(seller, name="Done", done=True),
    }


def owners(desk: dict[str, Any]) -> dict[str, UUID]:
    found = {}
    for name, record in desk.items():
        record.refresh_from_db()
        found[name] = getattr(record, "assignee_id", None) or record.owner_id
    return found


class TestLooking:
    def test_what_is_open_is_counted_with_its_sums(self, admin: Actor, seller: Actor, desk: dict[str, Any]) -> None:
        found = {one.record_type.slug: one for one in portions(admin, of(seller))}
        assert (found["deal"].count, found["deal"].closed) == (2, 1)
        assert {currency: int(amount) for currency, amount in found["deal"].worth.sums.items()} == {
            "EUR": 100,
            "USD": 50,
        }
        assert (found["task"].count, found["task"].closed) == (1, None)
        assert found["company"].count == 1
        assert "contact" not in found

    def test_nobody_counts_what_he_cannot_give_away(
        self, seller_two: Actor, seller: Actor, reader: Actor, desk: dict[str, Any]
    ) -> None:
        assert {one.record_type.slug for one in portions(seller_two, of(seller))} == {"company"}
        assert portions(reader, of(seller)) == []


class TestLeaving:
    def test_what_is_open_goes_and_what_is_closed_stays(
        self, admin: Actor, seller: Actor, seller_two: Actor, manager: Actor, desk: dict[str, Any]
    ) -> None:
        takers = everything(seller_two) | {"task": of(manager)}
        done = member_hand_over(admin, member_id=of(seller), takers=takers)
        assert done.counts == {"deal": 2, "task": 1, "company": 1}
        assert owners(desk) == {
            "deal": of(seller_two),
            "other": of(seller_two),
            "won": of(seller),
            "company": of(seller_two),
            "task": of(manager),
            "done": of(seller),
        }
        assert not Member.objects.get(pk=of(seller)).is_active
        told = Notification.objects.get(member=of(seller_two), kind="handed_over")
        assert told.title == "Admin handed over to you from Seller: 1 company, 2 deals"
        assert Notification.objects.get(member=of(manager), kind="handed_over").title.endswith("1 task")
        kinds = set(Event.objects.filter(change_set=done.change_set).values_list("type", flat=True))
        assert kinds >= {"deal.updated", "task.updated", "company.updated", "member.deactivated"}

    def test_his_views_go_with_the_records_and_come_back_when_it_is_undone(
        self, owner: Actor, seller: Actor, seller_two: Actor, desk: dict[str, Any]
    ) -> None:
        deal, contact = registry.get("deal"), registry.get("contact")
        view, other = (view_create(seller, record_type, {"name": "Mine"}) for record_type in (deal, contact))

        def holders() -> list[UUID]:
            return [SavedView.objects.get(pk=one.pk).owner_id for one in (view, other)]

        done = member_hand_over(owner, member_id=of(seller), takers={"deal": of(seller_two)})
        assert holders() == [of(seller_two), of(seller)]
        back = undo(owner, done.change_set.pk)
        assert holders() == [of(seller), of(seller)]
        undo(owner, back.change_set.pk)
        assert holders() == [of(seller_two), of(seller)]

    def test_closed_ones_go_when_that_is_asked_for(
        self, admin: Actor, seller: Actor, seller_two: Actor, desk: dict[str, Any]
    ) -> None:
        member_hand_over(admin, member_id=of(seller), takers={"deal": of(seller_two)}, closed_too={"deal", "task"})
        assert owners(desk)["won"] == of(seller_two)
        assert owners(desk)["company"] == owners(desk)["task"] == of(seller)

    def test_reports_and_teams_are_not_left_alone(
        self, owner: Actor, manager: Actor, seller: Actor, seller_two: Actor, admin: Actor
    ) -> None:
        member_services.member_update(owner, member_id=of(manager), manager=of(admin))
        sales, north = (team_create(owner, name=name, head=of(manager)) for name in ("Sales", "North"))
        member_hand_over(owner, member_id=of(manager), takers={}, manager_id=of(seller), heads={sales.pk: of(seller)})
        assert Member.objects.get(pk=of(seller_two)).manager_id == of(seller)
        assert Member.objects.get(pk=of(seller)).manager_id == of(admin), "who takes over moves up themselves"
        assert Team.objects.get(pk=sales.pk).head_id == of(seller)
        assert Team.objects.get(pk=north.pk).head_id == of(admin), "else their own manager"

    def test_it_is_undone_as_a_whole_and_done_again(
        self, owner: Actor, manager: Actor, seller: Actor, seller_two: Actor
    ) -> None:
        deal = factories.deal(manager)
        team = team_create(owner, name="Sales", head=of(manager))
        done = member_hand_over(owner, member_id=of(manager), takers=everything(seller), manager_id=of(seller))
        back = undo(owner, done.change_set.pk)
        deal.refresh_from_db()
        assert deal.owner_id == of(manager)
        assert Member.objects.get(pk=of(manager)).is_active
        assert Member.objects.get(pk=of(seller_two)).manager_id == of(manager)
        assert Team.objects.get(pk=team.pk).head_id == of(manager)
        undo(owner, back.change_set.pk)
        deal.refresh_from_db()
        assert deal.owner_id == of(seller)
        assert not Member.objects.get(pk=of(manager)).is_active
        assert Member.objects.get(pk=of(seller_two)).manager_id == of(seller)

    @pytest.mark.parametrize("who", ["manager", "seller_two", "reader"])
    def test_only_who_may_change_members(
        self, actor_named: Callable[[str], Actor], seller: Actor, manager: Actor, who: str
    ) -> None:
        with pytest.raises(Forbidden):
            member_hand_over(actor_named(who), member_id=of(seller), takers={})
        assert Member.objects.get(pk=of(seller)).is_active

    def test_a_taker_is_another_active_member_who_may_see_it(
        self, owner: Actor, seller: Actor, seller_two: Actor, outsider: Actor, desk: dict[str, Any]
    ) -> None:
        blind = Role.objects.create(slug="blind", name="Blind", permissions={"deal": {"view": "none"}})
        member_services.member_update(owner, member_id=of(seller_two), role=blind)
        for taker in (of(seller), of(outsider), uuid4(), of(seller_two)):
            with pytest.raises(WorkspaceError):
                member_hand_over(owner, member_id=of(seller), takers={"deal": taker})
        with pytest.raises(WorkspaceError, match="somebody else than the one who leaves"):
            member_hand_over(owner, member_id=of(seller), takers={}, manager_id=of(seller))
        assert Member.objects.get(pk=of(seller)).is_active
        assert owners(desk)["deal"] == of(seller)

    def test_nobody_elsewhere_and_nobody_twice(self, owner: Actor, seller: Actor, outsider: Actor) -> None:
        with pytest.raises(NotFound):
            member_hand_over(owner, member_id=of(outsider), takers={})
        member_hand_over(owner, member_id=of(seller), takers={})
        with pytest.raises(Conflict, match="deactivated already"):
            member_hand_over(owner, member_id=of(seller), takers={})

    def test_the_last_owner_stays_and_so_does_what_he_has(self, owner: Actor, admin: Actor, seller: Actor) -> None:
        deal = factories.deal(owner)
        with pytest.raises(Conflict, match="last owner"):
            member_hand_over(owner, member_id=of(owner), takers=everything(seller))
        deal.refresh_from_db()
        assert deal.owner_id == of(owner)
        with pytest.raises(NotAllowed):
            member_hand_over(admin, member_id=of(owner), takers=everything(seller))

    def test_he_may_hand_over_himself(self, admin: Actor, seller: Actor) -> None:
        deal = factories.deal(admin)
        member_hand_over(admin, member_id=of(admin), takers=everything(seller))
        deal.refresh_from_db()
        assert deal.owner_id == of(seller)
        assert actor_for_user(admin.tenant, UUID(admin.details["user_id"])) is None


class TestMoving:
    def test_some_of_it_goes_to_another(
        self, manager: Actor, seller: Actor, seller_two: Actor, desk: dict[str, Any]
    ) -> None:
        done = records_move(manager, member_id=of(seller), takers={"deal": of(seller_two)})
        assert done.counts == {"deal": 2}
        assert owners(desk)["won"] == of(seller)
        undo(manager, done.change_set.pk)
        assert owners(desk)["deal"] == of(seller)

    def test_the_right_to_do_it_in_bulk_is_needed_and_reaches_so_far(
        self, owner: Actor, seller: Actor, seller_two: Actor, reader: Actor, desk: dict[str, Any]
    ) -> None:
        for actor in (reader, seller_two):
            with pytest.raises((Forbidden, Conflict)):
                records_move(actor, member_id=of(seller), takers={"company": of(seller_two)})
        records_move(seller, member_id=of(seller), takers={"company": of(seller_two)})
        assert owners(desk)["company"] == of(seller_two)

    def test_nothing_is_no_change(self, manager: Actor, seller: Actor, seller_two: Actor) -> None:
        with pytest.raises(Conflict, match="nothing of this"):
            records_move(manager, member_id=of(seller), takers={"contact": of(seller_two)})


class TestMany:
    def test_it_goes_on_in_the_background_and_is_undone_there(
        self, owner: Actor, seller: Actor, seller_two: Actor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from crm.records.jobs.bulk import undo_start

        monkeypatch.setattr(ownership_transfer, "BATCH_SIZE", 3)
        monkeypatch.setattr(ownership_transfer, "CHUNK", 2)
        deals = [factories.deal(seller, name=f"Deal {number}").pk for number in range(5)]
        company = factories.company(seller)
        done = member_hand_over(owner, member_id=of(seller), takers=everything(seller_two))
        assert done.job
        assert done.job.total == 6
        assert not Member.objects.get(pk=of(seller)).is_active
        taken = Deal.objects.get(pk=deals[4])
        gate.update(owner, registry.get("deal"), taken.pk, {"owner": of(owner)})
        work_off(done.job)
        assert set(Deal.objects.filter(pk__in=deals[:4]).values_list("owner", flat=True)) == {of(seller_two)}
        assert Deal.objects.get(pk=deals[4]).owner_id == of(owner), "what was shared out since is left alone"
        assert Company.objects.get(pk=company.pk).owner_id == of(seller_two)
        told = Notification.objects.get(member=of(seller_two), kind="handed_over")
        assert told.title.endswith("1 company, 4 deals")
        work_off(undo_start(owner, done.change_set.pk))
        assert Member.objects.get(pk=of(seller)).is_active
        assert set(Deal.objects.filter(pk__in=deals[:4]).values_list("owner", flat=True)) == {of(seller)}


def work_off(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(state=Job.State.RUNNING)
    tenant = owner_tenant(job)
    while jobs.step(tenant, job.pk):
        pass
    assert Job.objects.get(pk=job.pk).state == Job.State.DONE


def owner_tenant(job: Job) -> TenantRef:
    from tenants.db.scopes import current_tenant

    found = current_tenant()
    assert found is not None
    return found


# -- at the same moment ------------------------------------------------------------------------------------------------


@pytest.fixture
def people(real_tenant: TenantRef, really: Callable[[Callable[[], Any]], Any]) -> dict[str, Actor]:
    """Three who work in a workspace of their own: two owners and a seller."""

    def make() -> dict[str, Actor]:
        roles_ensure()
        made = {}
        for name, role in (("olga", "owner"), ("otto", "owner"), ("sam", "member")):
            role_row = Role.objects.get(slug=role)
            member = Member.objects.create(
                user_id=uuid4(), name=name.title(), email=f"{name}@example.com", role=role_row
            )
            actor = actor_for_user(real_tenant, member.user_id)
            assert actor
            made[name] = actor
        return made

    found: dict[str, Actor] = really(make)
    return found


@pytest.fixture
def _no_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """These people have no rows in the shared schema."""
    from tenants.accounts import services
    from tenants.workspaces import memberships

    monkeypatch.setattr(memberships, "membership_set", lambda **_values: None)
    monkeypatch.setattr(services, "sessions_end", lambda **_values: None)


@pytest.mark.usefixtures("_no_accounts")
class TestAtOnce:
    def test_two_owners_who_deactivate_each_other_leave_one(
        self, people: dict[str, Actor], real_tenant: TenantRef, really: Any
    ) -> None:
        together = threading.Barrier(2)

        def out(actor: Actor, other: Actor) -> str:
            together.wait(PATIENCE)
            try:
                member_hand_over(actor, member_id=of(other), takers={})
            except (NotAllowed, Conflict) as refused:
                return refused.code
            return "done"

        waiting = [
            elsewhere(lambda: out(people["olga"], people["otto"]), real_tenant),
            elsewhere(lambda: out(people["otto"], people["olga"]), real_tenant),
        ]
        assert sorted(wait() for wait in waiting) == ["deactivated", "done"]
        assert really(lambda: Member.objects.filter(state="active", role__slug="owner").count()) == 1

    @pytest.mark.parametrize("means", ["role", "state", "both"])
    def test_owners_who_put_each_other_out_in_any_way_leave_one(
        self, people: dict[str, Actor], real_tenant: TenantRef, really: Any, means: str
    ) -> None:
        """By role, by deactivating, or one this and one that; with a third owner in the circle."""
        really(lambda: Member.objects.filter(pk=of(people["sam"])).update(role=Role.objects.get(slug="owner")))
        names = ("olga", "otto", "sam")
        circle = really(lambda: [actor_for_member(real_tenant, of(people[one])) for one in names])
        together = threading.Barrier(3)

        def out(place: int) -> Callable[[], str]:
            actor, other = circle[place], of(circle[(place + 1) % 3])

            def work() -> str:
                together.wait(PATIENCE)
                try:
                    if means == "role" or (means == "both" and place):
                        member_services.member_update(actor, member_id=other, role="member")
                    else:
                        member_services.member_deactivate(actor, member_id=other)
                except (NotAllowed, Conflict) as refused:
                    return refused.code
                return "done"

            return work

        waiting = [elsewhere(out(place), real_tenant) for place in range(3)]
        found = [wait() for wait in waiting]
        left = really(lambda: Member.objects.filter(state="active", role__slug="owner").count())
        assert left == 3 - found.count("done") == 1, found
        assert {*found} <= {"done", "last_owner", "deactivated"}

    def test_what_he_is_writing_is_handed_over_with_the_rest(
        self, people: dict[str, Actor], real_tenant: TenantRef, really: Any
    ) -> None:
        written = threading.Event()

        def write() -> None:
            with transaction.atomic():
                gate.create(people["sam"], registry.get("company"), {"name": "Last one"})
                written.set()
                until_waited_for()

        def hand_over() -> None:
            written.wait(PATIENCE)
            member_hand_over(people["olga"], member_id=of(people["sam"]), takers={"company": of(people["otto"])})

        for wait in [elsewhere(write, real_tenant), elsewhere(hand_over, real_tenant)]:
            wait()
        assert really(lambda: Company.objects.get().owner_id) == of(people["otto"])

    @pytest.mark.parametrize("named", ["themselves", "by another"])
    def test_nothing_becomes_his_once_he_is_leaving(
        self, people: dict[str, Actor], real_tenant: TenantRef, really: Any, named: str
    ) -> None:
        """Their own request that was let in before, or somebody who gives them something at this very moment."""
        company = registry.get("company")
        made = really(lambda: gate.create(people["olga"], company, {"name": "Acme"}).id)
        leaving = threading.Event()

        def hand_over() -> None:
            with transaction.atomic():
                member_hand_over(people["olga"], member_id=of(people["sam"]), takers={"company": of(people["otto"])})
                leaving.set()
                until_waited_for()

        def write() -> str:
            leaving.wait(PATIENCE)
            try:
                if named == "themselves":
                    gate.create(people["sam"], company, {"name": "Too late"})
                else:
                    gate.update(people["olga"], company, made, {"owner": of(people["sam"])})
            except HolderGone:
                return "refused"
            return "written"

        waiting = [elsewhere(hand_over, real_tenant), elsewhere(write, real_tenant)]
        assert [wait() for wait in waiting] == [None, "refused"]
        assert not really(lambda: Company.objects.filter(owner=of(people["sam"])).exists())

    def test_a_record_that_is_being_changed_is_waited_for_without_a_deadlock(
        self, people: dict[str, Actor], real_tenant: TenantRef, really: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The writer holds the record and then needs the leaver's row; the one who deactivates needs both."""
        company, task = registry.get("company"), registry.get("task")
        made = really(lambda: gate.create(people["sam"], company, {"name": "Acme"}).id)
        held, in_vain = threading.Event(), threading.Event()

        def pause(seconds: float) -> None:
            in_vain.set()
            time.sleep(seconds)

        monkeypatch.setattr(ownership_transfer, "time", SimpleNamespace(sleep=pause))
        monkeypatch.setattr(ownership_transfer, "TRIES", 2000)

        def write() -> None:
            with transaction.atomic():
                gate.update(people["olga"], company, made, {"industry": "Glass"})
                held.set()
                in_vain.wait(PATIENCE)
                gate.create(people["olga"], task, {"name": "Call", "assignee": of(people["sam"])})

        def hand_over() -> None:
            held.wait(PATIENCE)
            takers = dict.fromkeys(("company", "task"), of(people["otto"]))
            member_hand_over(people["olga"], member_id=of(people["sam"]), takers=takers)

        for wait in [elsewhere(write, real_tenant), elsewhere(hand_over, real_tenant)]:
            wait()
        found = really(lambda: Company.objects.values_list("industry", "owner_id").get())
        assert found == ("Glass", of(people["otto"]))
        assert really(lambda: Task.objects.get().assignee_id) == of(people["otto"])

    def test_an_invitation_accepted_twice_at_once_makes_one_member(
        self, people: dict[str, Actor], real_tenant: TenantRef, robot: Actor, really: Any
    ) -> None:
        from tenants.models import User

        token = really(lambda: invitation_services.invitation_send(robot, email="new@example.com", role="member").token)
        together = threading.Barrier(3)

        def accepting(user: User) -> Callable[[], str]:
            def accept() -> str:
                together.wait(PATIENCE)
                try:
                    invitation_services.invitation_accept(real_tenant, token, user, name="Nora")
                except Conflict as refused:
                    return refused.code
                return "in"

            return accept

        nora = User(id=uuid4(), email="new@example.com")
        again = User(id=uuid4(), email="New@example.com")
        waiting = [elsewhere(accepting(user), real_tenant) for user in (nora, nora, again)]
        assert sorted(wait() for wait in waiting) == ["in", "invitation_used", "invitation_used"]
        assert really(lambda: Member.objects.filter(email="new@example.com").count()) == 1
