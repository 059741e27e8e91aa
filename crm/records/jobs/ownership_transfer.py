"""What is a member's, and giving it to others: when they leave, or when work is shared out anew.

A few hundred records go in one transaction, more in the background, chunk by chunk; either way as one change, with the
leaving itself, that can be undone as a whole. Everybody gives away only what they may see and change themselves: the
rest stays where it is.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import UUID

import orjson
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from crm.records.access.visibility import readable_fields, require_scope, rows_allowing, writable_fields
from crm.records.errors import Forbidden, Invalid, NotFound, RecordError
from crm.records.jobs.jobs import Work, job_start
from crm.records.lists.view_services import views_handed_over
from crm.records.models import ChangeSet, Job
from crm.records.read.currencies_used import MoneySum, money_sum
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.actors import actor_for_member
from crm.workspace.errors import Conflict, WorkspaceError
from crm.workspace.models import Member
from crm.workspace.notifications.kinds import HANDED_OVER
from crm.workspace.notifications.notify import notify
from crm.workspace.people.checks import people_lock
from crm.workspace.people.leaving import member_leave
from tenants.actors import Actor
from tenants.workspaces.entitlements import require_writable

type Part = Literal["open", "closed", "all"]

SOURCE = "hand_over"
BATCH_SIZE = 500
"""Records given away in one transaction; more go in the background."""
CHUNK = 500
TRIES = 40
WAIT = 0.05
LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Portion:
    """What a member has of one noun: ``count`` still open and what these are ``worth``, and ``closed`` ones beside them
    (None where nothing is ever closed, or what is done stays with who did it). ``query`` shows them in a list."""

    record_type: RecordType
    count: int
    worth: MoneySum
    closed: int | None
    query: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done: how many of each noun, as which change; ``job`` is at work on them when they are many."""

    change_set: ChangeSet
    counts: Mapping[str, int] = field(default_factory=dict)
    job: Job | None = None

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def held_types(actor: Actor) -> list[RecordType]:
    """The nouns whose records are somebody's and can become another's, as far as the actor sees them."""
    return [record_type for record_type in held_at_all() if actor.can(record_type.slug, "view")]


def held_at_all() -> list[RecordType]:
    return [record_type for record_type in registry.all() if record_type.owner_field and not record_type.is_history]


def owner_of(record_type: RecordType) -> Field:
    return record_type.field(record_type.owner_field)


def held(
    actor: Actor, record_type: RecordType, member_id: UUID, *, part: Part = "open", actions: Collection[str] = ("edit",)
) -> QuerySet[Any]:
    """The records of one member, outside the trash, that the actor may give away by all of ``actions``."""
    narrowest = min(actions, key=lambda action: actor.scope(record_type.slug, action))
    rows = rows_allowing(actor, record_type, narrowest).filter(**{owner_of(record_type).column: member_id})
    known = readable_fields(actor, record_type) if narrowest == "view" else writable_fields(actor, record_type)
    if record_type.owner_field not in {one.slug for one in known}:
        return rows.none()
    if part == "all":
        return rows
    return rows.filter(record_type.open_rows) if part == "open" else rows.exclude(record_type.open_rows)


def portions(actor: Actor, member_id: UUID, *, actions: Collection[str] = ("edit",)) -> list[Portion]:
    """What a member has that the actor may give away, noun by noun; two statements each."""
    found = []
    for record_type in held_types(actor):
        money = next((one for one in readable_fields(actor, record_type) if one.kind is Kind.MONEY), None)
        rows = held(actor, record_type, member_id, actions=actions).order_by()
        worth = money_sum(actor, rows, money)
        closed = (
            held(actor, record_type, member_id, part="closed", actions=actions).count()
            if record_type.still_open
            else None
        )
        if worth.rows or closed:
            found.append(Portion(record_type, worth.rows, worth, closed, list_query(record_type, member_id)))
    return found


