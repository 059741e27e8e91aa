"""The pages of members, teams and the audit: who may see them, what they do, what they refuse."""

import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.utils import timezone

from crm.records.errors import NotFound
from crm.records.events.audit import audit_page
from crm.records.models import ChangeSet, Event
from crm.records.write.event_store import id_from
from crm.workspace.auditing import audit_note
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.role_services import role_create, role_update
from crm.workspace.people.team_services import team_create
from crm.workspace.settings.services import holidays_add
from tenants.actors import Actor
from tests import factories


def of(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


@pytest.fixture
def team(owner: Actor, manager: Actor, seller: Actor) -> Team:
    """Sales, headed by the manager, with the seller in it and North below."""
    sales = team_create(owner, name="Sales", head=of(manager))
    team_create(owner, name="North", parent=sales)
    member_services.member_update(owner, member_id=of(seller), team=sales)
    return sales


class TestLeaving:
    def test_the_page_shows_what_is_open_and_hands_it_over(
        self, browser_client: Any, owner: Actor, seller: Actor, seller_two: Actor
    ) -> None:
        deal = factories.deal(seller, amount="1200.50", currency="EUR")
        task = factories.task(seller)
        client = browser_client(owner)
        address = f"/settings/members/{of(seller)}/leave/"
        page = text(client.get(address))
        assert "€1,200.50" in page
        assert "Manager</option>" in page
        answer = client.post(address, {"taker": str(of(seller_two)), "taker_task": "stays"}, follow=True)
        assert "Seller is deactivated. Handed over: 1 deal." in text(answer)
        deal.refresh_from_db()
        task.refresh_from_db()
        assert (deal.owner_id, task.assignee_id) == (of(seller_two), of(seller))
        undo = next(one for one in answer.context["messages"] if True).extra_tags.removeprefix("undo:")
        assert "Seller" in text(client.post(undo))
        assert not Member.objects.get(pk=of(seller)).is_active
        client.post(undo, {"sure": "yes"})
        deal.refresh_from_db()
        assert deal.owner_id == of(seller)
        assert Member.objects.get(pk=of(seller)).is_active

    def test_who_follows_him_is_asked_for(
        self, browser_client: Any, owner: Actor, manager: Actor, seller: Actor, seller_two: Actor, team: Team
    ) -> None:
        client = browser_client(owner)
        address = f"/settings/members/{of(manager)}/leave/"
        page = text(client.get(address))
        assert "New head of Sales" in page
        assert "Seller, Seller Two" in page
        values = {"taker": "", "manager": str(of(seller)), f"head_{team.pk}": str(of(seller_two))}
        assert client.post(address, values).status_code == 302
        assert Member.objects.get(pk=of(seller_two)).manager_id == of(seller)
        assert Team.objects.get(pk=team.pk).head_id == of(seller_two)

    @pytest.mark.parametrize("taker", ["nonsense", "01a20223-0000-7000-8000-000000000000", "themselves"])
    def test_a_forged_taker_is_refused(self, browser_client: Any, owner: Actor, seller: Actor, taker: str) -> None:
        factories.deal(seller)
        wanted = str(of(seller)) if taker == "themselves" else taker
        answer = browser_client(owner).post(f"/settings/members/{of(seller)}/leave/", {"taker": wanted})
        assert answer.status_code == 422
        assert Member.objects.get(pk=of(seller)).is_active

    def test_the_last_owner_is_told_why_not(self, browser_client: Any, owner: Actor) -> None:
        client, address = browser_client(owner), f"/settings/members/{of(owner)}/leave/"
        asked, answer = client.get(address), client.post(address, {"taker": ""})
        assert "last owner stays" in text(asked)
        assert "Hand over and deactivate" not in text(asked)
        assert answer.status_code == 422
        assert "last owner stays" in text(answer)

    def test_only_some_may_and_nobody_elsewhere(
        self, browser_client: Any, seller: Actor, seller_two: Actor, outsider: Actor
    ) -> None:
        address = f"/settings/members/{of(seller)}/leave/"
        assert browser_client(seller_two).get(address).status_code == 403
        assert browser_client(seller_two).post(address, {"taker": ""}).status_code == 403
        assert browser_client(outsider).get(address).status_code == 404

    def test_its_statements_do_not_grow_with_what_is_open(
        self, browser_client: Any, owner: Actor, seller: Actor, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(5):
            factories.deal(seller, name=f"Deal {number}")
            factories.task(seller, name=f"Task {number}")
        client = browser_client(owner)
        client.get("/settings/members/")
        with django_assert_max_num_queries(40):
            client.get(f"/settings/members/{of(seller)}/leave/")


class TestMoving:
    def test_a_manager_gives_a_sellers_deals_to_another(
        self, browser_client: Any, manager: Actor, seller: Actor, seller_two: Actor
    ) -> None:
        deal = factories.deal(seller)
        client = browser_client(manager)
        assert "Give some of it" in text(client.get(f"/settings/members/{of(seller)}/"))
        address = f"/settings/members/{of(seller)}/move/"
        assert client.get(address).status_code == 200
        assert client.post(address, {"taker": ""}).status_code == 422
        answer = client.post(address, {"taker": str(of(seller_two))}, follow=True)
        assert "Handed over: 1 deal." in text(answer)
        deal.refresh_from_db()
        assert deal.owner_id == of(seller_two)

    def test_who_may_change_nothing_in_bulk_finds_no_such_page(
        self, browser_client: Any, reader: Actor, seller: Actor, seller_two: Actor, outsider: Actor
    ) -> None:
        factories.company(seller)
        address = f"/settings/members/{of(seller)}/move/"
        assert browser_client(reader).get(address).status_code == 404
        assert browser_client(outsider).get(address).status_code == 404
        own_only = browser_client(seller_two)
        assert "Nothing to give away" in text(own_only.get(address))
        own_only.post(address, {"taker": str(of(seller_two))})
        assert factories.company(seller).owner_id == of(seller)


class TestMembers:
    def test_they_are_filtered(self, browser_client: Any, owner: Actor, seller_two: Actor, team: Team) -> None:
        client = browser_client(owner)
        member_services.member_deactivate(owner, member_id=of(seller_two))

        def names(query: str) -> set[str]:
            return {one.name for one in client.get(f"/settings/members/?{query}").context["page"]}

        assert names("q=sell") == {"Seller"}
        assert names("state=deactivated") == {"Seller Two"}
        assert names("q=sell&state=all") == {"Seller", "Seller Two"}
        assert names("role=read_only") == {"Reader"}
        assert names(f"team={team.pk}") == {"Seller"}
        assert "Nobody fits this" in text(client.get("/settings/members/?q=zzz"))
        for nonsense in ("role=emperor", "team=x", "state=%00", "page=99", "q=%00"):
            assert client.get(f"/settings/members/?{nonsense}").status_code == 200

    def test_a_colleague_is_seen_by_all_and_changed_by_some(
        self, browser_client: Any, owner: Actor, reader: Actor, seller: Actor, outsider: Actor, team: Team
    ) -> None:
        factories.deal(seller, amount="5.50", currency="EUR")
        address = f"/settings/members/{of(seller)}/"
        page = text(browser_client(reader).get(address))
        assert "Open with Seller" in page
        assert "€5.50" in page
        assert "Deactivate" not in page
        assert browser_client(outsider).get(address).status_code == 404
        values = {"role": "manager", "team": "", "manager": ""}
        assert browser_client(owner).post(address, values).status_code == 302
        changed = Member.objects.get(pk=of(seller))
        assert (changed.role.slug, changed.team, changed.manager) == ("manager", None, None)

    def test_what_a_role_does_not_show_is_not_counted_there(
        self, browser_client: Any, owner: Actor, reader: Actor, seller: Actor
    ) -> None:
        factories.deal(seller, name="Secret", amount="5.50", currency="EUR")
        no_deals = Role.objects.create(
            slug="no_deals", name="No deals", permissions={"*": {"view": "all"}, "deal": {"view": "none"}}
        )
        member_services.member_update(owner, member_id=of(reader), role=no_deals)
        page = text(browser_client(reader).get(f"/settings/members/{of(seller)}/"))
        assert "€5.50" not in page
        no_deals.permissions = {"*": {"view": "all"}}
        no_deals.fields = {"deal": {"amount": "hidden"}}
        no_deals.save()
        page = text(browser_client(reader).get(f"/settings/members/{of(seller)}/"))
        assert "€5.50" not in page
        assert "Deals" in page

    def test_many_are_invited_at_once_and_what_failed_stays_in_the_form(
        self, browser_client: Any, admin: Actor, team: Team
    ) -> None:
        client = browser_client(admin)
        values = {
            "emails": "a@example.com, Berta B <b@example.com>\nseller@example.com; nonsense a@example.com",
            "role": "member",
            "team": str(team.pk),
        }
        answer = client.post("/settings/members/", values)
        assert answer.status_code == 422
        assert set(Invitation.objects.values_list("email", flat=True)) == {"a@example.com", "b@example.com"}
        assert set(Invitation.objects.values_list("team__name", flat=True)) == {"Sales"}
        page = text(answer)
        assert "seller@example.com: This address belongs to a member already." in page
        assert "nonsense: That is not an email address." in page
        assert "seller@example.com\nnonsense</textarea>" in page
        assert "2 invitations are on their way." in page
        assert client.post("/settings/members/", {"emails": " , ", "role": "member"}).status_code == 422
        too_many = " ".join(f"p{number}@example.com" for number in range(51))
        assert client.post("/settings/members/", {"emails": too_many, "role": "member"}).status_code == 422


class TestTeams:
    def test_a_tree_is_made_moved_and_taken_down(self, browser_client: Any, owner: Actor, seller: Actor) -> None:
        client = browser_client(owner)
        for name in ("Sales", "North"):
            assert client.post("/settings/teams/", {"name": name}).status_code == 302
        sales, north = Team.objects.get(name="Sales"), Team.objects.get(name="North")
        address = f"/settings/teams/{north.pk}/"
        moved = {"name": "Far North", "parent": str(sales.pk), "head": str(of(seller))}
        assert client.post(address, moved).status_code == 302
        north.refresh_from_db()
        assert (north.name, north.parent_id, north.head_id) == ("Far North", sales.pk, of(seller))
        circle = client.post(f"/settings/teams/{sales.pk}/", {"name": "Sales", "parent": str(north.pk)})
        assert circle.status_code == 422
        client.post(f"{address}add/", {"member": str(of(seller))})
        assert Member.objects.get(pk=of(seller)).team_id == north.pk
        effect = text(client.get(f"/settings/teams/{sales.pk}/remove/"))
        assert "1 team is below it." in effect
        assert client.post(f"/settings/teams/{north.pk}/remove/", {"move_to": str(sales.pk)}).status_code == 302
        assert Member.objects.get(pk=of(seller)).team_id == sales.pk
        client.post(f"/settings/teams/{sales.pk}/members/{of(seller)}/remove/")
        assert Member.objects.get(pk=of(seller)).team_id is None
        assert client.post(f"/settings/teams/{sales.pk}/remove/", {"move_to": ""}).status_code == 302
        assert not Team.objects.exists()

    def test_teams_below_go_where_the_members_go(
        self, browser_client: Any, owner: Actor, seller: Actor, team: Team
    ) -> None:
        other = team_create(owner, name="Service")
        browser_client(owner).post(f"/settings/teams/{team.pk}/remove/", {"move_to": str(other.pk)})
        assert Team.objects.get(name="North").parent_id == other.pk
        assert Member.objects.get(pk=of(seller)).team_id == other.pk

    def test_all_may_look_and_some_may_change(
        self, browser_client: Any, reader: Actor, owner: Actor, seller_two: Actor, outsider: Actor, team: Team
    ) -> None:
        looking = browser_client(reader)
        assert "Sales" in text(looking.get("/settings/teams/"))
        assert "Add the team" not in text(looking.get("/settings/teams/"))
        assert looking.get(f"/settings/teams/{team.pk}/").status_code == 200
        before = Event.objects.count()
        for path, values in {
            "": {"name": "Mine"},
            f"{team.pk}/": {"name": "Mine"},
            f"{team.pk}/add/": {"member": str(of(seller_two))},
            f"{team.pk}/remove/": {"move_to": ""},
        }.items():
            assert looking.post(f"/settings/teams/{path}", values).status_code == 403
        assert Event.objects.count() == before
        elsewhere = browser_client(outsider)
        for path in ("", "add/", "remove/"):
            assert elsewhere.post(f"/settings/teams/{team.pk}/{path}", {"name": "Mine"}).status_code == 404
        client = browser_client(owner)
        assert client.get(f"/settings/teams/{uuid4()}/").status_code == 404
        for bad in ({"name": ""}, {"name": "x" * 81}, {"name": "Sales", "parent": "x"}, {"name": "a", "head": "x"}):
            assert client.post("/settings/teams/", bad).status_code == 422
        assert client.post(f"/settings/teams/{team.pk}/add/", {"member": "x"}).status_code == 422


class TestAudit:
    def test_it_tells_who_did_what(self, browser_client: Any, owner: Actor, admin: Actor, seller: Actor) -> None:
        member_services.member_update(owner, member_id=of(seller), role="manager")
        invitation_services.invitation_send(admin, email="new@example.com", role="member")
        client = browser_client(admin)
        page = text(client.get("/settings/audit/"))
        assert "Member → Manager" in page
        assert "new@example.com" in page
        only = text(client.get(f"/settings/audit/?member={of(owner)}"))
        assert "Member → Manager" in only
        assert "new@example.com" not in only
        assert "Member → Manager" not in text(client.get("/settings/audit/?kind=invitations"))
        today = timezone.localdate()
        assert "new@example.com" in text(client.get(f"/settings/audit/?since={today}&until={today}"))
        yesterday = today - timedelta(days=1)
        assert "new@example.com" not in text(client.get(f"/settings/audit/?until={yesterday}"))

    @pytest.mark.parametrize("who", ["manager", "seller", "reader"])
    def test_for_others_there_is_no_such_page_and_no_such_event(
        self, browser_client: Any, actor_named: Callable[[str], Actor], admin: Actor, api: Any, who: str
    ) -> None:
        from crm.records.events.dispatch import drain

        audit_note(admin, "export.finished", after={"name": "everything"})
        drain(admin.tenant)
        actor = actor_named(who)
        assert browser_client(actor).get("/settings/audit/").status_code == 404
        with pytest.raises(NotFound):
            audit_page(actor)
        assert "export.finished" not in text(api(actor).get("/api/v1/events?limit=500"))

    def test_many_holidays_are_told_as_their_number_and_span(self, owner: Actor) -> None:
        first = date(2027, 1, 1)
        holidays_add(owner, days=[(first + timedelta(days=30 * number), f"Day {number}") for number in range(12)])
        holidays_add(owner, days=[(date(2028, 1, 1), "New Year")])
        one, many = audit_page(owner, kind="settings", limit=2).entries
        assert [fact.after for fact in one.facts] == ["New Year"]
        assert [fact.after for fact in many.facts] == ["12, from Jan 1, 2027 to Nov 27, 2027"]

    def test_what_is_too_long_ends_in_a_mark(self, owner: Actor) -> None:
        audit_note(owner, "export.finished", after={"columns": ["expected_close"] * 40})
        [fact] = audit_page(owner, kind="exports", limit=1).entries[0].facts
        assert (len(fact.after) <= 160, fact.after[-1]) == (True, "…")

    def test_an_invitation_is_told_in_words_and_its_address_once(self, owner: Actor) -> None:
        invitation_services.invitation_send(owner, email="new@example.com", role="member")
        (entry,) = audit_page(owner, kind="invitations").entries
        told = {fact.label: fact.after for fact in entry.facts}
        assert (entry.whom, set(told)) == ("new@example.com", {"Role", "Ends"})
        assert re.fullmatch(r"\w+ \d+, \d{4}, \d+:\d\d.[AP]M", told["Ends"])

    def test_many_scopes_of_a_key_are_counted_and_unfold(self, owner: Actor, browser_client: Any) -> None:
        scopes = [f"{noun}:read" for noun in ("call", "company", "contact", "deal", "email")]
        audit_note(owner, "api_key.created", after={"name": "Sync", "scopes": scopes})
        audit_note(owner, "api_key.created", after={"name": "Small", "scopes": scopes[:2]})
        few, many = audit_page(owner, kind="keys", limit=2).entries
        assert [fact.after for fact in few.facts] == ["call:read, company:read"]
        assert [(fact.after, list(fact.items)) for fact in many.facts] == [("5 scopes", scopes)]
        page = text(browser_client(owner).get("/settings/audit/?kind=keys"))
        assert "<summary>5 scopes</summary><ul><li>call:read</li>" in page

    def test_rights_of_a_role_are_told_in_words_and_only_what_is_different(self, owner: Actor) -> None:
        rights = {"deal": {"view": "team", "create": "own"}, "workspace": {"members": "all"}}
        role = role_create(owner, name="Scout", permissions=rights, fields={"deal": {"amount": "hidden"}})
        rights["deal"]["view"] = "all"
        role_update(owner, role_id=role.id, name="Scout", permissions=rights, fields={})
        changed, made = audit_page(owner, kind="roles", limit=2).entries
        told = {fact.label: list(fact.items) for fact in made.facts}
        assert "Deals · View: Team, Add: Own" in told["Rights"]
        assert "Workspace · Members, teams and invitations: All" in told["Rights"]
        assert told["Fields"] == ["Deals · Amount: Hidden"]
        told = {fact.label: list(fact.items) for fact in changed.facts}
        assert told == {"Rights": ["Deals · View: Team → All"], "Fields": ["Deals · Amount: Hidden → As the record"]}

    def test_another_workspaces_audit_is_its_own(self, browser_client: Any, admin: Actor, outsider: Actor) -> None:
        audit_note(admin, "export.finished", after={"name": "Kanarienvogel"})
        page = browser_client(outsider).get("/settings/audit/")
        assert page.status_code == 200
        assert "Kanarienvogel" not in text(page)

    @pytest.mark.parametrize(
        "query", ["member=x", "kind=x", "since=x", "until=9999-12-31", "since=0001-01-01", "before=x", "until=%00"]
    )
    def test_nonsense_is_no_failure(self, browser_client: Any, owner: Actor, query: str) -> None:
        assert browser_client(owner).get(f"/settings/audit/?{query}").status_code in (200, 422)

    def test_pages_follow_each_other_without_gap_or_repeat(self, browser_client: Any, owner: Actor) -> None:
        for number in range(120):
            audit_note(owner, "export.finished", after={"name": f"export {number}"})
        seen: list[UUID] = []
        before = None
        while True:
            page = audit_page(owner, kind="exports", before=before)
            seen += [entry.id for entry in page.entries]
            before = page.next
            if before is None:
                break
        assert len(seen) == len(set(seen)) == 120
        assert seen == sorted(seen, reverse=True)
        rows = browser_client(owner).get(f"/settings/audit/?before={seen[49]}", headers={"HX-Request": "true"})
        assert "<html" not in text(rows)

    def test_an_id_is_compared_with_a_moment(self, owner: Actor) -> None:
        before = timezone.now() - timedelta(milliseconds=50)
        audit_note(owner, "export.finished")
        made = Event.objects.latest("id").pk
        assert id_from(before) < made < id_from(timezone.now() + timedelta(milliseconds=50))

    def test_a_hundred_thousand_are_read_by_the_index(self, owner: Actor) -> None:
        """The plan of a page walks the index of audited events and sorts nothing."""
        change = ChangeSet.objects.create(actor_kind="member", source="ui", actor_label="Robot")
        Event.objects.bulk_create(
            [
                Event(change_set=change, type="session.started", record_type="session", record_id=of(owner))
                for _number in range(2000)
            ]
            + [
                Event(change_set=change, type="deal.updated", record_type="deal", record_id=of(owner))
                for _number in range(2000)
            ]
        )
        from crm.workspace.auditing import AUDITED

        # The planner may know of no row yet, and then sorts what it takes for none.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off")
        plan = Event.objects.filter(record_type__in=AUDITED).order_by("-id")[:51].explain()
        assert "event_audited" in plan
        assert "Sort" not in plan

    def test_an_unknown_kind_is_a_mistake(self, owner: Actor) -> None:
        with pytest.raises(ValueError, match="no kind of event"):
            audit_note(owner, "deal.updated")
