"""Members, teams and invitations by the API: with the scope and the power, and never beyond the key's maker."""

from typing import Any
from uuid import uuid4

import pytest

from crm.records.events.dispatch import drain
from crm.records.models import ChangeSet
from crm.workspace.auditing import audit_note
from crm.workspace.models import Invitation, Member, Role, Team
from crm.workspace.people.member_services import member_deactivate
from crm.workspace.people.role_services import role_create
from tenants.accounts.api_keys import api_key_create
from tenants.actors import Actor
from tests import factories


def member_of(actor: Actor) -> Member:
    assert actor.member_id is not None
    return Member.objects.get(id=actor.member_id)


@pytest.fixture
def admins(api: Any, admin: Actor) -> Any:
    return api(admin)


def test_a_member_is_moved_to_another_role_team_and_manager(admins: Any, seller: Actor, admin: Actor) -> None:
    team = admins.post("/api/v1/teams", {"name": "North", "head": str(admin.member_id)})
    assert team.status_code == 201
    address = f"/api/v1/members/{seller.member_id}"
    changes = {"role": "manager", "team": team.json()["id"], "manager": None}
    changed = admins.patch(address, changes).json()
    assert {name: changed[name] for name in changes} == changes
    assert admins.get(address).json()["team"] == team.json()["id"]
    assert admins.patch(address, {"manager": str(seller.member_id)}).json()["error"]["code"] == "manager_circle"
    assert admins.patch(address, {"role": "owner"}).json()["error"]["code"] == "role_beyond_own"
    assert admins.patch(address, {"state": "deactivated"}).json()["error"]["code"] == "unknown_field"
    assert admins.patch(address, {"role": 7}).status_code == 400


def test_who_leaves_hands_over_and_comes_back(admins: Any, seller: Actor, seller_two: Actor) -> None:
    deal, task = factories.deal(seller), factories.task(seller)
    address = f"/api/v1/members/{seller.member_id}"
    body = {"to": str(seller_two.member_id), "takers": {"task": None}}
    left = admins.post(f"{address}/deactivate", body)
    assert left.status_code == 200
    assert left.json()["handed_over"] == {"deal": 1}
    assert left.json()["state"] == "deactivated"
    deal.refresh_from_db()
    task.refresh_from_db()
    assert (deal.owner_id, task.assignee_id) == (seller_two.member_id, seller.member_id)
    assert admins.post(f"{address}/deactivate", {}).status_code == 409
    undone = admins.post(f"/api/v1/change-sets/{left.json()['change_set']}/undo")
    assert undone.status_code == 200
    deal.refresh_from_db()
    assert deal.owner_id == seller.member_id
    admins.post(f"{address}/deactivate", {})
    assert admins.post(f"{address}/reactivate").json()["state"] == "active"


@pytest.mark.parametrize(
    "body",
    [
        {"to": "x"},
        {"to": 7},
        {"takers": []},
        {"takers": {"deal": "x"}},
        {"takers": {"dragon": str(uuid4())}},
        {"to": str(uuid4())},
        {"closed": "deal"},
        {"heads": {"x": None}},
        {"manager": "x"},
        {"who": "x"},
    ],
)
def test_nonsense_deactivates_nobody(admins: Any, seller: Actor, body: dict[str, Any]) -> None:
    factories.deal(seller)
    assert admins.post(f"/api/v1/members/{seller.member_id}/deactivate", body).status_code in (400, 422)
    assert member_of(seller).is_active


def test_teams_are_listed_moved_and_removed(admins: Any) -> None:
    top = admins.post("/api/v1/teams", {"name": "Sales"}).json()
    below = admins.post("/api/v1/teams", {"name": "North", "parent": top["id"]}).json()
    assert below["parent"] == top["id"]
    first = admins.get("/api/v1/teams?limit=1").json()
    rest = admins.get(f"/api/v1/teams?cursor={first['next_cursor']}").json()
    assert [row["name"] for row in (*first["data"], *rest["data"])] == ["Sales", "North"]
    circle = admins.patch(f"/api/v1/teams/{top['id']}", {"parent": below["id"]})
    assert circle.json()["error"]["code"] == "team_circle"
    assert admins.delete(f"/api/v1/teams/{top['id']}").status_code == 204
    assert admins.get(f"/api/v1/teams/{below['id']}").json()["parent"] is None
    assert admins.get(f"/api/v1/teams/{uuid4()}").status_code == 404


