"""Sample data in a workspace: loaded in one go, cleared in one go."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from crm.activities.visibility import PLANNED
from crm.records.errors import Forbidden
from crm.records.models import ChangeSet
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.records.write.gate import change_set_new
from crm.sales.models import Deal, LostReason, Pipeline, Stage
from crm.sales.rules.common import LOST, OPEN, WON
from crm.sales.sample.lands import LANDS
from crm.sales.sample.money import Money
from crm.sales.sample.story import OPEN_STAGES, Doing, story
from crm.sales.sample.story import WON as STORY_WON
from crm.workspace.currencies.convert import rates_at
from crm.workspace.models import Notification
from crm.workspace.people.sample_people import sample_people
from tenants.actors import Actor
from tenants.db.locks import advisory_lock
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.workspaces.entitlements import require_writable

NOUNS = ("note", "email", "meeting", "call", "task", "deal", "contact", "company")
SETTINGS = ("pipeline", "stage")
CLEARED = (*NOUNS, *SETTINGS)
PIPELINE = gettext_noop("Windows")
STAGES: tuple[dict[str, Any], ...] = (
    {"name": gettext_noop("First call"), "probability": 10, "color": "gray", "stale_days": 7},
    {"name": gettext_noop("Measuring"), "probability": 30, "color": "blue", "stale_days": 14},
    {
        "name": gettext_noop("Agreement"), "probability": 60, "color": "violet", "stale_days": 21,
        "required_fields": ["amount"],
    },
    {
        "name": gettext_noop("Payment"), "probability": 85, "color": "amber", "stale_days": 14,
        "required_fields": ["expected_close"],
    },
    {"name": gettext_noop("Installation"), "probability": 95, "color": "teal", "stale_days": 30},
)  # fmt: skip
ENDS: tuple[dict[str, Any], ...] = (
    {"name": gettext_noop("Won"), "kind": WON, "color": "green"},
    {"name": gettext_noop("Lost"), "kind": LOST, "color": "red"},
)
PEOPLE = (("Jonas Keller", "manager"), ("Amelie Roux", "member"), ("Marek Nowak", "member"), ("Sofia Lind", "member"))
"""Who sells in the sample, each with the role they work in."""
FRESH = timedelta(days=4)


@dataclass(frozen=True, slots=True)
class Kept:
    """A sample record that stays because something real rests on it."""

    type: str
    id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class SampleCleared:
    """How many records went to the trash, in which change-set (None for none), and which stay."""

    cleared: int
    kept: list[Kept]
    change_set_id: UUID | None


def _need(actor: Actor) -> None:
    if not actor.can("workspace", "sample_data"):
        raise Forbidden
    require_writable(actor.tenant)


def sample_present(actor: Actor) -> bool:
    """Whether there is sample data outside the trash."""
    return any(
        registry.get(noun).model_class.objects.filter(is_sample=True, deleted_at=None).exists() for noun in NOUNS
    )


def sample_load(
    actor: Actor, *, team: Sequence[Actor] = (), pipeline_id: UUID | None = None, now: datetime | None = None
) -> int:
    """Fill the workspace with half a year of a sample business; returns how many records, 0 when there are some.

    ``team`` are further people among whom the work is shared, ``pipeline_id`` where their deals stand; without them the
    sample brings people and a pipeline of its own. These people are named on what they did and are no members.
    """
    _need(actor)
    with transaction.atomic(), override(actor.tenant.locale):
        _acquire_writer_locks()
        if sample_present(actor):
            return 0
        with nullcontext(team) if team else sample_people(actor.tenant, PEOPLE) as people:
            made = Loader([actor, *people], pipeline_id or _pipeline(actor), now or timezone.now()).load()
        _flag(actor, True)
    return made


def _acquire_writer_locks() -> None:
    """Of those who load and clear at once, one does it and the others find it done."""
    advisory_lock("sample")


def _pipeline(actor: Actor) -> UUID:
    """The pipeline of a business that fits windows; a workspace without deals of its own opens with it."""
    is_first = not Deal.objects.filter(deleted_at=None).exists()
    values = {"name": _(PIPELINE), "is_default": is_first}
    made = gate.create(actor, registry.get("pipeline"), values, source="sample")
    stages = [{"kind": OPEN, **one, "name": _(one["name"]), "pipeline": made.id} for one in (*STAGES, *ENDS)]
    gate.create_many(actor, registry.get("stage"), stages, change_set=made.change_set, source="sample")
    return made.id


class Loader:
    """Writes the story through the gate: what is long ago in bulk, the last days one thing after the other."""

    def __init__(self, people: Sequence[Actor], pipeline_id: UUID, now: datetime) -> None:
        self.people = people
        self.pipeline_id = pipeline_id
        self.now = now.astimezone(people[0].time_zone)
        self.ids: dict[str, UUID] = {}
        self.nouns: dict[str, str] = {}
        rows = Stage.objects.filter(pipeline=pipeline_id, deleted_at=None).order_by("position", "pk")
        self.stages = {kind: [stage.pk for stage in rows if stage.kind == kind] for kind in (OPEN, WON, LOST)}
        self.reasons = list(
            LostReason.objects.filter(deleted_at=None).order_by("position").values_list("pk", flat=True)
        )

    def load(self) -> int:
        own, today = self.people[0].tenant.currency, self.now.date()
        rated = rates_at((land.currency for land in LANDS), today - timedelta(days=1))
        doings = story(self.now, len(self.people), Money(own, rated))
        for doing in doings:
            if doing.what not in {"move", "edit", "done"}:
                self.nouns[doing.key] = doing.what
        border = self.now - FRESH
        self.bulk([doing for doing in doings if doing.at < border])
        for doing in doings:
            if doing.at >= border:
                self.write([doing])
        return len(self.ids)

    def bulk(self, doings: Sequence[Doing]) -> None:
        """Nouns in the order in which they refer to each other; then each further change of a record in its turn."""
        for what in reversed(NOUNS):
            self.by_person([doing for doing in doings if doing.what == what])
        turns: dict[int, list[Doing]] = {}
        seen: dict[str, int] = {}
        for doing in doings:
            if doing.what in {"move", "edit", "done"}:
                seen[doing.key] = turn = seen.get(doing.key, 0) + 1
                turns.setdefault(turn, []).append(doing)
        for turn in sorted(turns):
            for what in ("move", "edit", "done"):
                self.by_person([doing for doing in turns[turn] if doing.what == what])

    def by_person(self, doings: Sequence[Doing]) -> None:
        def whose(doing: Doing) -> tuple[int, str]:
            return doing.person, self.nouns[doing.key]

        ordered = sorted(doings, key=lambda doing: (*whose(doing), doing.at))
        for _whose, group in groupby(ordered, key=whose):
            self.write(list(group))

    def write(self, doings: Sequence[Doing]) -> None:
        """Doings of one kind by one person, as one write."""
        actor, what = self.people[doings[0].person], doings[0].what
        times = [doing.at for doing in doings]
        if what in {"move", "edit", "done"}:
            noun = self.nouns[doings[0].key]
            rows = {self.ids[doing.key]: self.values(doing) for doing in doings}
            gate.update_many(actor, registry.get(noun), rows, source="sample", at=times)
            return
        rows_new = [self.values(doing) for doing in doings]
        change = gate.create_many(actor, registry.get(what), rows_new, source="sample", at=times)
        self.ids.update({doing.key: record.pk for doing, record in zip(doings, change.records, strict=True)})

    def values(self, doing: Doing) -> dict[str, Any]:
        """What the gate takes: keys become ids, people members, and the story's stages those of the pipeline."""
        if doing.what == "done":
            return {"done": True}
        values = dict(doing.values)
        if (person := values.pop("mentions", None)) is not None:
            named = self.people[person]
            values["body"] = f"@[{named.label}](member:{named.member_id}) {values['body']}"
        for slug in ("company", "assignee", "about", "also", "guests", "people", "contacts", "stage", "lost_reason"):
            if slug in values:
                values[slug] = getattr(self, f"as_{slug}")(values[slug])
        if doing.what == "deal":
            values |= {"pipeline": self.pipeline_id, "stage": self.as_stage(0)}
        return values

    def as_company(self, key: str) -> UUID:
        return self.ids[key]

    def as_assignee(self, person: int) -> UUID | None:
        return self.people[person].member_id

    def as_about(self, key: str) -> dict[str, Any]:
        return {"type": self.nouns[key], "id": self.ids[key]}

    def as_also(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        return [self.as_about(key) for key in keys]

    def as_guests(self, guests: Sequence[tuple[str, str] | int]) -> list[dict[str, Any]]:
        """Contacts with their reply, or people of the team."""
        return [
            {"type": "member", "id": self.as_assignee(one)}
            if isinstance(one, int)
            else {**self.as_about(one[0]), "reply": one[1]}
            for one in guests
        ]

    def as_people(self, people: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{**self.as_about(key), "role": role} for key, role in people]

    def as_contacts(self, links: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
        return [{"id": self.ids[key], "role": role} for key, role in links]

    def as_stage(self, number: int) -> UUID:
        if number >= OPEN_STAGES:
            return self.stages[WON if number == STORY_WON else LOST][0]
        stages = self.stages[OPEN]
        return stages[number * len(stages) // OPEN_STAGES]

    def as_lost_reason(self, number: int) -> UUID | None:
        return self.reasons[number % len(self.reasons)] if self.reasons else None


def sample_clear(actor: Actor) -> SampleCleared:
    """Move all sample records to the trash, but those that a real record refers to, and what these refer to."""
    _need(actor)
    with transaction.atomic():
        _acquire_writer_locks()
        sample = {noun: set(_ids(registry.get(noun), True)) for noun in CLEARED}
        for noun in PLANNED:
            sample[noun] |= _of_series(registry.get(noun), sample[noun])
        kept = _rested_on(sample)
        change_set = change_set_new(actor, "sample")
        pipelines = sample["pipeline"] - kept["pipeline"]
        if pipelines and not _another_default(actor, pipelines, change_set):
            kept["pipeline"] |= pipelines
        kept["stage"] |= set(_live_stages(kept["pipeline"])) & sample["stage"]
        cleared = 0
        for noun in CLEARED:
            going = sorted(sample[noun] - kept[noun])
            if not going:
                continue
            gate.trash(actor, registry.get(noun), going, change_set=change_set, source="sample")
            cleared += len(going)
            Notification.objects.filter(record_type=noun, record_id__in=going).delete()
        staying = [
            Kept(noun, row.pk, registry.get(noun).title_of(row))
            for noun in reversed(CLEARED)
            for row in registry.get(noun).model_class.objects.filter(pk__in=kept[noun]).order_by("sort_name", "pk")
        ]
        _flag(actor, bool(staying))
    return SampleCleared(cleared, staying, None if change_set._state.adding else change_set.pk)


def _of_series(record_type: RecordType, ids: Collection[UUID]) -> set[UUID]:
    """What series of the sample have made since: their times are as little real as the first."""
    rows: QuerySet[Any] = record_type.rows.filter(deleted_at=None)
    series = rows.filter(pk__in=ids).exclude(series="").values("series")
    return set(rows.filter(series__in=series).values_list("pk", flat=True))


def _live_stages(pipelines: Collection[UUID]) -> Iterable[UUID]:
    return Stage.objects.filter(pipeline__in=pipelines, deleted_at=None).values_list("pk", flat=True)


def _another_default(actor: Actor, going: Collection[UUID], change_set: ChangeSet) -> bool:
    """Have deals begin in another pipeline if they do in one of these; False when there is no other."""
    if not Pipeline.objects.filter(pk__in=going, is_default=True).exists():
        return True
    others = Pipeline.objects.filter(deleted_at=None, archived=False).exclude(pk__in=going)
    other = others.order_by("position", "pk").first()
    if other is None:
        return False
    gate.update(actor, registry.get("pipeline"), other.pk, {"is_default": True}, change_set=change_set)
    return True


def _ids(record_type: RecordType, is_sample: bool) -> Any:
    return record_type.model_class.objects.filter(is_sample=is_sample, deleted_at=None).values_list("pk", flat=True)


def _rested_on(sample: Mapping[str, set[UUID]]) -> dict[str, set[UUID]]:
    """Sample records that real ones refer to, directly or by way of other sample records."""
    kept: dict[str, set[UUID]] = {noun: set() for noun in sample}
    real = {
        record_type.slug: record_type.model_class.objects.filter(deleted_at=None).exclude(
            pk__in=sample.get(record_type.slug, ())
        )
        for record_type in registry.all()
    }
    fresh = _referred(real, sample)
    while any(fresh.values()):
        for noun, ids in fresh.items():
            kept[noun] |= ids
        rows = {noun: registry.get(noun).model_class.objects.filter(pk__in=ids) for noun, ids in fresh.items() if ids}
        fresh = {noun: ids - kept[noun] for noun, ids in _referred(rows, sample).items()}
    return kept


def _referred(sources: Mapping[str, QuerySet[Any]], sample: Mapping[str, set[UUID]]) -> dict[str, set[UUID]]:
    """Which sample records the given rows point to by a relation, a link or a reference."""
    found: dict[str, set[UUID]] = {noun: set() for noun in sample}
    for slug, rows in sources.items():
        record_type = registry.get(slug)
        for field in record_type.fields:
            wanted = sample.get(field.target, set())
            match field.kind:
                case Kind.RELATION if wanted:
                    pointing = rows.filter(**{f"{field.column}__in": wanted})
                    found[field.target] |= set(pointing.values_list(field.column, flat=True))
                case Kind.LINKS if wanted:
                    links = apps.get_model(field.through)._default_manager.filter(
                        **{f"{slug}__in": rows, f"{field.target}__in": wanted}
                    )
                    found[field.target] |= set(links.values_list(f"{field.target}_id", flat=True))
                case Kind.REFERENCES:
                    for listed in rows.exclude(**{field.slug: []}).values_list(field.slug, flat=True):
                        for one in listed:
                            if UUID(one["id"]) in sample.get(one["type"], ()):
                                found[one["type"]].add(UUID(one["id"]))
                case Kind.REFERENCE:
                    for noun, ids in sample.items():
                        pointing = rows.filter(**{f"{field.slug}_type": noun, f"{field.slug}_id__in": ids})
                        found[noun] |= set(pointing.values_list(f"{field.slug}_id", flat=True))
    return found


def _flag(actor: Actor, has_sample: bool) -> None:
    with shared():
        Tenant.objects.filter(id=actor.tenant.id).update(has_sample=has_sample)
