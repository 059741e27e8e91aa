"""A role by team: what it sees, changes and adds."""

from dataclasses import replace

import pytest

from crm.records.access.visibility import allows, rows_allowing
from crm.records.display.presenting import may_edit
from crm.records.errors import Forbidden, Invalid, NotFound
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.records.write import gate
from tenants.actors import Actor, Permissions, Scope
from tests import factories

ACTIONS = ("view", "create", "edit", "delete", "export", "bulk")


def by_team(actor: Actor, *team: Actor, **scopes: Scope) -> Actor:
    """The actor with a role that reaches as far as their team, ``scopes`` telling of actions that reach elsewhere."""
    matrix = {"*": dict.fromkeys(ACTIONS, Scope.TEAM) | scopes}
    for noun in ("pipeline", "stage", "lost_reason", "member"):
        matrix[noun] = dict.fromkeys(ACTIONS, Scope.ALL)
    members = frozenset(one.member_id for one in (actor, *team) if one.member_id)
    return replace(actor, permissions=Permissions(matrix), team_members=members)


def names(actor: Actor, slug: str = "deal", **query: object) -> list[str]:
    return sorted(row["name"] for row in reading.page(actor, registry.get(slug), Query(**query)).rows)  # type: ignore[arg-type]


def test_the_teams_records_are_seen_and_nobody_elses(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    mine, theirs = factories.deal(seller, name="Mine"), factories.deal(seller_two, name="Theirs")
    other = factories.deal(manager, name="Other")
    free = factories.deal(manager, name="Free", owner=None)
    lead = by_team(seller, seller_two)
    assert names(lead) == ["Mine", "Theirs"]
    assert names(by_team(seller)) == ["Mine"]
    deal = registry.get("deal")
    assert reading.count(lead, deal, Query()) == 2
    for hidden in (other, free):
        with pytest.raises(NotFound):
            reading.get_row(lead, deal, hidden.pk)
        with pytest.raises(NotFound):
            gate.update(lead, deal, hidden.pk, {"name": "x"})
    gate.update(lead, deal, theirs.pk, {"name": "Ours"})
    gate.trash(lead, deal, mine.pk)


def test_a_narrower_scope_of_another_action_holds(seller: Actor, seller_two: Actor) -> None:
    mine, theirs = factories.deal(seller, name="Mine"), factories.deal(seller_two, name="Theirs")
    deal = registry.get("deal")
    lead = by_team(seller, seller_two, delete=Scope.OWN, edit=Scope.OWN)
    with pytest.raises(Forbidden):
        gate.update(lead, deal, theirs.pk, {"name": "x"})
    with pytest.raises(Forbidden):
        gate.trash(lead, deal, [mine.pk, theirs.pk])
    for action, expected in (("edit", [mine.pk]), ("export", [mine.pk, theirs.pk]), ("bulk", [mine.pk, theirs.pk])):
        assert sorted(rows_allowing(lead, deal, action).values_list("pk", flat=True)) == sorted(expected)
        for record in (mine, theirs):
            assert allows(lead, deal, record, action) is (record.pk in expected)
    assert may_edit(lead, deal, {"owner": {"id": seller.member_id}})
    assert not may_edit(lead, deal, {"owner": {"id": seller_two.member_id}})
    assert not may_edit(lead, deal, {"owner": None})


def test_who_adds_for_the_team_names_one_of_it(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    deal = registry.get("deal")
    lead = by_team(seller, seller_two)
    assert gate.create(lead, deal, {"name": "Own"}).record.owner_id == seller.member_id
    assert gate.create(lead, deal, {"name": "Ours", "owner": seller_two.member_id}).record.pk
    for owner in (manager.member_id, None):
        with pytest.raises(Invalid):
            gate.create(lead, deal, {"name": "No", "owner": owner})


def test_activities_are_the_teams_or_about_what_is_seen(seller: Actor, seller_two: Actor, manager: Actor) -> None:
    theirs = factories.deal(seller_two, name="Theirs")
    other = factories.deal(manager, name="Other")
    factories.task(seller_two, name="Team's")
    factories.task(manager, name="About the team's", about={"type": "deal", "id": theirs.pk})
    factories.task(manager, name="About another's", about={"type": "deal", "id": other.pk})
    lead = by_team(seller, seller_two)
    assert names(lead, "task") == ["Team's"]
    matrix = {**lead.permissions.matrix, "task": dict.fromkeys(ACTIONS, Scope.ALL)}
    assert names(replace(lead, permissions=Permissions(matrix)), "task") == ["About the team's", "Team's"]
