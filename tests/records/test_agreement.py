"""What a role sees is the same everywhere: lists, rows, counts, sums, groups, search, events, history, expanded
relations, boards, timelines, calendars and their feeds, saved views, exports and changes in bulk, for random teams,
roles, records and hidden fields. The judgement here is made in plain Python."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import set_urlconf
from django.utils import timezone
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from crm.activities.calendar.feeds import feed_make, feed_read
from crm.activities.rules import WHEN
from crm.activities.selectors import agenda, planned, timeline
from crm.activities.visibility import PLANNED
from crm.records.access.visibility import (
    allows,
    get_record,
    hidden_slugs,
    readable_fields,
    rows_allowing,
    writable_fields,
)
from crm.records.errors import BadQuery, Forbidden, Invalid, NotFound
from crm.records.events import feed, history
from crm.records.events.dispatch import drain
from crm.records.jobs import bulk, export, jobs
from crm.records.lists.footers import footers
from crm.records.lists.grouping import groups
from crm.records.lists.saved_views import Views
from crm.records.models import SavedView
from crm.records.read import reading
from crm.records.read.access_explanation import People, facts_of, reason_for
from crm.records.read.reading import Query
from crm.records.read.search import search_all
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.sales.board import columns
from crm.workspace.actors import actor_for_member
from crm.workspace.models import Member, Role, Team
from crm.workspace.permissions import ACTIONS, ACTIVITY_NOUNS
from tenants.actors import Actor, Permissions, Scope
from tests import factories
from tests.depth import examples

DEAL, COMPANY = "deal", "company"
TITLED_BY = {"email": "subject", "note": "body"}
SHARED = ("pipeline", "stage", "lost_reason", "member")
HIDEABLE = ("amount", "probability", "company", "expected_close", "source", "contacts")
SECRETS = {"amount": "7777", "source": "referral", "expected_close": "2031-03-03"}
WORD = "Zanzibar"

scopes = st.sampled_from(list(Scope))
rows = st.fixed_dictionaries(dict.fromkeys(ACTIONS, scopes))


@dataclass
class World:
    """Deals of everybody, each at a company of another, with activities by a third, some of them on a company as well
    or on nothing; some belong to nobody."""

    people: list[Actor]
    records: dict[str, list[Any]]

    @property
    def deals(self) -> list[Any]:
        return self.records[DEAL]

    @property
    def companies(self) -> list[Any]:
        return self.records[COMPANY]

    def record(self, noun: str, id: UUID | str) -> Any:
        return next(one for one in self.records[noun] if str(one.pk) == str(id))


@pytest.fixture
def world(owner: Actor, seller: Actor, seller_two: Actor, manager: Actor) -> World:
    people = [owner, seller, seller_two, manager]
    holders: list[UUID | None] = [*(one.member_id for one in people), None]
    companies = [
        factories.company(owner, name=f"{WORD} {place}", owner=holder, domain=f"hush{place}.example")
        for place, holder in enumerate(holders)
    ]
    deals = []
    for place, holder in enumerate(holders):
        values = {**SECRETS, "currency": "EUR", "company": companies[(place + 1) % 5].pk, "owner": holder}
        deals.append(factories.deal(owner, name=f"{WORD} deal {place}", **values))
    records = {DEAL: deals, COMPANY: companies}
    for number, noun in enumerate(ACTIVITY_NOUNS):
        record_type = registry.get(noun)
        records[noun] = [
            factories.make(people[(place + number + 2) % 4], noun, values)
            for place, values in enumerate(activities(people, deals, companies, record_type, number))
        ]
    gate.update(owner, registry.get(DEAL), [one.pk for one in deals], {"amount": "8888"})
    gate.update(owner, registry.get(DEAL), [one.pk for one in deals], {"probability": "31"})
    drain(owner.tenant)
    return World(people, records)


def activities(
    people: list[Actor], deals: list[Any], companies: list[Any], record_type: RecordType, number: int
) -> Iterator[dict[str, Any]]:
    """Every other one is on a company too, the last on nothing if that can be, and the second meeting has a guest."""
    for place in range(5):
        values: dict[str, Any] = {TITLED_BY.get(record_type.slug, "name"): f"{WORD} {record_type.slug} {place}"}
        if place < 4 or record_type.by_slug["about"].required:
            values["about"] = {"type": DEAL, "id": deals[place].pk}
            if place % 2:
                values["also"] = [{"type": COMPANY, "id": companies[(place + 3) % 5].pk}]
        if record_type.owner_field:
            values[record_type.owner_field] = people[(place + number + 1) % 4].member_id
        if record_type.slug in WHEN:
            values[WHEN[record_type.slug][0]] = timezone.now() + timedelta(days=place - 2)
        if "done" in record_type.by_slug:
            values["done"] = place in {0, 3}
        if record_type.slug == "meeting" and place == 1:
            values["guests"] = [{"type": "member", "id": people[2].member_id}]
        yield values


@st.composite
def readers(draw: st.DrawFn, people: list[Actor]) -> Actor:
    """Somebody with a role and a team nobody thought of."""
    actor = draw(st.sampled_from(people))
    matrix = {noun: draw(rows) for noun in (DEAL, COMPANY, *ACTIVITY_NOUNS)}
    matrix |= {noun: dict.fromkeys(ACTIONS, Scope.ALL) for noun in SHARED}
    hidden = draw(st.sets(st.sampled_from(HIDEABLE)))
    locked = draw(st.sets(st.sampled_from(HIDEABLE)))
    fields = {DEAL: dict.fromkeys(locked, "read") | dict.fromkeys(hidden, "hidden")}
    if draw(st.booleans()):
        fields[COMPANY] = {"domain": "hidden"}
    team = [actor, *draw(st.lists(st.sampled_from(people)))]
    members = frozenset(one.member_id for one in team if one.member_id)
    return replace(actor, permissions=Permissions(matrix, fields), team_members=members)


def held(actor: Actor, scope: Scope, *holders: UUID | None) -> bool:
    """The judgement that everything else is held against."""
    if scope is Scope.ALL:
        return True
    mine = {actor.member_id} if scope is Scope.OWN else set(actor.team_members) if scope is Scope.TEAM else set()
    return bool(mine & {holder for holder in holders if holder})


def sees(actor: Actor, noun: str, record: Any, world: World) -> bool:
    scope = actor.scope(noun, "view")
    if noun not in ACTIVITY_NOUNS:
        return held(actor, scope, record.owner_id)
    if scope is Scope.NONE:
        return False
    holders = (getattr(record, "assignee_id", None), record.created_by_id)
    guests = [one["id"] for one in getattr(record, "guests", ())]
    reach = Scope.TEAM if scope is Scope.TEAM else Scope.OWN
    if held(actor, reach, *holders) or str(actor.member_id) in guests:
        return True
    if scope is not Scope.ALL:
        return False
    subjects = on(record)
    return not subjects or any(sees(actor, one, world.record(one, id), world) for one, id in subjects)


def on(record: Any) -> list[tuple[str, str]]:
    """The records that an activity is on."""
    main = [(record.about_type, str(record.about_id))] if record.about_id else []
    return [*main, *((one["type"], one["id"]) for one in record.also)]


def theirs(actor: Actor, noun: str, record: Any, action: str) -> bool:
    """Whether the role reaches as far as a record that is seen."""
    return held(actor, actor.scope(noun, action), getattr(record, f"{registry.get(noun).own_field}_id"))


# Without shrinking: an example asks a hundred statements, and the first one that fails tells enough.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
RELAXED = settings(max_examples=examples(8), suppress_health_check=list(HealthCheck), phases=PHASES)


@pytest.mark.slow("draws roles and compares all that reads, a hundred statements an example")
@given(data=st.data())
@RELAXED
def test_everything_that_reads_agrees(data: st.DataObject, world: World) -> None:
    actor = data.draw(readers(world.people))
    for noun in (DEAL, COMPANY, data.draw(st.sampled_from(ACTIVITY_NOUNS))):
        record_type, records = registry.get(noun), world.records[noun]
        expected = {one.pk for one in records if sees(actor, noun, one, world)}
        ours = {one.pk for one in records}
        listed = [row for row in reading.page(actor, record_type, Query(limit=200)).rows if row["id"] in ours]
        assert {row["id"] for row in listed} == expected
        found = reading.page(actor, record_type, Query(limit=200, search=WORD))
        assert {row["id"] for row in found.rows} == expected
        assert reading.count(actor, record_type, Query(search=WORD)) == len(expected)
        hits = {hit.id for hit in search_all(actor, WORD, limit=100) if hit.type == noun}
        assert hits == (expected if record_type.in_sidebar else set())
        told = {UUID(row["record_id"]) for row in feed.feed(actor, limit=500).rows}
        assert told & ours == expected
        recent = {entry.record_id for entry in history.recent(actor, 200)}
        assert recent & ours == expected
        readable = {one.slug for one in readable_fields(actor, record_type)}
        for row in listed:
            assert not hidden_slugs(actor, record_type) & row.keys()
            assert {one.slug for one in record_type.shown_fields} & row.keys() == readable
        for one in records:
            if one.pk in expected:
                assert reading.get_row(actor, record_type, one.pk)["id"] == one.pk
                changes = [
                    change.slug
                    for entry in history.record_history(actor, record_type, one.pk)
                    for change in entry.changes
                ]
                assert set(changes) <= readable
            else:
                with pytest.raises(NotFound):
                    reading.get_row(actor, record_type, one.pk)
                with pytest.raises(NotFound):
                    history.record_history(actor, record_type, one.pk)
            for action in ("edit", "delete", "export", "bulk"):
                may = one.pk in expected and theirs(actor, noun, one, action)
                assert rows_allowing(actor, record_type, action).filter(pk=one.pk).exists() is may, action
                if one.pk in expected:
                    assert allows(actor, record_type, get_record(actor, record_type, one.pk), action) is may, action


@given(data=st.data())
@RELAXED
def test_sums_boards_and_relations_agree(data: st.DataObject, world: World) -> None:
    actor = data.draw(readers(world.people))
    record_type = registry.get(DEAL)
    hidden = hidden_slugs(actor, record_type)
    seen = [one for one in world.deals if sees(actor, DEAL, one, world)]
    if "amount" in hidden:
        for query in (Query(sort=("amount",)), Query(filter={"field": "amount", "op": "eq", "value": "8888"})):
            with pytest.raises(BadQuery):
                reading.page(actor, record_type, query)
        with pytest.raises(BadQuery):
            reading.sums(actor, record_type, Query(), "amount")
    else:
        total = Decimal(8888 * len(seen))
        assert reading.sums(actor, record_type, Query(search=WORD), "amount") == ({"EUR": total} if seen else {})
    if actor.can(DEAL, "view"):
        board = columns.board(actor, asked=columns.Asked(search=WORD))
        cards = [card for column in board.columns for card in column.cards]
        assert {card.id for card in cards} == {one.pk for one in seen}
        assert sum(column.count for column in board.columns) == len(seen)
        shown = sum((sum(column.sums.values()) for column in board.columns), Decimal(0))
        assert shown == (0 if "amount" in hidden else 8888 * len(seen))
        assert all((card.amount is None) == ("amount" in hidden) for card in cards)
        assert all(card.probability is None for card in cards) or "probability" not in hidden
        for card, one in ((card, one) for card, one in product(cards, seen) if card.id == one.pk):
            company = next(found for found in world.companies if found.pk == one.company_id)
            told = "company" not in hidden and sees(actor, COMPANY, company, world)
            assert bool(card.company_name) is told
    for one in seen:
        company = next(found for found in world.companies if found.pk == one.company_id)
        if "company" in hidden:
            with pytest.raises(BadQuery):
                reading.get_row(actor, record_type, one.pk, expand=("company",))
            continue
        expanded = reading.get_row(actor, record_type, one.pk, expand=("company",))["company"]
        assert (expanded is not None) is sees(actor, COMPANY, company, world)
        if expanded:
            assert ("domain" in expanded) is ("domain" not in hidden_slugs(actor, registry.get(COMPANY)))
    by_domain = reading.page(actor, registry.get(COMPANY), Query(search="hush"))
    secret = "domain" in hidden_slugs(actor, registry.get(COMPANY))
    expected = [] if secret else [one.pk for one in world.companies if sees(actor, COMPANY, one, world)]
    assert {row["id"] for row in by_domain.rows} == set(expected)


def settled(data: st.DataObject, world: World) -> Actor:
    """Somebody whose role and team stand in the tables, for what reads them there."""
    drawn = data.draw(readers(world.people))
    named = {
        noun: {key: scope.name.lower() for key, scope in row.items()} for noun, row in drawn.permissions.matrix.items()
    }
    fields = {noun: dict(rights) for noun, rights in drawn.permissions.fields.items()}
    role = Role.objects.create(slug="drawn", name="Drawn", permissions=named, fields=fields)
    team = Team.objects.create(name="Drawn")
    Member.objects.filter(pk__in=[str(one) for one in drawn.team_members]).update(team=team)
    Member.objects.filter(pk=member_of(drawn)).update(role=role)
    actor = actor_for_member(drawn.tenant, member_of(drawn))
    assert actor is not None
    if actor.permissions.by_team:
        assert actor.team_members == drawn.team_members
    return actor


def member_of(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


@given(data=st.data())
@settings(RELAXED, max_examples=examples(6))
def test_timelines_calendars_views_exports_and_bulk_agree(data: st.DataObject, world: World, at_work: None) -> None:
    with transaction.atomic():
        actor = settled(data, world)
        every = world.records.items()
        expected = {noun: {one.pk for one in records if sees(actor, noun, one, world)} for noun, records in every}
        seen = [(noun, one) for noun in ACTIVITY_NOUNS for one in world.records[noun] if one.pk in expected[noun]]
        for noun in (DEAL, COMPANY):
            subject = data.draw(st.sampled_from(world.records[noun]))
            here = {one.pk for _kind, one in seen if (noun, str(subject.pk)) in on(one)}
            if subject.pk in expected[noun]:
                items = timeline(actor, registry.get(noun), subject.pk, limit=100).items
                done = {item.id for item in items if item.activity}
                assert done | {row.id for row in planned(actor, noun, subject.pk)} == here
                readable = {one.slug for one in readable_fields(actor, registry.get(noun))}
                for item in items:
                    assert not item.entry or {change.slug for change in item.entry.changes} <= readable
            else:
                with pytest.raises(NotFound):
                    timeline(actor, registry.get(noun), subject.pk)
        start, end = timezone.now() - timedelta(days=9), timezone.now() + timedelta(days=9)
        dated = {one.pk for noun, one in seen if noun in PLANNED}
        assert {row.id for row in agenda(actor, start, end)} == dated
        for row in agenda(actor, start, end):
            subjects = on(world.record(row.noun, row.id))[:1]
            told = bool(subjects) and UUID(subjects[0][1]) in expected[subjects[0][0]]
            assert bool(row.about and row.about["title"]) is told
        calendar = feed_read(actor.tenant, feed_make(actor))
        assert calendar is not None
        own = {one.pk for noun, one in seen if noun in PLANNED and part(actor, one)}
        assert {UUID(uid) for uid in re.findall(r"UID:([0-9a-f-]{36})@", calendar.body.decode())} == own
        for deal in world.deals:
            assert deal.pk in expected[DEAL] or deal.name not in calendar.body.decode()
        files(data, actor, world, expected)
        views(actor, world, expected)
        transaction.set_rollback(True)


def part(actor: Actor, activity: Any) -> bool:
    return actor.member_id == activity.assignee_id or str(actor.member_id) in str(getattr(activity, "guests", ""))


def files(data: st.DataObject, actor: Actor, world: World, expected: dict[str, set[UUID]]) -> None:
    """What is written to a file, and what is changed in bulk."""
    for noun in (DEAL, data.draw(st.sampled_from((COMPANY, *ACTIVITY_NOUNS)))):
        record_type, records = registry.get(noun), world.records[noun]
        wanted = Query(search=WORD)
        if actor.scope(noun, "export") is Scope.NONE or not actor.can(noun, "view"):
            if actor.scope(noun, "export") is Scope.NONE:
                with pytest.raises(Forbidden):
                    export.export_start(actor, record_type, record_type.shown_fields, wanted, name="x")
        else:
            job = export.export_start(actor, record_type, record_type.shown_fields, wanted, name="x")
            jobs.run(actor.tenant, job.pk)
            head, *lines = csv.reader(export.path_of(actor.tenant, job.pk).read_text("utf-8-sig").splitlines())
            titles = {one.pk: str(getattr(one, record_type.title)) for one in records}
            found = {line[head.index(str(record_type.by_slug[record_type.title].label))] for line in lines}
            reached = {one.pk for one in records if one.pk in expected[noun] and theirs(actor, noun, one, "export")}
            assert found == {titles[pk] for pk in reached}
            hidden = {str(record_type.by_slug[slug].label) for slug in hidden_slugs(actor, record_type)}
            assert not hidden & set(head)
        if actor.can(noun, "bulk") and actor.can(noun, "edit"):
            rows = bulk.selected(actor, record_type, "edit", bulk.Selection(search=WORD)).values_list("pk", flat=True)
            assert set(rows) == {
                one.pk for one in records if one.pk in expected[noun] and theirs(actor, noun, one, "bulk")
            }
        else:
            with pytest.raises(Forbidden):
                bulk.selected(actor, record_type, "edit", bulk.Selection(search=WORD))


def views(actor: Actor, world: World, expected: dict[str, set[UUID]]) -> None:
    """A shared view of somebody who sees everything tells its reader no more than they see."""
    record_type = registry.get(DEAL)
    hidden = hidden_slugs(actor, record_type)
    worth = {"field": "amount", "op": "eq", "value": "1"}
    saved = SavedView.objects.create(
        noun=DEAL, name="Shared", sharing="everyone", owner_id=member_of(world.people[0]),
        filter={"not": worth}, sort=["-amount"], columns=[{"field": "amount"}, {"field": "name"}],
        grouping="source", footers={"amount": "sum"},
    )  # fmt: skip
    view = Views(actor, record_type).get(str(saved.pk))
    told = str([view.filter, view.sort, view.columns, view.footers])
    assert ("amount" in told) is ("amount" not in hidden)
    assert bool(view.grouping) is ("source" not in hidden)
    wanted = Query(filter=view.filter, sort=view.sort, search=WORD, limit=200)
    assert {row["id"] for row in reading.page(actor, record_type, wanted).rows} == expected[DEAL]
    if view.grouping:
        assert sum(one.count for one in groups(actor, record_type, wanted, view.grouping).groups) == len(expected[DEAL])
    count, cells = footers(actor, record_type, wanted, {"amount": "sum"})
    assert count == len(expected[DEAL])
    if "amount" in hidden:
        assert not cells
    else:
        assert sum(cells["amount"].sums.values()) == 8888 * count


@pytest.fixture
def at_work(settings: Any, tmp_path: Path) -> Iterator[None]:
    """Files go elsewhere, and addresses are those of a workspace."""
    settings.MEDIA_ROOT = str(tmp_path)
    set_urlconf(settings.TENANT_URLCONF)
    yield
    set_urlconf(None)


@given(data=st.data())
@RELAXED
def test_the_write_gate_takes_what_the_role_may_write(data: st.DataObject, world: World) -> None:
    actor = data.draw(readers(world.people))
    if data.draw(st.booleans()):
        matrix = {**actor.permissions.matrix, DEAL: dict.fromkeys(ACTIONS, Scope.ALL)}
        actor = replace(actor, permissions=replace(actor.permissions, matrix=matrix))
    record_type = registry.get(DEAL)
    one = data.draw(st.sampled_from(world.deals))
    slug = data.draw(st.sampled_from(["amount", "source", "expected_close", "name"]))
    value = {"amount": "5", "source": "partner", "expected_close": "2030-01-01", "name": f"{WORD} x"}[slug]
    writable = slug in {field.slug for field in writable_fields(actor, record_type)}
    try:
        with transaction.atomic():
            gate.update(actor, record_type, one.pk, {slug: value})
            transaction.set_rollback(True)
        outcome = "written"
    except NotFound:
        outcome = "unseen"
    except Forbidden:
        outcome = "forbidden"
    except Invalid as error:
        outcome = error.errors[0].code
    if actor.scope(DEAL, "edit") is Scope.NONE:
        expected = "forbidden" if actor.can(DEAL, "view") else "unseen"
    elif not sees(actor, DEAL, one, world):
        expected = "unseen"
    elif not held(actor, actor.scope(DEAL, "edit"), one.owner_id):
        expected = "forbidden"
    elif writable:
        expected = "written"
    else:
        expected = "unknown_field" if slug in hidden_slugs(actor, record_type) else "not_allowed"
    assert outcome == expected


@given(data=st.data())
@settings(RELAXED, max_examples=examples(5))
def test_the_reason_told_is_the_wall_itself(data: st.DataObject, world: World) -> None:
    """Random trees, heads, members and roles: who has a reason to see a record is who sees it."""
    with transaction.atomic():
        teams: list[Team] = []
        for number in range(data.draw(st.integers(1, 5))):
            parent = data.draw(st.sampled_from([None, *teams]))
            head = data.draw(st.sampled_from([None, *(one.member_id for one in world.people)]))
            teams.append(Team.objects.create(name=f"T{number}", parent=parent, head_id=head))
        for place, person in enumerate(world.people):
            matrix = {noun: {"view": data.draw(scopes).name.lower()} for noun in (DEAL, COMPANY, *ACTIVITY_NOUNS)}
            role = Role.objects.create(slug=f"r{place}", name=f"R{place}", permissions=matrix)
            team = data.draw(st.sampled_from([None, *teams]))
            Member.objects.filter(id=str(person.member_id)).update(role=role, team=team)
        people = People()
        actors = [found for one in world.people if (found := actor_for_member(one.tenant, member_of(one)))]
        for noun, records in world.records.items():
            record_type = registry.get(noun)
            walls = {
                actor.member_id: set(record_type.visible_to(actor).values_list("pk", flat=True)) for actor in actors
            }
            for record in records:
                facts = facts_of(record_type, record_type.rows.get(pk=record.pk))
                for actor in actors:
                    seen = record.pk in walls[actor.member_id]
                    reason = reason_for(member_of(actor), actor.permissions, facts, people)
                    assert (reason is not None) is seen, (noun, actor.permissions.matrix[noun], reason)
                    assert sees(actor, noun, record, world) is seen
        transaction.set_rollback(True)


def test_the_dialog_tells_why_and_who_else(world: World, browser_client: Any, seller: Actor, owner: Actor) -> None:
    deal = next(one for one in world.deals if one.owner_id == seller.member_id)
    page = browser_client(seller).get(f"/deals/{deal.pk}/why/")
    assert page.status_code == 200
    assert "It is theirs" in page.content.decode()
    assert 'name="member"' not in page.content.decode()
    shown = browser_client(owner).get(f"/deals/{deal.pk}/why/?member={seller.member_id}").content.decode()
    assert "What Seller sees of this" in shown
    assert "1 whose it is" not in shown
    assert "1 whose it is" in browser_client(owner).get(f"/deals/{deal.pk}/why/").content.decode()
    for wrong in ("x", "00000000-0000-7000-8000-000000000000"):
        assert browser_client(owner).get(f"/deals/{deal.pk}/why/?member={wrong}").status_code == 404
    assert browser_client(owner).get("/deals/00000000-0000-7000-8000-000000000000/why/").status_code == 404