def test_somebody_is_invited_again_and_not_any_more(admins: Any) -> None:
    made = admins.post("/api/v1/invitations", {"email": "New@Example.com", "role": "read_only"})
    assert made.status_code == 201
    assert made.json()["email"] == "new@example.com"
    assert "token" not in str(made.json())
    before = Invitation.objects.get().token_hash
    address = f"/api/v1/invitations/{made.json()['id']}"
    assert admins.post(f"{address}/resend").status_code == 200
    assert Invitation.objects.get().token_hash != before
    assert [row["id"] for row in admins.get("/api/v1/invitations").json()["data"]] == [made.json()["id"]]
    assert admins.delete(address).status_code == 204
    assert admins.get(address).status_code == 404
    assert admins.post("/api/v1/invitations", {"email": "x"}).status_code == 422


@pytest.mark.parametrize("who", ["manager", "seller", "reader"])
def test_without_the_power_a_scope_is_not_enough(api: Any, actor_named: Any, seller_two: Actor, who: str) -> None:
    client = api(actor_named(who))
    address = f"/api/v1/members/{seller_two.member_id}"
    assert client.get(address).status_code == 200
    assert client.patch(address, {"role": "read_only"}).status_code == 403
    assert client.post(f"{address}/deactivate", {}).status_code == 403
    assert client.post("/api/v1/teams", {"name": "Mine"}).status_code == 403
    assert client.get("/api/v1/roles").status_code == 403
    assert client.get(f"/api/v1/roles/{Role.objects.get(slug='owner').pk}").status_code == 403
    assert client.get("/api/v1/invitations").status_code == 404
    assert client.post("/api/v1/invitations", {"email": "x@example.com"}).status_code == 404
    assert member_of(seller_two).is_active
    assert not Team.objects.exists()


