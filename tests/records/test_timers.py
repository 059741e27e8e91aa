"""A timer fires once at its time, with its effect or not at all."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.utils import timezone

from crm.records.events import timers
from crm.records.models import Timer
from crm.workspace.models import Role
from tenants.actors import TenantRef
from tenants.work.turns import Progress
from tests.records.conftest import elsewhere
from tests.registrations import anew

type Really = Callable[[Callable[[], Any]], Any]

rung: list[UUID] = []


def ring(tenant: TenantRef, due: Sequence[timers.Due]) -> None:
    for record_id, _due_at in due:
        Role.objects.create(slug=str(uuid4()), name=str(record_id))
    rung.extend(one.record_id for one in due)


def jam(tenant: TenantRef, due: Sequence[timers.Due]) -> None:
    for record_id, _due_at in due:
        Role.objects.create(slug=str(uuid4()), name=str(record_id))
        if record_id.int % 7 == 0:
            raise RuntimeError("jammed")
    rung.extend(one.record_id for one in due)


@pytest.fixture(autouse=True)
def _kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    anew(monkeypatch, timers, "kinds")
    timers.register("ring", ring)
    timers.register("jam", jam)
    rung.clear()


def fire(tenant: TenantRef) -> Progress:
    return timers.fire_due(tenant, time.monotonic() + 120)[0]


def ago(seconds: int) -> datetime:
    return timezone.now() - timedelta(seconds=seconds)


def test_only_what_is_due_fires_and_only_once(in_tenant: TenantRef) -> None:
    due, later = uuid4(), uuid4()
    timers.schedule("ring", "task", due, ago(1))
    timers.schedule("ring", "task", later, timezone.now() + timedelta(hours=1))

    assert fire(in_tenant) is Progress.DONE
    fire(in_tenant)

    assert rung == [due]
    assert Timer.objects.get(record_id=later).fired_at is None


def test_a_timer_set_again_takes_the_place_of_the_old_one(in_tenant: TenantRef) -> None:
    record = uuid4()
    timers.schedule("ring", "task", record, ago(1))
    timers.schedule("ring", "task", record, timezone.now() + timedelta(hours=1))
    fire(in_tenant)
    assert rung == []
    timers.schedule("ring", "task", record, ago(1))
    fire(in_tenant)
    timers.schedule("ring", "task", record, ago(1))
    fire(in_tenant)
    assert rung == [record, record]


def test_a_cancelled_timer_does_not_fire(in_tenant: TenantRef) -> None:
    one, two = uuid4(), uuid4()
    timers.schedule_many("ring", "task", [(one, ago(1)), (two, ago(1))])
    timers.schedule_many("ring", "task", [(one, None)])
    fire(in_tenant)
    assert rung == [two]


def test_a_failing_timer_leaves_no_half_effect_waits_and_holds_up_no_other(in_tenant: TenantRef) -> None:
    bad, mates, good = UUID(int=7), [UUID(int=8), UUID(int=9)], UUID(int=10)
    timers.schedule_many("jam", "task", [(one, ago(5)) for one in [mates[0], bad, mates[1]]])
    timers.schedule("ring", "task", good, ago(1))

    assert fire(in_tenant) is Progress.DONE

    assert rung == [*mates, good]
    names = Role.objects.filter(is_fixed=False).order_by("name").values_list("name", flat=True)
    assert list(names) == sorted(map(str, [*mates, good]))
    assert Timer.objects.filter(record_id__in=mates, fired_at=None).count() == 0
    timer = Timer.objects.get(record_id=bad)
    assert (timer.fired_at, timer.failures) == (None, 1)
    assert timer.retry_at is not None
    assert "jammed" in timer.error
    Timer.objects.filter(record_id=bad).update(retry_at=ago(0), kind="ring")
    fire(in_tenant)
    assert rung == [*mates, good, bad]


def test_workers_at_once_fire_each_timer_once(real_tenant: TenantRef, really: Really) -> None:
    records = [uuid4() for _number in range(40)]
    really(lambda: timers.schedule_many("ring", "task", [(record, ago(1)) for record in records]))

    waiting = [elsewhere(lambda: fire(real_tenant), real_tenant) for _worker in range(4)]
    for wait in waiting:
        wait()

    assert sorted(rung) == sorted(records)
    assert really(lambda: Role.objects.filter(is_fixed=False).count()) == 40


def test_an_unknown_kind_is_refused_when_it_is_set(in_tenant: TenantRef) -> None:
    with pytest.raises(ValueError, match="no kind of timer"):
        timers.schedule("nothing", "task", uuid4(), ago(1))


def test_waits_grow_and_end_at_six_hours() -> None:
    assert [timers.waits(count).total_seconds() for count in (1, 2, 3, 40)] == [2, 4, 8, 6 * 3600]