def list_query(record_type: RecordType, member_id: UUID) -> str:
    """The query string by which a list shows what is a member's."""
    condition = orjson.dumps({"field": record_type.owner_field, "op": "eq", "value": str(member_id)}).decode()
    return urlencode({"filter": condition})


# -- giving ------------------------------------------------------------------------------------------------------------


def member_hand_over(
    actor: Actor,
    *,
    member_id: UUID,
    takers: Mapping[str, UUID],
    closed_too: Collection[str] = (),
    manager_id: UUID | str | None = None,
    heads: Mapping[UUID, UUID | str | None] | None = None,
) -> Outcome:
    """Deactivate a member and give what they have open to others: ``takers`` by noun; the rest stays theirs.

    ``closed_too`` are nouns of which they give away what is closed as well; ``manager_id`` and ``heads`` as in
    ``member_leave``. In a workspace that is not paid for a member can leave, but gives nothing away. Raises
    WorkspaceError, RecordError and WorkspaceClosed.
    """
    if not actor.can("workspace", "members"):
        raise Forbidden(_("You may not change members of this workspace."))
    if takers:
        require_writable(actor.tenant)
    return retry_on_lock(lambda: hand_over_once(actor, member_id, takers, closed_too, manager_id, heads))


def hand_over_once(
    actor: Actor,
    member_id: UUID,
    takers: Mapping[str, UUID],
    closed_too: Collection[str],
    manager_id: UUID | str | None,
    heads: Mapping[UUID, UUID | str | None] | None,
) -> Outcome:
    with transaction.atomic():
        people_lock(actor)
        leaver = lock_member(member_id)
        if not leaver.is_active:
            raise Conflict("deactivated", _("%(name)s is deactivated already.") % {"name": leaver.name})
        given = records_to_transfer(actor, leaver, takers, closed_too, actions=("edit",))
        change_set = gate.change_set_new(actor, SOURCE)
        gate.change_set_save(change_set)
        for noun, taker in takers.items():
            views_handed_over(member_id=member_id, noun=noun, to=taker, change_set=change_set)
        if sum(map(len, given.values())) <= BATCH_SIZE:
            counts = give(actor, given, takers, change_set)
            member_leave(actor, member_id=member_id, manager_id=manager_id, heads=heads, change_set=change_set)
            notify_new_owners(actor, leaver, takers, counts, change_set)
            return Outcome(change_set, counts)
        if member_id == actor.member_id:
            raise Conflict("too_much", _("You have too much to hand over while you leave. Ask a colleague to do it."))
        member_leave(actor, member_id=member_id, manager_id=manager_id, heads=heads, change_set=change_set)
        return later(actor, leaver, given, takers, closed_too, ("edit",), change_set)


def records_move(
    actor: Actor, *, member_id: UUID, takers: Mapping[str, UUID], closed_too: Collection[str] = ()
) -> Outcome:
    """Give records of a member, active or not, to others. Needs ``bulk`` on each noun that ``takers`` name."""
    for noun in takers:
        if noun not in registry or not (actor.can(noun, "bulk") and actor.can(noun, "edit")):
            raise Forbidden(_("Your role does not allow this for many records at once."))
    require_writable(actor.tenant)
    return retry_on_lock(lambda: move_once(actor, member_id, takers, closed_too))


def move_once(actor: Actor, member_id: UUID, takers: Mapping[str, UUID], closed_too: Collection[str]) -> Outcome:
    actions = ("edit", "bulk")
    with transaction.atomic():
        giver = Member.objects.filter(pk=member_id).first()
        if giver is None:
            raise NotFound
        given = records_to_transfer(actor, giver, takers, closed_too, actions=actions)
        if not any(given.values()):
            raise Conflict("nothing", _("%(name)s has nothing of this that you may give away.") % {"name": giver.name})
        change_set = gate.change_set_new(actor, SOURCE)
        if sum(map(len, given.values())) > BATCH_SIZE:
            return later(actor, giver, given, takers, closed_too, actions, change_set)
        counts = give(actor, given, takers, change_set)
        notify_new_owners(actor, giver, takers, counts, change_set)
        return Outcome(change_set, counts)