def test_without_the_scope_the_power_is_not_enough(api: Any, owner: Actor, seller_two: Actor) -> None:
    client = api(owner, scopes=["member:read", "deal:write"])
    address = f"/api/v1/members/{seller_two.member_id}"
    for answer in (
        client.patch(address, {"role": "read_only"}),
        client.post(f"{address}/deactivate", {}),
        client.post("/api/v1/teams", {"name": "Mine"}),
        client.get("/api/v1/invitations"),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["param"] == "member:write"


def test_the_audit_is_in_the_events_of_those_who_may_see_it(api: Any, owner: Actor) -> None:
    audit_note(owner, "export.finished", after={"name": "everything"})
    drain(owner.tenant)

    def kinds(scopes: list[str]) -> set[str]:
        return {row["type"] for row in api(owner, scopes=scopes).get("/api/v1/events?limit=500").json()["data"]}

    assert "export.finished" in kinds(["event:read", "audit:read"])
    assert "export.finished" not in kinds(["event:read", "member:read"])


def test_a_new_key_does_not_change_members_unless_that_is_ticked(browser_client: Any, owner: Actor) -> None:
    page = browser_client(owner).get("/settings/api/")
    ticked = {
        box.value for row in page.context["form"].scope_rows() for box in (row.read, row.write) if box and box.ticked
    }
    offered = {value for value, _label in page.context["form"].fields["scopes"].choices}
    assert {"member:write", "audit:read"} <= offered
    assert not {"member:write", "audit:read"} & ticked
    assert "member:read" in ticked


def test_every_scope_that_a_role_may_give_has_a_box(browser_client: Any, owner: Actor) -> None:
    form = browser_client(owner).get("/settings/api/").context["form"]
    boxes = {box.value for row in form.scope_rows() for box in (row.read, row.write) if box}
    assert boxes == {value for value, _label in form.fields["scopes"].choices}


def test_the_list_of_keys_says_whose_they_are_and_which_sleep(browser_client: Any, owner: Actor, admin: Actor) -> None:
    api_key_create(admin, name="Admin's", scopes=["deal:read"])
    member_deactivate(owner, member_id=member_of(admin).id)
    page = browser_client(owner).get("/settings/api/").content.decode()
    row = page[page.index("Admin&#x27;s") :]
    assert member_of(admin).name in row[: row.index("</tr>")]
    assert "Asleep" in row[: row.index("</tr>")]


def test_a_key_of_a_role_of_ones_own_reads_the_events_of_what_the_role_sees(
    api: Any, owner: Actor, seller: Actor, browser_client: Any
) -> None:
    own = {"view": "own", "create": "own", "edit": "own"}
    rights = {"deal": own, "workspace": {"api_keys": "all"}}
    role = role_create(owner, name="Narrow", permissions=rights, fields={"deal": {"amount": "hidden"}})
    mine = factories.deal(owner, name="Mine", amount="7777", currency="EUR", owner=seller.member_id)
    other = factories.deal(owner, name="Other", amount="8888", currency="EUR")
    Member.objects.filter(id=str(seller.member_id)).update(role=role)
    drain(owner.tenant)
    page = browser_client(seller).get("/settings/api/")
    offered = [value for value, _label in page.context["form"].fields["scopes"].choices]
    assert "event:read" in offered
    answer = api(seller, scopes=offered).get("/api/v1/events?limit=500")
    assert answer.status_code == 200
    told = {row["record_id"]: row for row in answer.json()["data"] if row["record_type"] == "deal"}
    assert str(mine.pk) in told
    assert str(other.pk) not in told
    assert "Mine" in str(told[str(mine.pk)]["after"])
    assert not {"amount", "currency"} & told[str(mine.pk)]["after"].keys()
    without = api(seller, scopes=["deal:read"]).get("/api/v1/events")
    assert (without.status_code, without.json()["error"]["param"]) == (403, "event:read")


def test_why_one_sees_a_record_is_told_by_the_api_too(api: Any, owner: Actor, seller: Actor, outsider: Actor) -> None:
    deal = factories.deal(seller, name="Mine")
    address = f"/api/v1/deals/{deal.pk}/why"
    mine = api(seller, scopes=["deal:read", "member:read"]).get(address).json()
    assert (mine["sees"], mine["why"]) == (True, "It is theirs: they own it, do it or made it.")
    assert mine["may"] == {"edit": False, "delete": False}, "a key that only reads"
    asked = api(owner).get(f"{address}?member={seller.member_id}").json()
    assert (asked["name"], asked["sees"], asked["may"]) == (seller.label, True, {"edit": True, "delete": True})
    assert api(seller).get(f"{address}?member={owner.member_id}").status_code == 403
    assert api(owner).get(f"{address}?member={uuid4()}").status_code == 404
    assert api(owner).get(f"{address}?member=x").status_code == 400
    assert api(outsider).get(address).status_code == 404
    assert api(owner, scopes=["company:read"]).get(address).status_code == 403


def test_what_a_key_does_is_said_to_be_done_by_the_api(admins: Any, seller: Actor, admin: Actor) -> None:
    """People, teams, invitations and settings alike, never "ui", which a key has none of."""
    before = set(ChangeSet.objects.values_list("pk", flat=True))
    team = admins.post("/api/v1/teams", {"name": "North"}).json()["id"]
    invitation = admins.post("/api/v1/invitations", {"email": "new@example.com"}).json()["id"]
    done = [
        admins.patch(f"/api/v1/teams/{team}", {"name": "South"}),
        admins.patch(f"/api/v1/members/{seller.member_id}", {"team": team}),
        admins.post(f"/api/v1/invitations/{invitation}/resend"),
        admins.delete(f"/api/v1/invitations/{invitation}"),
        admins.post(f"/api/v1/members/{seller.member_id}/deactivate", {}),
        admins.post(f"/api/v1/members/{seller.member_id}/reactivate"),
        admins.delete(f"/api/v1/teams/{team}"),
        admins.patch("/api/v1/me", {"name": "Adam"}),
        admins.patch("/api/v1/workspace", {"name": "Alder"}),
        admins.patch("/api/v1/workspace", {"formats": {"dates": "dmy_text"}}),
        admins.patch("/api/v1/workspace", {"working_hours": {"0": [["09:00", "17:00"]]}}),
        admins.patch("/api/v1/workspace", {"escalation_hours": 5}),
        admins.patch("/api/v1/workspace", {"currencies": ["EUR", "USD"]}),
        admins.post("/api/v1/exchange-rates", {"currency": "USD", "on": "2026-01-02", "rate": "0.9"}),
        admins.post("/api/v1/holidays", {"on": "2026-12-24", "name": "Eve"}),
        admins.delete("/api/v1/holidays/2026-12-24"),
        admins.patch("/api/v1/workspace", {"currency": "USD"}),
    ]
    assert [one.json() for one in done if one.status_code >= 300] == []
    made = ChangeSet.objects.exclude(pk__in=before)
    assert made.count() >= len(done)
    assert set(made.values_list("actor_kind", "source")) == {("api_key", "api"), ("api_key", "hand_over")}
