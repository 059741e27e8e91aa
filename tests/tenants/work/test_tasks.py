"""Tasks speak for the tenant they name; wake-ups say where there is work and are forgotten only when it is done."""

from datetime import timedelta
from typing import Any

import pytest
from celery import current_app, shared_task
from celery.utils.time import get_exponential_backoff_interval
from django.utils import timezone

from crm.records.wakeups import NUDGE_PAUSE
from tenants import tasks
from tenants.db.database_roles import role_of
from tenants.db.scopes import current_schema, current_tenant, shared, tenant_scope
from tenants.models import Tenant, Wakeup
from tenants.work import wakeups
from tenants.work.dispatcher import dispatch
from tenants.work.mail import mail_deliver
from tenants.work.task_classes import SharedTask, TenantRefused, TenantTask

pytestmark = pytest.mark.django_db


@shared_task(base=TenantTask, name="tests.where")
def where(*, tenant_id: str) -> tuple[str | None, str]:
    tenant = current_tenant()
    return current_schema(), tenant.name if tenant else ""


@shared_task(base=SharedTask, name="tests.where_shared")
def where_shared() -> str | None:
    return current_schema()


def test_what_has_expired_of_signing_in_is_swept_and_the_rest_stays(db):
    from tenants.models import Session

    now = timezone.now()
    with shared():
        Session.objects.create(session_key="ended", session_data="", expire_date=now - timedelta(minutes=1))
        Session.objects.create(session_key="going", session_data="", expire_date=now + timedelta(days=1))
    tasks.sweep()
    with shared():
        assert set(Session.objects.values_list("session_key", flat=True)) & {"ended", "going"} == {"going"}


def test_a_mail_waits_no_longer_for_its_next_try_than_the_broker_waits_for_the_worker(settings):
    """A task that is held back longer is given out again, and each copy would be tried, and held back, anew."""
    task: Any = mail_deliver
    waits = [get_exponential_backoff_interval(5, tries, task.retry_backoff_max) for tries in range(100)]
    assert max(waits) < settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    assert sum(waits[: task.max_retries]) > 3600


@pytest.mark.usefixtures("celery_eager")
class TestTasks:
    def test_it_speaks_for_the_tenant_it_names(self, tenant_a, tenant_b):
        for ref in (tenant_a, tenant_b):
            found = where.apply(kwargs={"tenant_id": str(ref.id)})
            assert found.get() == (ref.schema_name, ref.name)
        assert current_schema() is None

    @pytest.mark.parametrize("tenant_id", [None, "", "x", "public", 7, "01890000-0000-7000-8000-000000000000"])
    def test_a_missing_or_unknown_tenant_raises(self, tenant_id):
        with pytest.raises(TenantRefused):
            where(tenant_id=tenant_id)

    def test_one_without_the_argument_raises(self):
        with pytest.raises(TenantRefused):
            where()

    @pytest.mark.parametrize("state", ["suspended", "deleting", "provisioning"])
    def test_a_tenant_out_of_service_raises(self, tenant_a, state):
        with shared():
            Tenant.objects.filter(id=tenant_a.id).update(state=state)
        with pytest.raises(TenantRefused):
            where(tenant_id=str(tenant_a.id))

    def test_a_shared_task_speaks_in_the_shared_schema(self, tenant_a):
        assert where_shared.apply().get() == "public"


class TestWakeups:
    @pytest.fixture
    def sent(self, monkeypatch):
        found: list[str] = []
        monkeypatch.setattr(current_app, "send_task", lambda _name, kwargs, **_more: found.extend(kwargs["tenant_ids"]))
        with shared():
            Wakeup.objects.all().delete()
        return found

    def wake(self, ref, *delays: int) -> None:
        with tenant_scope(ref):
            for delay in delays:
                wakeups.wake(timezone.now() + timedelta(seconds=delay), "timers")

    def test_the_due_ones_are_given_out_once(self, sent, tenant_a, tenant_b):
        self.wake(tenant_a, -2, -1, 60)
        self.wake(tenant_b, 60)
        assert dispatch() == 1
        assert sent == [str(tenant_a.id)]
        assert dispatch() == 0

    def test_what_a_worker_was_asked_for_already_is_given_out_only_when_he_did_not_come(self, sent, tenant_a):
        with tenant_scope(tenant_a):
            wakeups.wake(timezone.now(), "events")
        assert dispatch() == 0
        assert wakeups.wakeups_next() is None
        with shared():
            Wakeup.objects.update(due_at=timezone.now() - NUDGE_PAUSE)
        assert wakeups.wakeups_next() is not None
        assert dispatch() == 1

    def test_one_that_was_not_told_done_is_given_out_again(self, sent, tenant_a):
        self.wake(tenant_a, -1)
        dispatch()
        with shared():
            Wakeup.objects.update(claimed_at=timezone.now() - timedelta(seconds=11))
        assert dispatch() == 1

    def test_what_came_while_the_work_was_done_stays(self, sent, tenant_a, tenant_b):
        self.wake(tenant_a, -1)
        self.wake(tenant_b, -1)
        begun = wakeups.wakeups_begin([tenant_a], "timers")
        self.wake(tenant_a, -1)
        wakeups.wakeups_done("timers", begun)
        with shared():
            assert Wakeup.objects.filter(role=role_of(tenant_a.schema_name)).count() == 1
            assert Wakeup.objects.filter(role=role_of(tenant_b.schema_name)).count() == 1

    def test_a_flood_of_one_leaves_room_for_the_other(self, sent, tenant_a, tenant_b, monkeypatch):
        monkeypatch.setattr(wakeups, "PER_ROUND", 4)
        monkeypatch.setattr(wakeups, "PER_TENANT", 2)
        self.wake(tenant_a, *range(-40, -20))
        self.wake(tenant_b, -1)
        assert dispatch() == 2

    def test_those_of_a_tenant_that_is_gone_are_dropped(self, sent, tenant_a):
        self.wake(tenant_a, -1)
        with shared():
            Wakeup.objects.update(role=role_of("t_gone00000000"))
        assert dispatch() == 0
        with shared():
            assert not Wakeup.objects.exists()

    def test_a_tenant_that_is_being_deleted_waits(self, sent, tenant_a):
        self.wake(tenant_a, -1)
        with shared():
            Tenant.objects.filter(id=tenant_a.id).update(state="deleting")
        assert dispatch() == 0
        with shared():
            assert Wakeup.objects.count() == 1

    def test_a_suspended_tenant_is_looked_at_for_its_exports(self, sent, tenant_a):
        self.wake(tenant_a, -1)
        with shared():
            Tenant.objects.filter(id=tenant_a.id).update(state="suspended")
        assert dispatch() == 1
