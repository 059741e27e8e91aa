"""Sweeping of the shared schema, by the clock."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from celery import Task, shared_task
from django.utils import timezone

from tenants.accounts.browsers import browsers_sweep
from tenants.models import AccountEvent, HandoverToken
from tenants.sessions import SessionStore
from tenants.workspaces.finishing import setups_finish

if TYPE_CHECKING:
    Base = Task[Any, Any]
else:
    Base = Task
from tenants.work.task_classes import SharedTask

ACCOUNT_EVENTS_KEPT = timedelta(days=366)


@shared_task(base=SharedTask, name="tenants.tasks.sweep", queue="bulk", ignore_result=True)
def sweep() -> None:
    """Delete sessions and hand-over tokens that have expired, browsers not seen for long, and old account events."""
    HandoverToken.objects.filter(expires_at__lt=timezone.now()).delete()
    SessionStore.clear_expired()
    browsers_sweep()
    AccountEvent.objects.filter(at__lt=timezone.now() - ACCOUNT_EVENTS_KEPT).delete()


@shared_task(base=SharedTask, name="tenants.tasks.setups_sweep", queue="bulk", ignore_result=True)
def setups_sweep() -> None:
    """Go on with workspaces whose setup stopped half way."""
    setups_finish()
