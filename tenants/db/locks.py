"""Locks by a name, held until the transaction ends: for what no row of its own could be locked for."""

from django.db import connection

WORKSPACE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':' || %s, 0))"
WORKSPACE_TRY = "SELECT pg_try_advisory_xact_lock(hashtextextended(current_schema() || ':' || %s, 0))"
INSTALLATION_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"


def advisory_lock(name: str) -> None:
    """Have others of this workspace who ask for the same name wait."""
    with connection.cursor() as cursor:
        cursor.execute(WORKSPACE_LOCK, [name])


def advisory_lock_try(name: str) -> bool:
    """The same, but at once: False, and no lock, where another of this workspace has it."""
    with connection.cursor() as cursor:
        cursor.execute(WORKSPACE_TRY, [name])
        return bool(cursor.fetchone()[0])


def advisory_lock_everywhere(name: str) -> None:
    """Have all who ask for the same name wait, of whatever workspace."""
    with connection.cursor() as cursor:
        cursor.execute(INSTALLATION_LOCK, [name])
