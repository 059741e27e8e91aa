"""What the console does in the background."""

from celery import shared_task

from tenants.accounts.support_ends import visits_sweep as visits_end_by_time
from tenants.work.task_classes import SharedTask


@shared_task(base=SharedTask, name="console.tasks.visits_sweep", queue="bulk", ignore_result=True)
def visits_sweep() -> None:
    """End visits for support whose time is over, and say so."""
    visits_end_by_time()
