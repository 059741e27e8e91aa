"""What goes on inside one workspace, as counts and errors: no record of it is read."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from crm.records.models import Event, HandlerPosition, Job, Timer
from tenants.actors import TenantRef
from tenants.db.scopes import tenant_scope
from tenants.workspaces.limits import Usage, usage

FEW = 5
LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that failed: what it was, since or until when it waits, and what was said."""

    what: str
    failures: int
    error: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Inside:
    """``events`` are those of the last week; ``undrained`` have not been given to their readers yet."""

    events: int
    undrained: int
    last_event: datetime | None
    jobs: Mapping[str, int]
    timers: int
    troubles: list[Trouble]
    usage: list[Usage]


def inside(tenant: TenantRef) -> Inside:
    """Raises tenants.db.scopes.WorkspaceBehind for one that is not at this release."""
    now = timezone.now()
    with tenant_scope(tenant):
        states = dict(Job.objects.values_list("state").annotate(n=Count("id")))
        last = Event.objects.order_by("-id").values_list("at", flat=True).first()
        return Inside(
            events=Event.objects.filter(at__gte=now - LATELY).count(),
            undrained=Event.objects.filter(position=None).count(),
            last_event=last,
            jobs={str(Job.State(state).label): n for state, n in states.items()},
            timers=Timer.objects.filter(fired_at=None, due_at__lte=now).count(),
            troubles=_troubles(),
            usage=usage(tenant),
        )


def _troubles() -> list[Trouble]:
    """The latest of each sort, the readers of events first: they hold up the others."""
    handlers = HandlerPosition.objects.filter(failures__gt=0).order_by("-failures")[:FEW]
    timers = Timer.objects.filter(fired_at=None, failures__gt=0).order_by("-id")[:FEW]
    jobs = Job.objects.filter(state=Job.State.FAILED).order_by("-id")[:FEW]
    return [
        *(Trouble(one.handler, one.failures, one.error, one.retry_at) for one in handlers),
        *(Trouble(one.kind, one.failures, one.error, one.retry_at) for one in timers),
        *(Trouble(one.kind, one.failures, one.error, one.finished_at) for one in jobs),
    ]
