"""The stand-in's time: the machine's and what it was moved by; and the months and years that billing counts in.

Moving it lets everything that falls due on the way happen in its order, so that a year moved at once goes month by
month.
"""

import calendar
from datetime import UTC, datetime, timedelta

from embedded.stripe.store import Store

HOUR = 3600
DAY = 24 * HOUR


def advance(store: Store, seconds: int) -> int:
    """Move the time forward and give the new one; raises ValueError for a step back."""
    if seconds < 0:
        raise ValueError("The clock only moves forward.")
    with store.transaction():
        moment = store.now() + seconds
        store.catch_up(moment)
        store.note_put("moved", str(int(store.note("moved") or 0) + seconds))
        return moment


def after(anchor: int, interval: str, steps: int) -> int:
    """``steps`` intervals after ``anchor``: by the calendar in UTC, a day that a month lacks becomes its last."""
    start = datetime.fromtimestamp(anchor, UTC)
    if interval in {"day", "week"}:
        return int((start + timedelta(days=steps * (7 if interval == "week" else 1))).timestamp())
    months = start.year * 12 + start.month - 1 + steps * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


def begin_behind(store: Store, seconds: int) -> int:
    """Let a stand-in that knows nobody yet begin in the past, and give its time; raises ValueError for any other."""
    with store.transaction():
        if store.note("moved") or store.find("customer"):
            raise ValueError("The clock of a stand-in that was used already only moves forward.")
        store.note_put("moved", str(-seconds))
    return store.now()
