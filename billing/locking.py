"""The lock of one account: whoever fetches it holds it, and so does whoever notes a write."""

from uuid import UUID

from celery import current_task
from django.db import OperationalError, connection

from billing.errors import AccountBusy
from billing.models import BillingAccount

WORKER_SECONDS = 25
"""How long a worker waits for another that is fetching the same account."""
PAGE_SECONDS = 4
LOCK_NOT_AVAILABLE = "55P03"


def account_lock(account_id: UUID, *, wait: bool = True) -> BillingAccount:
    """The account, its row locked until the transaction ends. A page waits for a moment, with ``wait`` False not at
    all; a worker for longer. Raises AccountBusy."""
    seconds = WORKER_SECONDS if current_task else PAGE_SECONDS
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{seconds}s'")
    try:
        return BillingAccount.objects.select_for_update(nowait=not wait).get(id=account_id)
    except OperationalError as error:
        if getattr(error.__cause__, "pgcode", "") == LOCK_NOT_AVAILABLE:
            raise AccountBusy from error
        raise