def retry_on_lock(work: Callable[[], Outcome]) -> Outcome:
    """Do it as soon as nobody is at one of the records.

    Whoever holds one of them may be about to wait for the member's row. So nothing is waited for while it is held:
    what cannot be had at once is let go of, and all is tried again a moment later.
    """
    for _attempt in range(TRIES):
        try:
            with transaction.atomic():
                return work()
        except OperationalError as error:
            if getattr(error.__cause__, "pgcode", "") != LOCK_NOT_AVAILABLE:
                raise
        time.sleep(WAIT)
    raise Conflict("busy", _("Somebody is changing these records at this moment. Try again in a minute."))


def lock_member(member_id: UUID) -> Member:
    """The member's row, once nothing that is being written names them; until the commit nothing new can."""
    found = Member.objects.select_for_update(of=("self",)).filter(pk=member_id).first()
    if found is None:
        raise NotFound
    return found


def records_to_transfer(
    actor: Actor,
    giver: Member,
    takers: Mapping[str, UUID],
    closed_too: Collection[str],
    *,
    actions: Collection[str],
) -> dict[str, list[UUID]]:
    """The ids by noun, the rows locked. At most a chunk more than goes at once is looked at."""
    check_takers(actor, giver, takers)
    found: dict[str, list[UUID]] = {}
    for record_type in held_types(actor):
        if record_type.slug not in takers:
            continue
        rows = held(actor, record_type, giver.pk, part=part_of(record_type, closed_too), actions=actions).order_by("pk")
        some = rows.select_for_update(of=("self",), no_key=True, nowait=True)[: BATCH_SIZE + 1]
        found[record_type.slug] = list(some.values_list("pk", flat=True))
    return found


def part_of(record_type: RecordType, closed_too: Collection[str]) -> Part:
    return "all" if record_type.slug in closed_too and record_type.still_open is not None else "open"


def check_takers(actor: Actor, giver: Member, takers: Mapping[str, UUID]) -> None:
    """Raise WorkspaceError for a taker who is not active, is the giver themselves, or may not see such records, and
    MissingScope for records that a key may not read or change."""
    seen: dict[UUID, Actor | None] = {}
    for noun, taker_id in takers.items():
        if taker_id not in seen:
            seen[taker_id] = actor_for_member(actor.tenant, taker_id)
        taker = seen[taker_id]
        if taker is None or taker_id == giver.pk:
            raise WorkspaceError("unknown_taker", _("Choose another active member to take over."), field=noun)
        if noun not in registry:
            raise WorkspaceError("unknown_noun", _("There are no records of this kind."), field=noun)
        require_scope(actor, noun)
        require_scope(actor, noun, "edit")
        if not taker.can(noun, "view"):
            raise WorkspaceError(
                "taker_blind",
                _("The role of %(name)s does not show %(nouns)s. Choose somebody else.")
                % {"name": taker.label, "nouns": str(registry.get(noun).label_plural).lower()},
                field=noun,
            )


def give(
    actor: Actor, given: Mapping[str, list[UUID]], takers: Mapping[str, UUID], change_set: ChangeSet
) -> dict[str, int]:
    counts = {}
    for noun, ids in given.items():
        if ids:
            record_type = registry.get(noun)
            values = {record_type.owner_field: takers[noun]}
            gate.update(actor, record_type, ids, values, change_set=change_set, source=SOURCE)
            counts[noun] = len(ids)
    return counts


def notify_new_owners(
    actor: Actor, giver: Member, takers: Mapping[str, UUID], counts: Mapping[str, int], change_set: ChangeSet
) -> None:
    """Each who takes over is told once, of how much."""
    for taker_id in sorted(set(takers.values()) - {actor.member_id}):
        mine = {noun: number for noun, number in counts.items() if takers.get(noun) == taker_id and number}
        if not mine:
            continue
        notify(
            [taker_id],
            kind=HANDED_OVER,
            key=f"handed_over:{change_set.pk}",
            title=partial(told, actor.label, giver.name, mine),
            record_type=next(iter(mine)),
            count=sum(mine.values()),
            change_id=change_set.pk,
        )


