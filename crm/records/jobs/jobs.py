"""Long work in the background: done in chunks, each one transaction with its place, so that a killed worker repeats
nothing and skips nothing; with progress, cancel and undo.

A runner, registered by its app for a kind of job, does one chunk of its work inside the transaction that is open, and
says whether there is more. It acts as the member who started the job, with the rights they have at that moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.records import wakeups
from crm.records.errors import Forbidden, Invalid, NotFound, RecordError
from crm.records.events.timers import waits
from crm.records.models import ChangeSet, Job, JobChunk
from crm.records.query.expressions import negated
from crm.records.schema.field import Text
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.gate import change_set_new
from crm.workspace.actors import actor_for_member
from crm.workspace.auditing import audit_note
from crm.workspace.notifications.notify import notify
from crm.workspace.text.formats import number_text
from tenants.accounts.api_keys import api_key_scopes
from tenants.actors import Actor, ActorKind, TenantRef
from tenants.db.locks import advisory_lock_try
from tenants.registration import Table
from tenants.work.turns import Progress
from tenants.workspaces.entitlements import NotEntitled, require_writable, why_not_writable

log = structlog.get_logger(__name__)

TURN_SECONDS = 25.0
CHUNK = 1000
LEASE = timedelta(seconds=90)
MAX_RUNNING = 3
MAX_OPEN = 50
MAX_PROBLEMS = 100
TRIES = 5
SOURCE = "bulk"
OPEN = (Job.State.QUEUED, Job.State.RUNNING)
FREEZE = """
    INSERT INTO records_jobchunk (job_id, number, noun, ids)
    SELECT %s, numbered.number / %s, %s, array_agg(numbered.id ORDER BY numbered.id)
    FROM (SELECT found.id, row_number() OVER (ORDER BY found.id) - 1 AS number FROM ({}) AS found (id)) AS numbered
    GROUP BY numbered.number / %s
