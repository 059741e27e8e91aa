"""Roles of one's own: what they may say, who may make them, and what happens to those who have them."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.http import QueryDict
from django.utils.http import urlencode

from crm.records.models import Event
from crm.records.schema.registry import registry
from crm.workspace.actors import actor_for_member
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.models import Invitation, Member, Role
from crm.workspace.people import invitation_services, member_services
from crm.workspace.people.role_editor import PRESETS, grid_of, rights_sent
from crm.workspace.people.role_services import RoleInvalid, role_create, role_delete, role_update
from crm.workspace.permissions import ACTIONS, covers, role_nouns
from tenants.actors import Actor, Permissions, Scope
from tests import factories

TEAM = dict(zip(ACTIONS, ("team", "team", "team", "own", "none", "team"), strict=True))


def made(actor: Actor, name: str = "Field sales", **changes: Any) -> Role:
    given: dict[str, Any] = {"permissions": {"deal": TEAM, "company": TEAM}, "fields": {}}
    return role_create(actor, name=name, **(given | changes))


def refused(code: str, work: Callable[..., Any], *args: Any, **options: Any) -> WorkspaceError:
    with pytest.raises(WorkspaceError) as error:
        work(*args, **options)
    assert error.value.code == code
    return error.value


def member_id(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


class TestRights:
    def test_a_role_is_kept_with_all_that_was_left_unsaid(self, owner: Actor) -> None:
        role = made(owner, fields={"deal": {"amount": "hidden", "source": "read"}})
        rights = role.matrix()
        assert rights.scope("deal", "edit") is Scope.TEAM
        assert rights.scope("contact", "view") is Scope.NONE
        assert rights.scope("stage", "view") is Scope.ALL
        assert rights.scope("stage", "edit") is Scope.NONE
        assert rights.scope("member", "view") is Scope.ALL
        assert rights.fields == {"deal": {"amount": "hidden", "source": "read"}}
        assert {record_type.slug for record_type in registry.all()} <= rights.matrix.keys()

    @pytest.mark.parametrize("action", ["edit", "delete", "export", "bulk"])
    def test_nothing_reaches_further_than_view(self, owner: Actor, action: str) -> None:
        row = dict.fromkeys(ACTIONS, "own") | {action: "team"}
        error = refused("invalid_role", made, owner, permissions={"deal": row})
        assert isinstance(error, RoleInvalid)
        assert f"deal.{action}" in error.problems

    @pytest.mark.parametrize(
        ("row", "place"),
        [
            ({"view": "none", "create": "own"}, "deal.create"),
            ({"view": "all", "edit": "own", "bulk": "all"}, "deal.bulk"),
            ({"view": "everything"}, "deal.view"),
        ],
    )
    def test_what_contradicts_itself_is_refused(self, owner: Actor, row: dict[str, str], place: str) -> None:
        error = refused("invalid_role", made, owner, permissions={"deal": row})
        assert isinstance(error, RoleInvalid)
        assert error.problems.keys() == {place}

    def test_what_belongs_to_nobody_is_all_or_none(self, owner: Actor) -> None:
        refused("invalid_role", made, owner, permissions={"stage": {"edit": "own"}})
        assert made(owner, permissions={"stage": {"edit": "all"}}).matrix().scope("stage", "edit") is Scope.ALL

    @pytest.mark.parametrize(
        ("noun", "field", "right"),
        [
            ("deal", "name", "hidden"),
            ("deal", "owner", "hidden"),
            ("deal", "stage", "hidden"),
            ("task", "about", "hidden"),
            ("deal", "name", "read"),
            ("deal", "nmae", "hidden"),
            ("deal", "amount", "invisible"),
            ("dael", "amount", "hidden"),
        ],
    )
    def test_what_a_record_cannot_do_without_stays(self, owner: Actor, noun: str, field: str, right: str) -> None:
        error = refused("invalid_role", made, owner, fields={noun: {field: right}})
        assert isinstance(error, RoleInvalid)
        assert error.problems.keys() == {f"{noun}.{field}"}

    def test_a_needed_field_is_read_only_for_who_adds_nothing(self, owner: Actor) -> None:
        row = {"view": "all", "edit": "all"}
        assert made(owner, permissions={"deal": row}, fields={"deal": {"name": "read"}}).fields

    def test_unknown_nouns_and_powers_are_refused(self, owner: Actor) -> None:
        refused("invalid_role", made, owner, permissions={"dael": {"view": "all"}})
        refused("invalid_role", made, owner, permissions={"workspace": {"owners": "all"}})

    def test_each_preset_is_sound(self, owner: Actor) -> None:
        for preset in PRESETS:
            assert made(owner, preset.slug, permissions=preset.permissions().to_json()).id

    def test_who_works_in_a_team_reads_what_others_noted_on_its_records_and_nothing_else(
        self, owner: Actor, seller: Actor
    ) -> None:
        preset = next(one for one in PRESETS if one.slug == "team")
        role = made(owner, "Team", permissions=preset.permissions().to_json())
        Member.objects.filter(id=str(seller.member_id)).update(role=role)
        mine = factories.company(owner, name="Mine", owner=seller.member_id)
        theirs = factories.company(owner, name="Theirs")
        notes = [
            factories.note(owner, body=one.name, about={"type": "company", "id": one.pk}) for one in (mine, theirs)
        ]
        reader = actor_for_member(owner.tenant, mine.owner_id)
        assert reader is not None
        assert list(registry.get("note").visible_to(reader)) == notes[:1]

    def test_names_differ(self, owner: Actor) -> None:
        role = made(owner)
        assert role.slug == "field-sales"
        refused("taken", made, owner, "field  SALES")
        refused("taken", made, owner, "Admin")
        refused("required", made, owner, " ")
        refused("too_long", made, owner, "x" * 81)
        assert made(owner, "Field-Sales!").slug == "field-sales-2"


class TestGuards:
    def test_nobody_makes_a_role_beyond_his_own(self, owner: Actor, seller: Actor, seller_two: Actor) -> None:
        rights = {"deal": TEAM, "workspace": {"roles": "all", "members": "all"}}
        lead_role = made(owner, "Lead", permissions=rights, fields={"deal": {"amount": "hidden", "source": "read"}})
        member_services.member_update(owner, member_id=member_id(seller), role=lead_role)
        lead = actor_for_member(owner.tenant, member_id(seller))
        assert lead is not None
        narrow = {"deal": {"amount": "hidden", "source": "read"}}
        assert made(lead, "Below", permissions={"deal": TEAM}, fields=narrow).id
        stricter = {"deal": {"amount": "hidden", "source": "hidden"}}
        assert made(lead, "Further below", permissions={"deal": TEAM}, fields=stricter).id
        wide = {"deal": {"view": "all"}}
        for permissions, fields in (
            (wide, narrow),
            ({"company": {"view": "own"}}, narrow),
            ({"deal": TEAM}, {}),
            ({"deal": TEAM}, {"deal": {"amount": "read", "source": "read"}}),
            ({"workspace": {"settings": "all"}}, narrow),
        ):
            refused("role_beyond_own", made, lead, "Beyond", permissions=permissions, fields=fields)
        wider = made(owner, "Wider", permissions=wide)
        for work, options in (
            (role_update, {"name": "x", "permissions": {}, "fields": {}}),
            (role_delete, {"replacement": lead_role}),
        ):
            refused("role_beyond_own", work, lead, role_id=wider.id, **options)
        refused("role_beyond_own", member_services.member_update, lead, member_id=member_id(seller_two), role=wider)
        mine: dict[str, Any] = {"name": "Lead", "permissions": {"deal": TEAM}, "fields": narrow}
        refused("own_role", role_update, lead, role_id=lead_role.id, **mine)

    def test_who_may_not_change_roles_changes_none(self, owner: Actor, seller: Actor) -> None:
        role = made(owner)
        with pytest.raises(NotAllowed):
            made(seller, "Mine")
        with pytest.raises(NotAllowed):
            role_delete(seller, role_id=role.id)

    def test_fixed_roles_stay(self, owner: Actor) -> None:
        for role in Role.objects.filter(is_fixed=True):
            refused("fixed_role", role_update, owner, role_id=role.id, name="x", permissions={}, fields={})
            refused("fixed_role", role_delete, owner, role_id=role.id)
        with pytest.raises(NotFound):
            role_delete(owner, role_id=uuid4())

    def test_two_who_change_one_role_do_not_overwrite_each_other(self, owner: Actor) -> None:
        role = made(owner)
        seen = role.fingerprint
        role_update(owner, role_id=role.id, seen=seen, name="First", permissions={"deal": TEAM}, fields={})
        late: dict[str, Any] = {"seen": seen, "name": "Second", "permissions": {"deal": TEAM}, "fields": {}}
        with pytest.raises(Conflict):
            role_update(owner, role_id=role.id, **late)

    def test_no_role_locks_out_the_last_owner(self, owner: Actor) -> None:
        narrow = made(owner, permissions={"deal": {"view": "own"}})
        refused("last_owner", member_services.member_update, owner, member_id=member_id(owner), role=narrow)
        refused("last_owner", member_services.member_deactivate, owner, member_id=member_id(owner))


class TestRemoving:
    def test_members_and_invitations_get_the_other_role(self, owner: Actor, seller: Actor) -> None:
        role, other = made(owner), made(owner, "Other")
        member_services.member_update(owner, member_id=member_id(seller), role=role)
        invited = invitation_services.invitation_send(owner, email="x@example.com", role=role)
        for wrong in (None, role, uuid4(), "nothing"):
            refused("replacement_needed", role_delete, owner, role_id=role.id, replacement=wrong)
        role_delete(owner, role_id=role.id, replacement=other)
        assert Member.objects.get(id=member_id(seller)).role_id == other.id
        assert Invitation.objects.get(id=invited.id).role_id == other.id
        assert not Role.objects.filter(id=role.id).exists()
        role_delete(owner, role_id=made(owner, "Unused").id)

    def test_what_is_done_to_roles_is_an_event(self, owner: Actor) -> None:
        role = made(owner)
        role_update(owner, role_id=role.id, name="Inside sales", permissions={"deal": TEAM}, fields={})
        role_update(owner, role_id=role.id, name="Inside sales", permissions={"deal": TEAM}, fields={})
        role_delete(owner, role_id=role.id)
        events = Event.objects.filter(record_type="role", record_id=role.id).order_by("id")
        assert [event.type for event in events] == ["role.created", "role.updated", "role.deleted"]
        assert events[1].before["name"] == "Field sales"
        assert events[1].after["name"] == "Inside sales"
        assert events[1].after["permissions"]["deal"]["edit"] == "team"

    def test_it_holds_from_the_next_request_on(self, owner: Actor, seller: Actor) -> None:
        role = made(owner, permissions={"deal": {"view": "all"}})
        member_services.member_update(owner, member_id=member_id(seller), role=role)
        role_update(owner, role_id=role.id, name="Blind", permissions={}, fields={})
        found = actor_for_member(owner.tenant, member_id(seller))
        assert found is not None
        assert not found.can("deal", "view")


class TestEditor:
    def test_a_grid_sent_back_is_the_same_role(self, owner: Actor, in_tenant: Any) -> None:
        role = made(
            owner,
            permissions={"deal": TEAM, "stage": {"edit": "all"}, "workspace": {"settings": "all"}},
            fields={"deal": {"amount": "hidden"}, "contact": {"emails": "read"}},
        )
        rights = role.matrix()
        grid = grid_of(owner, rights)
        cells = [cell for line in grid.lines for cell in line.cells]
        cells += [one.cell for group in grid.groups for one in group.fields]
        ticks = [tick.name for tick in (*grid.shared, *grid.powers) if tick.ticked]
        sent = QueryDict(urlencode([*((cell.name, cell.value) for cell in cells), *((name, "1") for name in ticks)]))
        matrix, fields = rights_sent(sent)
        again = role_create(owner, name="Again", permissions=matrix, fields=fields).matrix()
        assert again.fields == rights.fields
        for noun in role_nouns():
            if not noun.is_shared:
                assert [again.scope(noun.slug, one) for one in ACTIONS] == [
                    rights.scope(noun.slug, one) for one in ACTIONS
                ]
        assert again.scope("stage", "edit") is Scope.ALL
        assert again.scope("workspace", "settings") is Scope.ALL
        assert covers(rights, Permissions.from_json({"deal": TEAM}, rights.fields))

    def test_the_pages_for_who_may_and_who_may_not(
        self, owner: Actor, seller: Actor, browser_client: Any, in_tenant: Any
    ) -> None:
        client = browser_client(owner)
        role = made(owner, fields={"deal": {"amount": "hidden"}})
        admin = Role.objects.get(slug="admin")
        pages = [
            "",
            "new/",
            "new/?from=team",
            f"new/?from={admin.id}",
            f"{role.id}/",
            f"{admin.id}/",
            f"{role.id}/delete/",
        ]
        for page in pages:
            assert client.get(f"/settings/roles/{page}").status_code == 200, page
        for page in ("new/?from=nothing", f"new/?from={uuid4()}", f"{uuid4()}/", f"{uuid4()}/delete/"):
            assert client.get(f"/settings/roles/{page}").status_code == 404, page
        other = browser_client(seller)
        for page in pages:
            assert other.get(f"/settings/roles/{page}").status_code == 403, page

    def test_a_role_is_made_changed_and_removed_on_screen(self, owner: Actor, browser_client: Any) -> None:
        client = browser_client(owner)
        sent = {
            "name": "Inside",
            "m.deal.view": "own",
            "m.deal.edit": "own",
            "p.settings": "1",
            "f.deal.amount": "read",
        }
        assert client.post("/settings/roles/new/", sent).status_code == 302
        role = Role.objects.get(name="Inside")
        assert role.fields == {"deal": {"amount": "read"}}
        wrong = client.post(f"/settings/roles/{role.id}/", sent | {"m.deal.edit": "all", "about": "kept"})
        assert wrong.status_code == 422
        assert b"reaches further than" in wrong.content
        assert b'value="kept"' in wrong.content
        assert client.post("/settings/roles/new/", sent).status_code == 422
        assert client.post(f"/settings/roles/{role.id}/", sent | {"seen": "old"}).status_code == 409
        assert client.post(f"/settings/roles/{role.id}/delete/").status_code == 302
        assert not Role.objects.filter(name="Inside").exists()


def test_who_looks_after_members_by_a_role_of_his_own_gives_the_fixed_ones_that_it_covers(
    owner: Actor, seller: Actor, seller_two: Actor
) -> None:
    all_of_it = {noun.slug: dict.fromkeys(ACTIONS, "all") for noun in role_nouns()}
    role = made(owner, "Office", permissions={**all_of_it, "workspace": {"members": "all"}})
    member_services.member_update(owner, member_id=member_id(seller), role=role)
    office = actor_for_member(owner.tenant, member_id(seller))
    assert office
    for slug in ("read_only", "manager", "member"):
        member_services.member_update(office, member_id=member_id(seller_two), role=slug)
    for slug in ("admin", "owner"):
        refused("role_beyond_own", member_services.member_update, office, member_id=member_id(seller_two), role=slug)
    narrow = made(owner, "Narrow office", permissions={**all_of_it, "deal": TEAM, "workspace": {"members": "all"}})
    assert not covers(narrow.matrix(), Role.objects.get(slug="read_only").matrix())
    some = Permissions.from_json({"deal": dict.fromkeys(ACTIONS, "all")})
    assert not covers(some, Permissions.from_json({"*": {"view": "all"}}))
