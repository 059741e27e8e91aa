"""The index of who has work, of which sort, and from when on. The truth lies in each tenant's schema."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from celery import Task
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import F, Min, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone
from redis.exceptions import RedisError

from tenants.actors import TenantRef
from tenants.db.database_roles import role_of, schema_of
from tenants.db.scopes import shared
from tenants.models import Tenant, Wakeup, is_behind
from tenants.registration import Table
from tenants.selectors import BUILT

CLAIM = timedelta(seconds=10)
PUT_OFF = timedelta(milliseconds=250)
PER_TENANT = 50
PER_ROUND = 2000
TURN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Work:
    task: Task[..., None]
    queue: str
    together: int
    nudged: timedelta | None


works = Table[Work]("sort of work")


def work_register(
    name: str, task: Task[..., None], *, queue: str, together: int = 1, nudged: timedelta | None = None
) -> None:
    """Have wake-ups for a sort of work be given to ``task`` on a queue, the turns of so many workspaces together; an
    app registers in its ``ready()``.

    Where whoever makes the work asks for it at once, at most every so often (``nudged``), wake-ups wait as long for
    that. Raises ImproperlyConfigured when the name is taken.
    """
    works.add(name, Work(task, queue, together, nudged))


def wake(due_at: datetime, work: str) -> None:
    """Note, inside a tenant's scope and transaction, that it will have ``work`` (a name in ``works``) at ``due_at``."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO public.tenants_wakeup (due_at, work) VALUES (%s, %s)", [due_at, work])


def wake_all(schema: str) -> None:
    """Have all sorts of a workspace's work looked at now: what had to wait may go on."""
    now = timezone.now()
    with shared():
        Wakeup.objects.bulk_create(Wakeup(role=role_of(schema), work=work, due_at=now) for work in works)


def wakeups_claim() -> list[tuple[UUID, str]]:
    """Take the due wake-ups, a share of each tenant's, for a while; gives tenants and what they have to do.

    One that is not told done by then is given out again. Those of tenants that are gone are dropped; those of tenants
    out of service or behind this release wait.
    """
    now = timezone.now()
    free = Wakeup.objects.filter(Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM))
    due = free.filter(due_at__lte=now).exclude(_left_to_nudges(now))
    with shared():
        turn = Window(RowNumber(), partition_by=[F("role"), F("work")], order_by=F("due_at"))
        fair = due.annotate(turn=turn).filter(turn__lte=PER_TENANT).order_by("turn", "due_at").values_list("id")
        taken = _claim([key for (key,) in fair[:PER_ROUND]], now)
        if not taken:
            return []
        schemas = {role: _schema(role) for role, _work in taken}
        known = {
            one.schema_name: one
            for one in Tenant.objects.filter(schema_name__in=schemas.values()).only(
                "id", "schema_name", "state", "schema_version"
            )
        }
        ready = {schema for schema, one in known.items() if one.state in BUILT and not is_behind(one.schema_version)}
        gone = [role for role, schema in schemas.items() if schema not in known]
        if gone:
            Wakeup.objects.filter(role__in=gone).delete()
    return [(known[schemas[role]].id, work) for role, work in taken if schemas[role] in ready]


def _claim(keys: Sequence[UUID], now: datetime) -> list[tuple[str, str]]:
    """Claim those of ``keys`` that no other dispatcher is claiming; roles and works, the longest due first."""
    if not keys:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_wakeup SET claimed_at = %s WHERE id IN ("
            "SELECT id FROM tenants_wakeup WHERE id = ANY(%s) AND (claimed_at IS NULL OR claimed_at < %s)"
            " FOR UPDATE SKIP LOCKED) RETURNING role, work, due_at",
            [now, list(keys), now - CLAIM],
        )
        rows = sorted(cursor.fetchall(), key=lambda row: row[2])
    return list(dict.fromkeys((role, work) for role, work, _due in rows))


def _schema(role: str) -> str:
    try:
        return schema_of(role)
    except ValueError:
        return ""


def _left_to_nudges(now: datetime) -> Q:
    """Those so fresh that whoever made them has a worker look by themselves."""
    fresh = Q(pk__in=[])
    for name, work in works.items():
        if work.nudged is not None:
            fresh |= Q(work=name, due_at__gt=now - work.nudged)
    return fresh


def wakeups_next() -> datetime | None:
    """When the next wake-up that nobody has taken is due, apart from those that nudges are for."""
    with shared():
        waiting = Wakeup.objects.filter(claimed_at=None).exclude(_left_to_nudges(timezone.now()))
        found: datetime | None = waiting.aggregate(next=Min("due_at"))["next"]
    return found


def turn_take(work: str) -> bool:
    """Whether this worker may do the tenant's ``work`` now: one turn a tenant at a time, so that none has two shares.

    A turn whose worker was killed ends by itself. Two at once would do no harm but to others' patience.
    """
    try:
        return bool(cache.add(f"turn:{work}", 1, TURN_SECONDS))
    except (OSError, RedisError):
        return True


def turn_end(work: str) -> None:
    with suppress(OSError, RedisError):
        cache.delete(f"turn:{work}")


def wakeups_begin(tenants: Sequence[TenantRef], work: str) -> dict[str, list[UUID]]:
    """By schema, the wake-ups that are due now: what work that begins now will have seen. For ``wakeups_done``."""
    found: dict[str, list[UUID]] = {tenant.schema_name: [] for tenant in tenants}
    with shared(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT role, array_agg(id) FROM tenants_wakeup WHERE role = ANY(%s) AND work = %s AND due_at <= %s"
            " GROUP BY role",
            [[role_of(schema) for schema in found], work, timezone.now()],
        )
        found |= {schema_of(role): ids for role, ids in cursor.fetchall()}
    return found


def wakeups_done(work: str, begun: Mapping[str, Sequence[UUID]], next_at: Mapping[str, datetime] | None = None) -> None:
    """Forget what ``wakeups_begin`` gave for schemas whose work is done, and wake each for more at ``next_at``.

    What came while the work was done stays.
    """
    later = {role_of(schema): at for schema, at in (next_at or {}).items()}
    ids = [one for of in begun.values() for one in of]
    with shared(), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM tenants_wakeup WHERE id IN ("
            "SELECT id FROM tenants_wakeup WHERE id = ANY(%s) ORDER BY id FOR UPDATE)",
            [ids],
        )
        if later:
            cursor.execute(
                "INSERT INTO tenants_wakeup (role, work, due_at)"
                " SELECT wanted.role, %s, wanted.due_at"
                " FROM unnest(%s::text[], %s::timestamptz[]) AS wanted (role, due_at)"
                " WHERE NOT EXISTS (SELECT 1 FROM tenants_wakeup AS mine WHERE mine.role = wanted.role"
                " AND mine.work = %s AND mine.claimed_at IS NULL AND mine.due_at <= wanted.due_at)",
                [work, list(later), list(later.values()), work],
            )


def wakeups_put_off(work: str, begun: Mapping[str, Sequence[UUID]]) -> None:
    """Have wake-ups given out again soon: another worker is at the work, and may not have seen what they stand for."""
    ids = [one for of in begun.values() for one in of]
    with shared():
        Wakeup.objects.filter(id__in=ids, work=work).update(claimed_at=None, due_at=timezone.now() + PUT_OFF)
