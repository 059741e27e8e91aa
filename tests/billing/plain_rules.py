"""The rules of seats, access and limits once more, in the plainest words: no database, no Stripe, a day after a day.

A period ends to the second; what Stripe tries again it tries 3, 5 and 7 days after the first time.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dateutil.relativedelta import relativedelta

TRIAL_DAYS, TRIAL_SEATS, GRACE_DAYS, READ_ONLY_DAYS = 14, 10, 7, 30
DRAFT = timedelta(hours=1)
"""How long an invoice of a renewal waits before it is collected."""
RETRIES = (3, 5, 7)
SEATS = {"starter": 5, "team": 50, "business": None}


@dataclass
class Bought:
    """A subscription; ``tries`` are when a failed payment is tried again."""

    plan: str
    begun: datetime
    billed: int
    paid: int
    periods: int = 1
    cancelled: bool = False
    failed_at: datetime | None = None
    tries: list[datetime] = field(default_factory=list)
    collect_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def until(self) -> datetime:
        return self.begun + relativedelta(months=self.periods)


@dataclass
class Rules:
    """One workspace. Each verb is what somebody does; ``day`` lets a day pass, ``settle`` what follows at once."""

    now: datetime
    members: int = 1
    card_works: bool = True
    bought: Bought | None = None

    def __post_init__(self) -> None:
        self.trial_until = self.now + timedelta(days=TRIAL_DAYS)

    @property
    def live(self) -> Bought | None:
        return self.bought if self.bought is not None and self.bought.ended_at is None else None

    @property
    def state(self) -> str:
        bought = self.bought
        if self.live is not None:
            failed = self.live.failed_at
            if failed is None:
                return "canceling" if self.live.cancelled else "active"
            grace = failed + timedelta(days=GRACE_DAYS)
            return "past_due" if self.now < grace else self._unpaid(grace, "read_only")
        if self.now < self.trial_until:
            return "trialing"
        if bought is None or bought.ended_at is None:
            return self._unpaid(self.trial_until, "read_only")
        ended = bought.ended_at
        if bought.failed_at is not None:
            ended = min(ended, bought.failed_at + timedelta(days=GRACE_DAYS))
        return self._unpaid(max(ended, self.trial_until), "canceled")

    def _unpaid(self, since: datetime, first: str) -> str:
        return first if self.now < since + timedelta(days=READ_ONLY_DAYS) else "retention"

    @property
    def seats(self) -> int | None:
        """How many can be taken."""
        if self.live is None:
            return TRIAL_SEATS
        most = SEATS[self.live.plan]
        return self.live.paid if most is None else min(self.live.paid, most)

    @property
    def is_writable(self) -> bool:
        return self.state in ("trialing", "active", "canceling", "past_due")

    def has_room(self) -> bool:
        return self.is_writable and (self.seats is None or self.members < self.seats)

    def join(self) -> None:
        self.members += 1

    def leave(self) -> None:
        self.members -= 1

    def may_buy(self, plan: str, seats: int) -> bool:
        most = SEATS[plan]
        return self.live is None and seats >= self.members and (most is None or seats <= most)

    def buy(self, plan: str, seats: int) -> None:
        self.bought = Bought(plan, self.now.replace(microsecond=0), billed=seats, paid=seats)

    def may_change(self, plan: str, seats: int) -> bool:
        live, most = self.live, SEATS[plan]
        return (
            live is not None
            and live.failed_at is None
            and (plan, seats) != (live.plan, live.billed)
            and seats >= max(live.paid, self.members)
            and (most is None or seats <= most)
            and self.card_works
        )

    def change(self, plan: str, seats: int) -> None:
        assert self.live is not None
        self.live.plan, self.live.billed, self.live.paid = plan, seats, max(seats, self.live.paid)

    def settle(self) -> None:
        """Seats follow the members: more at once, fewer on the last day of a period."""
        live = self.live
        if live is None:
            return
        last_day = not live.cancelled and live.until - timedelta(days=1) <= self.now < live.until
        wanted = max(self.members, 1) if last_day else max(self.members, live.paid)
        if wanted > live.paid and live.failed_at is not None:
            return
        live.billed, live.paid = wanted, max(wanted, live.paid)

    def day(self) -> None:
        end = self.now + timedelta(days=1)
        while (moment := self._next(end)) is not None:
            self.now = moment
            self._happen()
        self.now = end

    def _next(self, end: datetime) -> datetime | None:
        live = self.live
        if live is None:
            return None
        moments = [live.until, *([live.collect_at] if live.collect_at else []), *live.tries[:1]]
        found = min(moments)
        return found if found <= end else None

    def _happen(self) -> None:
        live = self.live
        assert live is not None
        if live.collect_at is not None and self.now >= live.collect_at:
            live.collect_at = None
            self._collect(live)
        elif live.tries and self.now >= live.tries[0]:
            live.tries.pop(0)
            self._collect(live)
        elif live.cancelled:
            live.ended_at = live.until
        else:
            live.periods += 1
            live.paid = live.billed
            live.collect_at = self.now + DRAFT

    def _collect(self, live: Bought) -> None:
        if self.card_works:
            live.failed_at, live.tries = None, []
        elif live.failed_at is None:
            live.failed_at = self.now
            live.tries = [self.now + timedelta(days=days) for days in RETRIES]
        elif not live.tries:
            live.ended_at = self.now
