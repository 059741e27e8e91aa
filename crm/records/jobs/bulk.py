"""One change over many records: those selected, or all that a list shows.

The rows are fixed when the work is started. When its turn comes, a row is changed if it is still there and still is
what was asked for; one that was changed so that it is not, went to the trash, or is out of the member's reach by then
is left as it is and told of. So is a row that the rules refuse, unless the work is to stop at the first of these: then
all that was done before is taken back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm.records.access.visibility import require_field, require_scope, writable_fields
from crm.records.errors import FieldError, Forbidden, Invalid, NotFound, UndoConflict
from crm.records.events import changes
from crm.records.fields.parsing import BadValue, parse
from crm.records.jobs import jobs
from crm.records.jobs.jobs import OPEN, SOURCE, Work, chunk_take, chunks_counted, freeze, freeze_ids, job_start
from crm.records.models import ChangeSet, Event, Job
from crm.records.query import language, search_text
from crm.records.read.reading import rows_allowing
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate, given_values, row_values, undo
from crm.records.write.validation import NOT_USED, currency_problem
from crm.workspace.notifications.notify import notify
from tenants.actors import Actor

type Action = Literal["edit", "trash", "restore"]
type OnError = Literal["skip", "stop"]

NEEDS: Mapping[Action, str] = {"edit": "edit", "trash": "delete", "restore": "delete"}
MAX_AT_ONCE = 500
MAX_TITLE = 160
ASSIGNED = "assigned"
FREEZE_EFFECTS = """
    INSERT INTO records_jobchunk (job_id, number, noun, ids)
    SELECT %s, row_number() OVER (ORDER BY max(placed.last) DESC) - 1, placed.record_type,
        array_agg(placed.record_id ORDER BY placed.last DESC)
    FROM (
        SELECT told.record_type, told.record_id, told.last,
            (row_number() OVER (PARTITION BY told.record_type ORDER BY told.last DESC) - 1) / %s AS place
        FROM (
            SELECT record_type, record_id, max(id::text) AS last FROM records_event
            WHERE change_set_id = %s AND record_type <> ALL(%s) GROUP BY record_type, record_id
        ) AS told
    ) AS placed
    GROUP BY placed.record_type, placed.place
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: ``ids`` if given, else all that match the filter and the search."""

    ids: Sequence[UUID] | None = None
    filter: Mapping[str, Any] | None = None
    search: str = ""


def reached(actor: Actor, record_type: RecordType, action: Action) -> QuerySet[Any]:
    """The rows that the actor may deal with in bulk, those they may not ``action`` one by one among them."""
    for needed in ("bulk", NEEDS[action], "view"):
        require_scope(actor, record_type.slug, needed)
    if not actor.can(record_type.slug, "bulk") or not actor.can(record_type.slug, NEEDS[action]):
        raise Forbidden(_("Your role does not allow this for many records at once."))
    return rows_allowing(actor, record_type, "bulk", trashed="only" if action == "restore" else "exclude")


def selected(
    actor: Actor, record_type: RecordType, action: Action, wanted: Selection, *, now: Any = None
) -> QuerySet[Any]:
    rows = reached(actor, record_type, action)
    if wanted.ids is not None:
        return rows.filter(pk__in=wanted.ids)
    if wanted.filter:
        rows = rows.filter(language.compile(actor, record_type, wanted.filter, now=now))
    return rows.filter(search_text.search_q(actor, record_type, wanted.search)) if wanted.search.strip() else rows


def bulk_now(
    actor: Actor, record_type: RecordType, action: Action, ids: Sequence[UUID], values: Mapping[str, Any] | None = None
) -> gate.Change:
    """Change a few, all or none, while somebody waits. Raises Forbidden, NotFound and Invalid."""
    rows = reached(actor, record_type, action)
    visible = rows_allowing(actor, record_type, "view", trashed="only" if action == "restore" else "exclude")
    if ids_of(visible, ids) - ids_of(rows, ids):
        raise Forbidden(_("Your role does not let you change some of these together."))
    match action:
        case "trash":
            return gate.trash(actor, record_type, ids)
        case "restore":
            return gate.restore(actor, record_type, ids)
        case "edit":
            return gate.update(actor, record_type, ids, values or {})


def bulk_start(
    actor: Actor,
    record_type: RecordType,
    action: Action,
    wanted: Selection,
    *,
    values: Mapping[str, Any] | None = None,
    on_error: OnError = "skip",
) -> Job:
    """Begin to change all of a selection in the background. Raises Forbidden, Invalid and BadQuery."""
    given = dict(values or {})
    if action == "edit":
        check_values(actor, record_type, given)
    rows = selected(actor, record_type, action, wanted)
    params = {
        "action": action,
        "values": given,
        "on_error": on_error,
        "filter": None if wanted.ids is not None else dict(wanted.filter or {}),
        "search": "" if wanted.ids is not None else wanted.search.strip(),
    }
    with transaction.atomic():
        job = job_start(actor, "bulk", params, title=title_of(record_type, action, given), noun=record_type.slug)
        if not (
            freeze(job, record_type, rows)
            if wanted.ids is None
            else freeze_ids(job, record_type.slug, sorted(set(wanted.ids)))
        ):
            raise Invalid([], _("There is nothing to change: no record matches any more."))
    return job


def check_values(actor: Actor, record_type: RecordType, values: Mapping[str, Any]) -> None:
    """Raise Invalid for what no row could take, before any is tried."""
    errors: list[FieldError] = []
    if not values:
        errors.append(FieldError("", "required", _("Say what is to be changed.")))
    writable = {one.slug: one for one in writable_fields(actor, record_type)}
    for slug, raw in values.items():
        require_field(actor, record_type, slug)
        one = writable.get(slug)
        if one is None:
            errors.append(FieldError(str(slug)[:100], *given_values.why_not_writable(actor, record_type, str(slug))))
            continue
        if one.unique:
            errors.append(FieldError(slug, "unique", _("Each record has its own; many cannot be given the same.")))
            continue
        try:
            value = parse(one, raw, actor)
        except BadValue as problem:
            errors.append(FieldError(slug, problem.code, problem.message))
            continue
        if one.kind is Kind.CURRENCY and (unused := currency_problem(actor, value)):
            errors.append(FieldError(slug, NOT_USED, unused))
    if errors:
        raise Invalid(errors, str(errors[0].message))


def title_of(record_type: RecordType, action: Action, values: Mapping[str, Any]) -> str:
    nouns = str(record_type.label_plural)
    if action == "trash":
        return _("Move %(nouns)s to the trash") % {"nouns": nouns.lower()}
    if action == "restore":
        return _("Restore %(nouns)s") % {"nouns": nouns.lower()}
    labels = [
        str(record_type.field(slug).label) for slug in values if record_type.field(slug).kind is not Kind.CURRENCY
    ]
    return _("Change %(fields)s of %(nouns)s") % {"fields": ", ".join(labels), "nouns": nouns.lower()}


# -- one chunk ---------------------------------------------------------------------------------------------------------


def step(work: Work) -> bool:
    """The runner of the kind ``bulk``."""
    job, actor = work.job, work.actor
    record_type, action = registry.get(job.noun), job.params["action"]
    chunk = chunk_take(job)
    if chunk is None:
        job.result = {"changed": 0, **job.result}
        tell_owner(work, record_type)
        return False
    whole = Selection(filter=job.params["filter"], search=job.params["search"])
    wanted = Selection(ids=chunk.ids) if job.params["filter"] is None else whole
    rows = selected(actor, record_type, action, wanted, now=job.created_at)
    # Locked first, so that what is read next stays true until the commit.
    list(
        record_type.rows.filter(pk__in=chunk.ids)
        .select_for_update(of=("self",), no_key=True)
        .order_by("pk")
        .values_list("pk")
    )
    trashed: Any = "only" if action == "restore" else "exclude"
    there = ids_of(rows_allowing(actor, record_type, "view", trashed=trashed), chunk.ids)
    matching = ids_of(rows, chunk.ids)
    allowed = ids_of(rows_allowing(actor, record_type, NEEDS[action], trashed=trashed), chunk.ids)
    ready = []
    for one in chunk.ids:
        if one not in there:
            work.skip(record_type.slug, one, "gone", _("It is in the trash by now, or you may not see it any more."))
        elif one not in matching:
            work.skip(record_type.slug, one, "changed", _("It was changed meanwhile and does not match any more."))
        elif one not in allowed:
            work.skip(record_type.slug, one, "forbidden", _("Your role does not let you change this one."))
        else:
            ready.append(one)
    stopped = write(work, record_type, action, ready)
    if stopped is not None:
        return stop(work, stopped)
    job.done += len(chunk.ids)
    return True


def stop(work: Work, why: str) -> bool:
    """End the work at a row that could not be changed, and begin to take back what was done before."""
    work.fail(_("Nothing was changed, as one record could not be: %(why)s") % {"why": why})
    if not work.change_set._state.adding:
        undo_start(work.actor, work.change_set.pk, ended=work.job)
    return False


def ids_of(rows: QuerySet[Any], ids: Sequence[UUID]) -> set[UUID]:
    return set(rows.filter(pk__in=ids).values_list("pk", flat=True))


def write(work: Work, record_type: RecordType, action: Action, ids: Sequence[UUID]) -> str | None:
    """Write the rows; those that the rules refuse are left out and told of. Says what stopped it, if it is to stop."""
    params = work.job.params
    options: dict[str, Any] = {"change_set": work.change_set, "source": SOURCE}
    writes: Mapping[Action, Callable[[Sequence[UUID]], gate.Change]] = {
        "edit": lambda these: gate.update(work.actor, record_type, these, params["values"], **options),
        "trash": lambda these: gate.trash(work.actor, record_type, these, **options),
        "restore": lambda these: gate.restore(work.actor, record_type, these, **options),
    }
    left = list(ids)
    while left:
        try:
            change = writes[action](left)
        except Invalid as error:
            refused: dict[int, FieldError] = {}
            for one in error.errors:
                refused.setdefault(one.index, one)
            if not refused:
                raise
            first = next(iter(refused.values()))
            if params["on_error"] == "stop":
                return str(first.message)
            for index, one in sorted(refused.items()):
                work.skip(record_type.slug, left[index], one.code, one.message, one.field)
            left = [record_id for index, record_id in enumerate(left) if index not in refused]
        else:
            work.job.result = {**work.job.result, "changed": work.job.result.get("changed", 0) + touched(change)}
            return None
    return None


def touched(change: gate.Change) -> int:
    return len({event.record_id for event in change.events})


def tell_owner(work: Work, record_type: RecordType) -> None:
    """Tell a member, once, of all that was made theirs."""
    values, changed = work.job.params.get("values") or {}, work.job.result.get("changed", 0)
    owner = values.get(record_type.owner_field) if record_type.owner_field else None
    if not owner or not changed or str(owner) == str(work.actor.member_id):
        return
    who = work.actor.label

    def title() -> str:
        words = ngettext(
            "%(who)s made %(number)s record yours: %(nouns)s",
            "%(who)s made %(number)s records yours: %(nouns)s",
            changed,
        )
        return words % {"who": who, "number": f"{changed:,}", "nouns": record_type.label_plural}

    notify(
        [UUID(str(owner))],
        kind=ASSIGNED,
        key=f"assigned:{work.job.pk}",
        title=title,
        record_type=record_type.slug,
        count=changed,
        change_id=work.change_set.pk,
    )


# -- undo --------------------------------------------------------------------------------------------------------------


def is_many(change_set_id: UUID) -> bool:
    """Whether a change is too big to be taken back while somebody waits."""
    return Event.objects.filter(change_set=change_set_id)[: MAX_AT_ONCE + 1].count() > MAX_AT_ONCE


def undo_start(actor: Actor, change_set_id: UUID, *, ended: Job | None = None) -> Job:
    """Take a change back in the background: what was changed since, or cannot go back, is left and told of.

    ``ended`` is the job that made it, when it ends in this transaction. Raises NotFound for a change that the actor
    neither made nor could have, and UndoConflict when it is undone already or still underway.
    """
    change_set = ChangeSet.objects.filter(pk=change_set_id).first()
    if change_set is None:
        raise NotFound
    undo.require_scopes(actor, change_set)
    if not may_undo(actor, change_set):
        raise NotFound
    underway = Job.objects.filter(change_set=change_set, state__in=OPEN)
    if (underway.exclude(pk=ended.pk) if ended else underway).exists():
        raise UndoConflict(message=_("This is still underway. Cancel it first, then undo what it did."))
    made_by = Job.objects.filter(change_set=change_set).order_by("-id").first()
    taken_back = gate.change_set_new(actor, SOURCE, undo_of=change_set)
    with transaction.atomic():
        try:
            with transaction.atomic():
                gate.change_set_save(taken_back)
        except IntegrityError:
            raise UndoConflict(message=_("This has been undone already.")) from None
        undo.notices_follow(change_set)
        undo.people_back(actor, change_set, taken_back)
        what = made_by.title if made_by else changes.told(actor, [change_set])[0].brief
        title = _("Undo: %(what)s") % {"what": Truncator(what).chars(MAX_TITLE)}
        job = job_start(
            actor,
            "undo",
            {"change_set": str(change_set.pk), "nouns": undo.nouns_of(change_set)},
            title=title,
            noun=made_by.noun if made_by else "",
            change_set=taken_back,
            undo_of=made_by,
        )
        with connection.cursor() as cursor:
            cursor.execute(FREEZE_EFFECTS, [job.pk, jobs.CHUNK, change_set.pk, list(undo.PEOPLE)])
        chunks_counted(job)
    return job


def may_undo(actor: Actor, change_set: ChangeSet) -> bool:
    """Who made it, or who may do as much themselves: change every record of each noun in it."""
    if actor.member_id is not None and change_set.member_id == actor.member_id:
        return True
    events = Event.objects.filter(change_set=change_set).exclude(record_type__in=undo.PEOPLE)
    nouns = events.values_list("record_type", flat=True).distinct()
    return all(actor.can(noun, "bulk") and actor.can(noun, "edit") for noun in nouns)


def undo_step(work: Work) -> bool:
    """The runner of the kind ``undo``."""
    chunk = chunk_take(work.job)
    if chunk is None:
        return False
    events = Event.objects.filter(
        change_set=work.job.params["change_set"], record_type=chunk.noun, record_id__in=chunk.ids
    )
    effects, strange = undo.effects_of(events)
    for one in strange:
        work.skip(one.record_type, one.record_id, one.code, one.message)
    records = undo.locked(work.actor, effects)
    links = row_values.Links(registry.get(chunk.noun), chunk.ids) if chunk.noun in registry else None
    made_by = ChangeSet.objects.filter(pk=work.job.params["change_set"]).values_list("member_id", flat=True).first()
    own = made_by is not None and made_by == work.actor.member_id
    ready = []
    for effect in effects:
        problem = next(undo.problems(work.actor, effect, records, links, own=own), None) if links else None
        if problem is None:
            ready.append(effect)
        else:
            work.skip(chunk.noun, effect.record_id, problem.code, problem.message, problem.field)
    while ready:
        try:
            with transaction.atomic():
                undo.reverse(work.actor, ready, records, work.change_set, SOURCE)
        except UndoConflict as conflict:
            refused = {one.record_id: one for one in conflict.conflicts}
            if not refused:
                raise
            for record_id, one in refused.items():
                work.skip(chunk.noun, record_id, one.code, one.message, one.field)
            ready = [effect for effect in ready if effect.record_id not in refused]
        else:
            work.job.result = {**work.job.result, "changed": work.job.result.get("changed", 0) + len(ready)}
            break
    work.job.done += len(chunk.ids)
    return True
