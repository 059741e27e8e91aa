"""When records changed, so that whoever keeps a copy misses nothing: what is shown by ``updated_at`` never goes past
the oldest writer still at work (ADR 0425)."""

from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func, Model

CHANGED = "updated_at"


class WriterStamp(Func):
    """The time of a write, by the database's clock; readers know from then on that somebody writes."""

    function = "public.writer_stamp"
    arity = 0
    output_field = DateTimeField()


def forget_stamp(record: Model) -> None:
    """Let a record's time of change be read from the database when it is asked for."""
    record.__dict__.pop(CHANGED, None)


def settled_until() -> datetime:
    """The time before which no other transaction writes any more. Asked before the rows are read."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.settled_until()")
        found: datetime = cursor.fetchone()[0]
    return found