"""


@dataclass(slots=True)
class Work:
    """What a runner gets: the job, whose it is, and the one change that all its writes belong to."""

    actor: Actor
    job: Job
    change_set: ChangeSet

    def skip(self, noun: str, record_id: UUID | None, code: str, message: Text, slug: str = "") -> None:
        """Note that a row was left as it was, and why."""
        self.job.skipped += 1
        if len(self.job.problems) < MAX_PROBLEMS:
            self.job.problems = [
                *self.job.problems,
                {
                    "noun": noun,
                    "id": str(record_id) if record_id else None,
                    "field": slug,
                    "code": code,
                    "message": str(message),
                },
            ]

    def fail(self, message: Text) -> None:
        """End the job as failed, with what this chunk did; the runner then says that there is no more."""
        self.job.error = str(message)


type Runner = Callable[[Work], bool]


@dataclass(frozen=True, slots=True)
class JobKind:
    runner: Runner
    reads: bool


kinds = Table[JobKind]("kind of job")


def register(kind: str, runner: Runner, *, reads: bool = False) -> None:
    """Have jobs of a kind be worked on by ``runner``; an app registers in its ``ready()``.

    Work that only ``reads`` is done for a workspace that is not paid for too. Raises ImproperlyConfigured when the kind
    is taken.
    """
    kinds.add(kind, JobKind(runner, reads))


# -- starting ----------------------------------------------------------------------------------------------------------


def job_start(
    actor: Actor,
    kind: str,
    params: dict[str, Any],
    *,
    title: str,
    noun: str = "",
    total: int = 0,
    change_set: ChangeSet | None = None,
    undo_of: Job | None = None,
) -> Job:
    """Queue work of ``kind``; it begins after the commit. Raises Invalid when too much is waiting already."""
    found = kinds[kind]
    if actor.member_id is None:
        raise Forbidden
    if not found.reads:
        require_writable(actor.tenant)
    if Job.objects.filter(state__in=OPEN).count() >= MAX_OPEN:
        raise Invalid([], _("Too much work is waiting already. Try again when some of it is done."))
    with transaction.atomic():
        job = Job.objects.create(
            kind=kind,
            params=params,
            title=title[:200],
            noun=noun,
            total=total,
            change_set=change_set,
            undo_of=undo_of,
            member_id=actor.member_id,
            actor_kind=actor.kind.value,
            actor_id=actor.id,
            request_id=actor.request_id[:64],
        )
        audit_note(actor, "job.started", record_id=job.pk, after={"title": job.title, "noun": noun})
        wakeups.wake_now(actor.tenant)
    return job


def freeze(job: Job, record_type: RecordType, rows: QuerySet[Any]) -> int:
    """Fix the rows a job is about, in chunks by id, in one statement; returns how many."""
    query, params = rows.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(FREEZE.format(query), [job.pk, CHUNK, record_type.slug, *params, CHUNK])
    return chunks_counted(job)


def freeze_ids(job: Job, noun: str, ids: Sequence[UUID]) -> int:
    """Fix rows given one by one."""
    JobChunk.objects.bulk_create(
        JobChunk(job=job, number=number, noun=noun, ids=list(ids[start : start + CHUNK]))
        for number, start in enumerate(range(0, len(ids), CHUNK))
    )
    return chunks_counted(job)


def chunks_counted(job: Job) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(sum(cardinality(ids)), 0) FROM records_jobchunk WHERE job_id = %s", [job.pk])
        (job.total,) = cursor.fetchone()
    Job.objects.filter(pk=job.pk).update(total=job.total)
    return job.total


def chunk_take(job: Job) -> JobChunk | None:
    """The next rows, taken out of the job together with what is then done to them; None when all is done."""
    chunk = JobChunk.objects.filter(job=job).order_by("number").first()
    if chunk is not None:
        JobChunk.objects.filter(pk=chunk.pk).delete()
    return chunk


# -- working -----------------------------------------------------------------------------------------------------------


def going_on(tenant: TenantRef) -> Q:
    """The jobs that may be worked on in the workspace as it is: all, or those that only read."""
    return Q() if why_not_writable(tenant) is None else Q(kind__in=[kind for kind, one in kinds.items() if one.reads])


def run(tenant: TenantRef, job_id: UUID, *, until: float | None = None) -> Progress:
    """Work on a job chunk by chunk, as far as time (``monotonic``) allows."""
    until = monotonic() + TURN_SECONDS if until is None else until
    while True:
        if not step(tenant, job_id):
            return Progress.DONE
        if monotonic() >= until:
            return Progress.MORE


def step(tenant: TenantRef, job_id: UUID) -> bool:
    """One chunk and its place, in one transaction. False when nothing is left for this worker to do."""
    with transaction.atomic():
        if not advisory_lock_try(f"job:{job_id}"):
            return False
        rows = Job.objects.select_related("change_set", "member").filter(going_on(tenant), state__in=OPEN)
        job = rows.filter(pk=job_id).first()
        if job is None:
            return False
        if job.cancelled_at is not None:
            return finish(tenant, job, Job.State.CANCELLED)
        try:
            with transaction.atomic(), override(job.member.locale or tenant.locale):
                more = work_once(tenant, job)
        except (RecordError, NotEntitled) as error:
            return finish(tenant, fresh(job), Job.State.FAILED, str(error))
        except Exception as problem:
            return put_off(tenant, fresh(job), problem)
        return keep(tenant, job, more)


def fresh(job: Job) -> Job:
    """The job as it was before the chunk that failed."""
    return Job.objects.select_related("member").get(pk=job.pk)


def work_once(tenant: TenantRef, job: Job) -> bool:
    actor = actor_of(tenant, job)
    change_set = job.change_set or change_set_new(actor, SOURCE)
    more = kinds[job.kind].runner(Work(actor, job, change_set))
    if not change_set._state.adding:
        job.change_set = change_set
    return more


def actor_of(tenant: TenantRef, job: Job) -> Actor:
    """The member who started the job, with the rights that they (and their key) have now. Raises Forbidden."""
    kind = ActorKind(job.actor_kind)
    scopes = None
    label = ""
    if kind is ActorKind.API_KEY and job.actor_id is not None:
        found = api_key_scopes(tenant, job.actor_id)
        if found is None:
            raise Forbidden(_("The API key that started this is not valid any more."))
        label, scopes = found
    actor = actor_for_member(
        tenant,
        job.member_id,
        kind=kind,
        actor_id=job.actor_id,
        label=label,
        scopes=scopes,
        request_id=job.request_id,
    )
    if actor is None:
        raise Forbidden(_("Who started this is not an active member any more."))
    return actor


def keep(tenant: TenantRef, job: Job, more: bool) -> bool:
    """Save how far the job came. The row is locked for this moment only, so that a cancel never waits for a chunk."""
    cancelled = Job.objects.select_for_update(no_key=True).values_list("cancelled_at", flat=True).get(pk=job.pk)
    Job.objects.filter(pk=job.pk).update(
        place=job.place,
        done=job.done,
        total=job.total,
        skipped=job.skipped,
        problems=job.problems,
        result=job.result,
        change_set=job.change_set,
        state=Job.State.RUNNING,
        failures=0,
        next_at=timezone.now() + LEASE,
    )
    if not more:
        return finish(tenant, job, Job.State.FAILED if job.error else Job.State.DONE, job.error)
    return finish(tenant, job, Job.State.CANCELLED) if cancelled else True


def finish(tenant: TenantRef, job: Job, state: Job.State, error: str = "") -> bool:
    job.state, job.error, job.finished_at = state, error, timezone.now()
    Job.objects.filter(pk=job.pk).update(state=state, error=error, finished_at=job.finished_at)
    JobChunk.objects.filter(job=job).delete()
    notify(
        [job.member_id],
        kind="job_done",
        key=f"job:{job.pk}",
        title=lambda: f"{job.title}: {job.get_state_display()}",
        body=lambda: outcome(job),
    )
    wakeups.wake_now(tenant)
    log.info("job.finished", kind=job.kind, job=str(job.pk), state=state, done=job.done, skipped=job.skipped)
    return False


def put_off(tenant: TenantRef, job: Job, problem: Exception) -> bool:
    """Try the chunk again a little later, and give up after some tries."""
    log.error("job.failed", job=str(job.pk), kind=job.kind, failures=job.failures + 1, exc_info=problem)
    if job.failures + 1 >= TRIES:
        return finish(tenant, job, Job.State.FAILED, _("Something went wrong on our side. It has been noted."))
    retry_at = timezone.now() + waits(job.failures + 1)
    Job.objects.filter(pk=job.pk).update(failures=job.failures + 1, next_at=retry_at)
    wakeups.wake(wakeups.EVENTS, retry_at)
    return False


def outcome(job: Job) -> str:
    """How far a job came, in words."""
    if job.state == Job.State.FAILED:
        return job.error
    changed = job.result.get("changed")
    if job.is_open or (changed is None and not job.skipped):
        return _("%(done)s of %(total)s") % {"done": number_text(job.done), "total": number_text(job.total)}
    parts = [_("%(number)s changed") % {"number": number_text(changed or 0)}]
    if same := job.done - job.skipped - (changed or 0):
        parts.append(_("%(number)s were so already") % {"number": number_text(max(same, 0))})
    if job.skipped:
        parts.append(_("%(number)s left as they were") % {"number": number_text(job.skipped)})
    if job.done < job.total:
        parts.append(_("%(number)s not reached") % {"number": number_text(job.total - job.done)})
    return " · ".join(parts)


# -- looking and steering ----------------------------------------------------------------------------------------------


def jobs_of(actor: Actor) -> QuerySet[Job]:
    """The newest first, of nouns that the actor may view: their own, or everybody's if they have the settings."""
    unseen = [record_type.slug for record_type in registry.all() if not actor.can(record_type.slug, "view")]
    of_several = Q(params__takers__has_any_keys=unseen) | Q(params__nouns__has_any_keys=unseen)
    rows = Job.objects.select_related("member", "change_set").exclude(noun__in=unseen).order_by("-id")
    rows = rows.filter(negated(Q(noun="") & of_several)) if unseen else rows
    if actor.can("workspace", "settings"):
        return rows
    return rows.filter(member_id=actor.member_id) if actor.member_id else rows.none()


def nouns_of(job: Job) -> list[str]:
    """The nouns whose records a job changes; a hand-over names them as what others take, an undo of several each."""
    return [job.noun] if job.noun else [*job.params.get("takers", ()), *job.params.get("nouns", ())]


def job_get(actor: Actor, job_id: UUID) -> Job:
    job = jobs_of(actor).filter(pk=job_id).first()
    if job is None:
        raise NotFound
    return job


def job_cancel(actor: Actor, job_id: UUID) -> Job:
    """Stop a job after the chunk it is at. What is done stays, and can be undone."""
    require_writable(actor.tenant)
    with transaction.atomic():
        job = jobs_of(actor).select_related(None).select_for_update(no_key=True).filter(pk=job_id).first()
        if job is None:
            raise NotFound
        if job.kind == "undo":
            raise Invalid([], _("An undo is brought to its end. It can be undone afterwards."))
        if not job.is_open:
            raise Invalid([], _("This is finished already."))
        if job.cancelled_at is None:
            Job.objects.filter(pk=job.pk).update(cancelled_at=timezone.now(), next_at=F("created_at"))
            wakeups.wake_now(actor.tenant)
    return job_get(actor, job_id)
