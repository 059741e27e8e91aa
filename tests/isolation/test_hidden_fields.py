"""A field that a role hides tells that role nothing, wherever its value is shown to others.

Every field that can be hidden is hidden, and every page, API route, feed and board that shows its value to others must
then be the same whether it has that value or none. That asks many hundred pages, so that it takes long; in
``make test-deep`` each field is hidden in turn, which takes longer still.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.apps import apps
from django.conf import settings as configured
from django.db import transaction
from django.utils import timezone

from crm.activities.calendar.feeds import feed_make
from crm.activities.models import Place
from crm.activities.series import recurrence
from crm.records.access.visibility import always_shown
from crm.records.events.dispatch import drain
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.sales.models import Stage
from crm.workspace.actors import actor_for_member
from crm.workspace.models import Member, Role
from crm.workspace.permissions import ACTIONS
from tenants.actors import Actor
from tests import factories
from tests.depth import DEEP
from tests.isolation.routes import Thing, addresses, routes

pytestmark = [pytest.mark.django_db, pytest.mark.deep]

SHOWN_BY_THE_NAME = {("contact", "first_name"), ("contact", "last_name")}
"""Parts of what a record is called, which no role hides."""
WEEKS = {"task": 7, "call": 8, "meeting": 9}
DONE_AT = datetime(2019, 5, 5, 10, tzinfo=UTC)
DAYS = iter(range(1, 29))
NUMBERS = iter(range(7_111, 9_999, 37))
NEW_EACH_TIME = re.compile(
    r'csrfmiddlewaretoken" value="[^"]+|"X-CSRFToken": ?"[^"]+|nonce="[^"]+|just now|(in )?\d+ (second|minute)s?( ago)?'
)
ID = re.compile(r"[0-9a-f-]{36}")
TEXTS = {Kind.TEXT, Kind.LONG_TEXT, Kind.EMAILS, Kind.PHONES, Kind.ADDRESS}


@dataclass
class Planted:
    """One field of one record with a value nobody else has: ``marks`` are how it is written."""

    record_type: RecordType
    field: Field
    record: Any
    marks: set[str]
    paths: list[str] = dataclasses.field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.record_type.slug}.{self.field.slug}"

    def look(self, shown: dict[str, str]) -> None:
        """Keep where the value stands, one address of each route; choices have names that stand in many forms too."""
        own, kept = str(self.record.pk), dict[str, str]()
        for path in sorted(shown, key=lambda path: own not in path):
            here = (
                self.field.kind is not Kind.CHOICE
                or own in path
                or f"/{self.record_type.plural}" in path
                or path == "/"
            )
            if here and any(mark in shown[path] for mark in self.marks):
                kept.setdefault(ID.sub("*", path), path)
        self.paths = list(kept.values())

    def stands_in(self, path: str, body: str) -> bool:
        """Whether the value, or of a search for it the record, is on a page."""
        if any(path.endswith(f"?q={mark}") for mark in self.marks):
            return f"/{self.record_type.plural}/{self.record.pk}" in body
        return any(mark in body for mark in self.marks)

    def clear(self) -> None:
        """Take the value out of the tables, and leave all else as it is."""
        one, rows = self.field, self.record_type.rows.filter(pk=self.record.pk)
        if one.kind is Kind.LINKS:
            apps.get_model(one.through)._default_manager.filter(**{self.record_type.slug: self.record.pk}).delete()
            return
        if one.kind is Kind.REFERENCES:
            if one.slug == "also":
                other = [UUID(entry["id"]) for entry in getattr(self.record, one.slug)]
                Place.objects.filter(activity_id=self.record.pk, about_id__in=other).delete()
            rows.update(**{one.slug: []})
            return
        column = self.record_type.model_class._meta.get_field(one.slug)
        empty: Any = None if column.null else [] if one.kind in {Kind.EMAILS, Kind.PHONES} else ""
        empty = {} if one.kind is Kind.ADDRESS else empty
        changed = {one.slug: empty} | ({one.keys_column: []} if one.keys_column else {})
        if one.currency:
            changed |= {one.currency: ""}
        if one.slug == "done_at":
            changed = {"done_at": DONE_AT - timedelta(days=9)}
            Place.objects.filter(activity_id=self.record.pk, at=DONE_AT).update(at=changed["done_at"])
        rows.update(**changed)


def hideable(record_type: RecordType) -> list[Field]:
    if record_type.visible.is_everyones:
        return []
    left_out = {
        *always_shown(record_type),
        *record_type.companions,
        *(slug for noun, slug in SHOWN_BY_THE_NAME if noun == record_type.slug),
    }
    return [one for one in record_type.shown_fields if one.slug not in left_out]


def value_of(record_type: RecordType, one: Field, target: Callable[[str, str], Any]) -> tuple[Any, set[str]]:
    """A value for a field that no other has, and how that is written on pages and in JSON."""
    text = f"hush{record_type.slug}{one.slug}".replace("_", "")
    if one.slug == "repeat":
        rule = f"FREQ=WEEKLY;INTERVAL={WEEKS[record_type.slug]};BYDAY=TU"
        return rule, {rule, recurrence.words(rule)}
    if one.slug == "domain":
        return f"{text}.example", {text}
    if one.slug == "phone":
        return "+49 30 90182077", {"90182077"}
    match one.kind:
        case Kind.TEXT | Kind.LONG_TEXT:
            return text, {text}
        case Kind.EMAILS:
            return [{"value": f"{text}@example.com", "label": "work"}], {text}
        case Kind.PHONES:
            digits = f"9018{next(NUMBERS)}"
            return [{"value": f"+49 30 {digits}", "label": "work"}], {digits}
        case Kind.ADDRESS:
            return {"city": text.title()}, {text.title()}
        case Kind.DATE:
            day = date(2031 if one.slug == "expected_close" else 1971, 3, next(DAYS))
            return day, {day.isoformat(), f"Mar {day.day}, {day.year}"}
        case Kind.MONEY:
            return Decimal("77777"), {"77777", "77.8K", "77,777"}
        case Kind.PERCENT:
            return Decimal("61.25"), {"61.25"}
        case Kind.INTEGER:
            number = next(NUMBERS)
            return number, {f"{number:d}", f"{number:,}", str(one.words(number)) if one.words else ""} - {""}
        case Kind.CHOICE:
            choice = one.choices[-1]
            return choice.value, {str(choice.label), f'"{choice.value}"'}
        case Kind.RELATION:
            return target(one.target, text).pk, {text}
        case Kind.DATETIME:
            return None, {"2019-05-05", "May 5, 2019"}
        case Kind.LINKS:
            return [{"id": target(one.target, text).pk, "role": ""}], {text}
        case Kind.REFERENCES:
            noun = "contact" if one.targets else "company"
            return [{"type": noun, "id": target(noun, text).pk}], {text}
    raise AssertionError(f"{record_type.slug}.{one.slug}: how is such a value told from others?")


class World:
    """A record of each type with every field filled in, and what others of them lead to."""

    def __init__(self, owner: Actor, whose: Actor) -> None:
        self.owner = owner
        self.planted: list[Planted] = []
        self.targets: list[tuple[str, Any]] = []
        self.records: dict[str, list[Any]] = {}
        about = {"type": "deal", "id": factories.deal(owner, name="Plain", owner=whose.member_id).pk}
        for record_type in registry.all():
            found = {one.slug: value_of(record_type, one, self.target) for one in hideable(record_type)}
            if not found:
                continue
            values = {slug: value for slug, (value, _marks) in found.items()}
            base: dict[str, Any] = {
                record_type.title: f"Fine {record_type.slug}",
                record_type.own_field: whose.member_id,
            }
            if "about" in record_type.by_slug:
                base |= {"about": about} | ({"due_at": timezone.now()} if record_type.slug == "task" else {})
            if "starts_at" in record_type.by_slug:
                base["starts_at"] = timezone.now() - timedelta(hours=2)
            for part in self.parts(record_type, values):
                if record_type.own_field not in record_type.by_slug:
                    base.pop(record_type.own_field, None)
                record = factories.make(owner, record_type.slug, base | part)
                self.records.setdefault(record_type.slug, []).append(record)
                if "done_at" in found and record.done:
                    self.done_long_ago(record_type, record)
                self.planted += [
                    Planted(record_type, record_type.field(slug), record, marks)
                    for slug, (_value, marks) in found.items()
                    if (slug in part or (slug == "done_at" and record.done))
                    and (record_type.slug, slug) not in SHOWN_BY_THE_NAME
                ]

    def target(self, noun: str, name: str) -> Any:
        """Something that one field alone leads to."""
        made = factories.make(self.owner, noun, {"name": name})
        self.targets.append((noun, made))
        return made

    def parts(self, record_type: RecordType, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Values that can stand in one record: what only a closed deal or a done activity has is in one of its own."""
        if record_type.slug == "deal":
            closing = {slug: values.pop(slug) for slug in ("closed_on", "lost_reason")}
            yield values
            yield {**closing, "stage": Stage.objects.get(kind="lost").pk}
        elif "done_at" in values:
            values.pop("done_at")
            yield values
            yield {"done": True, "outcome": values["outcome"]}
        else:
            yield values

    def done_long_ago(self, record_type: RecordType, record: Any) -> None:
        record_type.rows.filter(pk=record.pk).update(done_at=DONE_AT)
        Place.objects.filter(activity_id=record.pk, at__isnull=False).update(at=DONE_AT)

    def walk(self, reader: "Reader", urlconf: str) -> dict[str, str]:
        """What all routes answer, for each record; a route that takes no reading is asked once."""
        things = [
            Thing(registry.get(slug).plural, record.pk, registry.get(slug).title)
            for slug, records in self.records.items()
            for record in records
        ]
        stage = self.records["deal"][0].stage
        things += [Thing("pipelines", stage.pipeline_id, "name"), Thing("stages", stage.pk, "name")]
        known = {"stage": stage.pk, "pipeline": stage.pipeline_id}
        found: dict[str, str] = {}
        for route in routes(urlconf):
            for path in addresses(route, things, known):
                if "%" in path or path.startswith(("/oauth", "/static")):
                    break
                found[path] = reader.get(path)
                if reader.status == 405:
                    break
        return found


