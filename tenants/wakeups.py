"""The index of who has work, and from when on. The truth lies in each tenant's schema; this says where to look."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from tenants.actors import TenantRef
from tenants.models import Tenant, Wakeup
from tenants.roles import role_of, schema_of
from tenants.scopes import shared

CLAIM = timedelta(seconds=60)
PER_TENANT = 50
PER_ROUND = 2000
SERVED = (Tenant.State.ACTIVE, Tenant.State.READ_ONLY)


def wake(due_at: datetime) -> None:
    """Note, inside a tenant's scope and transaction, that it will have work at ``due_at``."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO public.tenants_wakeup (due_at) VALUES (%s)", [due_at])


def wakeups_claim() -> list[UUID]:
    """Take the due wake-ups, a share of each tenant's, for a minute; gives the ids of the tenants they are of.

    One that is not told done by then is given out again. Those of tenants that are gone are dropped.
    """
    now = timezone.now()
    due = Wakeup.objects.filter(Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM), due_at__lte=now)
    with shared():
        turn = Window(RowNumber(), partition_by=F("role"), order_by=F("due_at"))
        fair = due.annotate(turn=turn).filter(turn__lte=PER_TENANT).order_by("due_at").values_list("id")[:PER_ROUND]
        taken = _claim([key for (key,) in fair], now)
        tenants = dict(
            Tenant.objects.filter(schema_name__in=[schema for schema in taken if schema], state__in=SERVED).values_list(
                "schema_name", "id"
            )
        )
        gone = [role for schema, role in taken.items() if not Tenant.objects.filter(schema_name=schema).exists()]
        if gone:
            Wakeup.objects.filter(role__in=gone).delete()
    return list(tenants.values())


def _claim(keys: Sequence[UUID], now: datetime) -> dict[str, str]:
    """Claim those of ``keys`` that no other dispatcher is claiming; schema → role."""
    if not keys:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE tenants_wakeup SET claimed_at = %s WHERE id IN ("
            "SELECT id FROM tenants_wakeup WHERE id = ANY(%s) AND (claimed_at IS NULL OR claimed_at < %s)"
            " FOR UPDATE SKIP LOCKED) RETURNING role",
            [now, list(keys), now - CLAIM],
        )
        roles = {role for (role,) in cursor.fetchall()}
    return {_schema(role): role for role in roles}


def _schema(role: str) -> str:
    try:
        return schema_of(role)
    except ValueError:
        return ""


def wakeups_begin(tenant: TenantRef) -> list[UUID]:
    """The tenant's wake-ups that are due now: what work that begins now will have seen. For ``wakeups_done``."""
    with shared():
        due = Wakeup.objects.filter(role=role_of(tenant.schema_name), due_at__lte=timezone.now())
        return list(due.values_list("id", flat=True))


def wakeups_done(tenant: TenantRef, begun: Sequence[UUID]) -> None:
    """Forget the wake-ups that ``wakeups_begin`` gave, now that the work is done."""
    if begun:
        with shared():
            Wakeup.objects.filter(role=role_of(tenant.schema_name), id__in=begun).delete()