def told(who: str, name: str, counts: Mapping[str, int]) -> str:
    return _("%(who)s handed over to you from %(name)s: %(what)s") % {
        "who": who,
        "name": name,
        "what": counted(counts),
    }


def counted(counts: Mapping[str, int]) -> str:
    """“34 deals, 1 task”."""
    parts = []
    for record_type in registry.all():
        if number := counts.get(record_type.slug):
            label = str(record_type.label if number == 1 else record_type.label_plural).lower()
            parts.append(f"{number:,} {label}")
    return ", ".join(parts)


# -- in the background -------------------------------------------------------------------------------------------------


def later(
    actor: Actor,
    giver: Member,
    given: Mapping[str, list[UUID]],
    takers: Mapping[str, UUID],
    closed_too: Collection[str],
    actions: Collection[str],
    change_set: ChangeSet,
) -> Outcome:
    gate.change_set_save(change_set)
    params = {
        "member": str(giver.pk),
        "takers": {noun: str(takers[noun]) for noun in given},
        "closed_too": sorted(closed_too),
        "actions": sorted(actions),
    }
    total = sum(
        held(actor, registry.get(noun), giver.pk, part=part_of(registry.get(noun), closed_too), actions=actions).count()
        for noun in given
    )
    title = _("Hand over what is %(name)s's") % {"name": giver.name}
    job = job_start(actor, "hand_over", params, title=title, total=total, change_set=change_set)
    return Outcome(change_set, job=job)


def step(work: Work) -> bool:
    """The runner of the kind ``hand_over``: the next chunk of the first noun that is not through.

    Goes by the owner, so what was taken over or shared out since by somebody else is left alone.
    """
    job, actor = work.job, work.actor
    giver = Member.objects.get(pk=UUID(job.params["member"]))
    takers = {noun: UUID(taker) for noun, taker in job.params["takers"].items()}
    nouns = [noun for noun in takers if noun not in job.place.get("through", ())]
    counts: dict[str, int] = job.result.setdefault("counts", {})
    if not nouns:
        notify_new_owners(actor, giver, takers, counts, work.change_set)
        return False
    record_type = registry.get(nouns[0])
    rows = held(
        actor, record_type, giver.pk, part=part_of(record_type, job.params["closed_too"]), actions=job.params["actions"]
    )
    if job.place.get("after"):
        rows = rows.filter(pk__gt=job.place["after"])
    ids = list(rows.order_by("pk").select_for_update(of=("self",), no_key=True).values_list("pk", flat=True)[:CHUNK])
    if not ids:
        job.place = {"through": [*job.place.get("through", ()), record_type.slug]}
        return True
    counts[record_type.slug] = counts.get(record_type.slug, 0) + give_what_goes(
        work, record_type, ids, takers[record_type.slug]
    )
    job.done += len(ids)
    job.place = {**job.place, "after": str(ids[-1])}
    return True


def give_what_goes(work: Work, record_type: RecordType, ids: list[UUID], taker: UUID) -> int:
    """All of a chunk, or, when a rule refuses, each by itself; those that cannot go are told of. How many went."""
    values = {record_type.owner_field: taker}
    try:
        with transaction.atomic():
            gate.update(work.actor, record_type, ids, values, change_set=work.change_set, source=SOURCE)
        return len(ids)
    except Invalid:
        pass
    went = 0
    for one in ids:
        try:
            with transaction.atomic():
                gate.update(work.actor, record_type, one, values, change_set=work.change_set, source=SOURCE)
        except RecordError as error:
            work.skip(record_type.slug, one, error.code, str(error))
        else:
            went += 1
    return went