def further(world: World) -> list[str]:
    """Lists with all columns, in groups and summed up, boards with all fields on their cards, searches, calendars."""
    found = [f"/calendar/?span={span}" for span in ("day", "week", "month")]
    for noun in world.records:
        record_type = registry.get(noun)
        slugs = [one.slug for one in hideable(record_type)]
        found.append(f"/{record_type.plural}/?columns={'.'.join([record_type.title, *slugs])}")
        found += [
            f"/{record_type.plural}/?group={slug}"
            for slug in slugs
            if record_type.field(slug).kind in {Kind.CHOICE, Kind.RELATION}
        ]
        found.append(f"/api/v1/{record_type.plural}?limit=100")
    cards = ".".join(one.slug for one in hideable(registry.get("deal")))
    found += [f"/deals/board/?cards={cards}", f"/deals/totals/?columns={cards.replace('.', ',')}"]
    for noun, record in world.targets:
        plural = registry.get(noun).plural
        found += [f"/{plural}/{record.pk}/", f"/{plural}/{record.pk}/activity/", f"/api/v1/{plural}/{record.pk}"]
    texts = [one for one in world.planted if one.field.searchable]
    return [*found, *(f"/search/?q={mark}" for one in texts for mark in one.marks)]


class Reader:
    """Asks as one member, by the browser and by a key."""

    def __init__(self, actor: Actor, browser_client: Callable[..., Any], api: Callable[..., Any]) -> None:
        self.browser, self.key, self.status = browser_client(actor), api(actor), 0

    def get(self, path: str) -> str:
        """What stands there, without what is new with each answer; blank where nothing is to be had."""
        answer = (self.key if path.startswith("/api/") else self.browser).get(path)
        assert answer.status_code < 500, path
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        self.status = answer.status_code
        if self.status != 200:
            return ""
        return NEW_EACH_TIME.sub("", content.decode(errors="replace"))


