"""Teams: a tree, its heads, and whom they reach."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from crm.records.models import Event
from crm.workspace.actors import actor_for_member, team_reach
from crm.workspace.errors import NotAllowed, NotFound, WorkspaceError
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.selectors import teams
from crm.workspace.people.team_services import team_create, team_delete, team_update
from tenants.actors import Actor, TenantRef


@pytest.fixture
def tree(owner: Actor, seller: Actor, manager: Actor) -> dict[str, Team]:
    """Sales, headed by the manager, with North (the seller's) and South below it."""
    sales = team_create(owner, name="Sales", head=manager.member_id)
    north = team_create(owner, name=" North ", parent=sales)
    south = team_create(owner, name="South", parent=sales.id)
    assert seller.member_id
    member_services.member_update(owner, member_id=seller.member_id, team=north)
    return {"sales": sales, "north": north, "south": south}


def refused(code: str, work: Callable[..., Any], *args: Any, **options: Any) -> None:
    with pytest.raises(WorkspaceError) as error:
        work(*args, **options)
    assert error.value.code == code


def test_the_tree_is_listed_parents_first(tree: dict[str, Team]) -> None:
    assert [(team.name, team.depth) for team in teams()] == [("Sales", 0), ("North", 1), ("South", 1)]


def test_a_team_is_not_moved_inside_itself_or_its_child(owner: Actor, tree: dict[str, Team]) -> None:
    for inside in ("sales", "north"):
        refused("team_circle", team_update, owner, team_id=tree["sales"].id, parent=tree[inside].id)
    assert Team.objects.get(id=tree["sales"].id).parent_id is None
    team_update(owner, team_id=tree["south"].id, parent=tree["north"].id)
    refused("team_circle", team_update, owner, team_id=tree["sales"].id, parent=tree["south"].id)


def test_a_tree_is_ten_deep_at_most(owner: Actor) -> None:
    above: Team | None = None
    for level in range(10):
        above = team_create(owner, name=f"Level {level}", parent=above)
    refused("too_deep", team_create, owner, name="Eleven", parent=above)
    pair = team_create(owner, name="Pair")
    team_create(owner, name="Below", parent=pair)
    assert above
    assert above.parent
    refused("too_deep", team_update, owner, team_id=pair.id, parent=above.parent)


def test_a_head_is_an_active_member(owner: Actor, seller: Actor, tree: dict[str, Team]) -> None:
    assert seller.member_id
    member_services.member_deactivate(owner, member_id=seller.member_id)
    for head in (seller.member_id, uuid4(), "nobody"):
        refused("unknown_head", team_update, owner, team_id=tree["north"].id, head=head)
    refused("unknown_team", team_create, owner, name="Lost", parent=uuid4())
    refused("required", team_create, owner, name=" \x00 ")
    with pytest.raises(NotFound):
        team_update(owner, team_id=uuid4(), name="x")


def test_a_member_reaches_his_team_and_what_is_below_and_a_head_what_he_heads(
    owner: Actor, seller: Actor, seller_two: Actor, manager: Actor, reader: Actor, tree: dict[str, Team]
) -> None:
    def reach(actor: Actor) -> set[UUID | None]:
        member = Member.objects.get(id=str(actor.member_id))
        return set(team_reach(member.id, member.team_id))

    assert reach(seller) == {seller.member_id}
    assert reach(seller_two) == {seller_two.member_id}
    assert reach(manager) == {manager.member_id, seller.member_id}
    assert seller_two.member_id
    assert reader.member_id
    member_services.member_update(owner, member_id=seller_two.member_id, team=tree["sales"])
    member_services.member_update(owner, member_id=reader.member_id, team=tree["south"])
    everyone = {seller.member_id, seller_two.member_id, reader.member_id}
    assert reach(seller_two) == everyone
    assert reach(manager) == everyone | {manager.member_id}
    member_services.member_deactivate(owner, member_id=reader.member_id)
    assert reach(seller_two) == everyone


def test_only_a_role_by_team_asks_who_the_team_is(owner: Actor, manager: Actor, tree: dict[str, Team]) -> None:
    assert manager.member_id
    found = actor_for_member(owner.tenant, manager.member_id)
    assert found
    assert found.team_members == frozenset()
    role = Role.objects.create(slug="lead", name="Lead", permissions={"*": {"view": "team"}})
    Member.objects.filter(id=manager.member_id).update(role=role)
    found = actor_for_member(owner.tenant, manager.member_id)
    assert found
    assert len(found.team_members) == 2


def test_a_removed_team_leaves_nobody_and_nothing_behind(
    owner: Actor, seller: Actor, manager: Actor, tree: dict[str, Team]
) -> None:
    assert manager.member_id
    member_services.member_update(owner, member_id=manager.member_id, team=tree["sales"])
    refused("move_to_wrong", team_delete, owner, team_id=tree["sales"].id, move_to=tree["sales"].id)
    team_delete(owner, team_id=tree["sales"].id, move_to=tree["south"].id)
    assert Member.objects.get(id=manager.member_id).team_id == tree["south"].id
    assert [(team.name, team.depth) for team in teams()] == [("North", 0), ("South", 0)]
    team_delete(owner, team_id=tree["north"].id)
    assert Member.objects.get(id=str(seller.member_id)).team_id is None


def test_what_is_done_to_teams_is_an_event(owner: Actor, tree: dict[str, Team]) -> None:
    team_update(owner, team_id=tree["north"].id, name="Nord")
    team_update(owner, team_id=tree["north"].id, name="Nord")
    team_delete(owner, team_id=tree["north"].id)
    events = Event.objects.filter(record_type="team", record_id=tree["north"].id).order_by("id")
    assert [event.type for event in events] == ["team.created", "team.updated", "team.deleted"]
    assert events[1].before["name"] == "North"
    assert events[1].after["name"] == "Nord"


def test_who_may_not_change_members_changes_no_team(seller: Actor, tree: dict[str, Team]) -> None:
    with pytest.raises(NotAllowed):
        team_create(seller, name="Mine")
    with pytest.raises(NotAllowed):
        team_delete(seller, team_id=tree["north"].id)


def test_who_reaches_his_team_grants_no_more_than_that(
    owner: Actor, seller: Actor, seller_two: Actor, tree: dict[str, Team]
) -> None:
    matrix = {"*": {"view": "team"}, "workspace": {"members": "all"}}
    role = Role.objects.create(slug="lead", name="Lead", permissions=matrix)
    assert seller.member_id
    assert seller_two.member_id
    Member.objects.filter(id__in=(seller.member_id, seller_two.member_id)).update(role=role)
    lead = actor_for_member(owner.tenant, seller.member_id)
    assert lead
    for beyond in (tree["sales"], tree["south"]):
        refused("team_beyond_own", member_services.member_update, lead, member_id=seller.member_id, team=beyond)
        refused(
            "team_beyond_own", invitation_services.invitation_send, lead, email="x@example.com", role=role, team=beyond
        )
    refused("team_beyond_own", team_update, lead, team_id=tree["sales"].id, head=seller.member_id)
    for outside in (None, tree["south"]):
        member_services.member_update(owner, member_id=seller_two.member_id, team=outside)
        refused(
            "team_beyond_own", member_services.member_update, lead, member_id=seller_two.member_id, team=tree["north"]
        )
    refused("team_beyond_own", member_services.member_update, lead, member_id=seller_two.member_id, team=None)
    member_services.member_deactivate(owner, member_id=seller_two.member_id)
    refused(
        "team_beyond_own",
        invitation_services.invitation_send,
        lead,
        email=seller_two.email,
        role=role,
        team=tree["north"],
    )
    member_services.member_reactivate(owner, member_id=seller_two.member_id)
    member_services.member_update(owner, member_id=seller_two.member_id, team=tree["north"])
    below = team_create(owner, name="Below", parent=tree["north"])
    member_services.member_update(lead, member_id=seller_two.member_id, team=below)


def test_an_invitation_brings_its_team_along(owner: Actor, tree: dict[str, Team], tenant_a: TenantRef) -> None:
    from tenants.db.scopes import shared
    from tests.cast import user

    invited = invitation_services.invitation_send(
        owner, email="new.hand@example.com", role="member", team=tree["south"]
    )
    with shared():
        account = user("new_hand")
    invitation_services.invitation_accept(tenant_a, invited.token, account)
    assert Member.objects.get(user_id=account.id).team_id == tree["south"].id
    assert Invitation.objects.get(id=invited.id).team_id == tree["south"].id