@pytest.fixture
def narrowed(owner: Actor, seller: Actor) -> Callable[[dict[str, Any]], Actor]:
    """The seller in a role that may do everything and sees all records; what it hides is said anew each time."""
    rights: dict[str, Any] = {record_type.slug: dict.fromkeys(ACTIONS, "all") for record_type in registry.all()}
    rights |= {"member": {"view": "all"}, "workspace": {"settings": "all", "sample_data": "all", "api_keys": "all"}}
    role = Role.objects.create(slug="narrow", name="Narrow", permissions=rights)
    Member.objects.filter(pk=str(seller.member_id)).update(role=role)

    def hide(fields: dict[str, Any]) -> Actor:
        Role.objects.filter(pk=role.pk).update(fields=fields)
        found = actor_for_member(owner.tenant, UUID(str(seller.member_id)))
        assert found is not None
        return found

    return hide


@pytest.mark.slow("opens all pages for all fields that can be hidden")
def test_a_hidden_field_changes_nothing_that_its_reader_gets(
    owner: Actor, seller: Actor, narrowed: Any, browser_client: Any, api: Any
) -> None:
    narrowed({})
    world = World(owner, seller)
    drain(owner.tenant)
    reader = Reader(seller, browser_client, api)
    feed = f"/calendar/feed/{feed_make(seller)}.ics"
    shown = {path: reader.get(path) for path in (feed, *further(world))}
    shown |= world.walk(reader, configured.TENANT_URLCONF) | world.walk(reader, configured.API_URLCONF)
    for one in world.planted:
        one.look(shown)
    assert [one.name for one in world.planted if not one.paths] == []
    told = []
    for record_type, planted in groups(world.planted):
        narrowed({record_type.slug: dict.fromkeys((one.field.slug for one in planted), "hidden")})
        hushed = {path: reader.get(path) for path in {path for one in planted for path in one.paths}}
        words = [one for one in planted if one.field.kind in TEXTS]
        told += [f"{one.name}: {path}" for one in words for path in one.paths if one.stands_in(path, hushed[path])]
        others = [one for one in planted if one not in words]
        with transaction.atomic():
            for one in others:
                one.clear()
            without = {path: reader.get(path) for path in {path for one in others for path in one.paths}}
            transaction.set_rollback(True)
        told += [f"{one.name}: {path}" for one in others for path in one.paths if hushed[path] != without[path]]
    assert not told, "\n".join(told)


def groups(planted: list[Planted]) -> Iterator[tuple[RecordType, list[Planted]]]:
    """The fields that are hidden together: all of a type, or in `make test-deep` each in turn."""
    for record_type in registry.all():
        mine = [one for one in planted if one.record_type is record_type]
        if not mine:
            continue
        for together in [[one] for one in mine] if DEEP else [mine]:
            yield record_type, together
