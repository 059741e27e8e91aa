"""The sample data: half a year of a business that fits windows, told as a list of things that happened.

The story depends on a seed only, so that every workspace gets the same one; its times count back from a given moment.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from crm.sales.sample.lands import CALLS, EMAILS, LANDS, MEETINGS, SUPPLIERS, WORK, Land
from crm.sales.sample.money import Money
from crm.workspace.text.folding import fold

SEED = 20_260_214
DAYS = 182
OPEN_STAGES = 5
WON, LOST = OPEN_STAGES, OPEN_STAGES + 1
LOST_REASONS = 6


@dataclass(slots=True)
class Doing:
    """One thing that happened: ``person`` (0 the owner, 1 the manager, then sales people) did it to ``key``.

    Values that refer to other records name their keys; ``stage`` is a number from 0, ``assignee`` a person, and
    ``mentions`` the person whom a note names.
    """

    at: datetime
    person: int
    what: str
    key: str
    values: dict[str, Any] = field(default_factory=dict)


OUTCOMES = ("reached", "reached", "reached", "message", "no_answer", "busy")
SOURCES = ("website", "referral", "phone", "email", "event", "partner", "advertising")
ROLES = ("Decides", "Uses it", "Pays", "Advises")
STAYS = (5.0, 9.0, 14.0, 8.0, 16.0)
LETTERS = str.maketrans({"ł": "l", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe", "ß": "ss"})
LOSING = (0.14, 0.10, 0.12, 0.03, 0.0)
OVERDUE = 6


def address_part(name: str) -> str:
    """A name as it stands in an email address or a domain."""
    return "".join(letter for letter in fold(name).translate(LETTERS) if letter.isascii() and letter.isalnum())


class Story:
    """Draws the story from its seed: before ``now``, on working days between eight and five where it is ``now``."""

    def __init__(self, now: datetime, people: int, money: Money) -> None:
        self.now = now
        self.people = people
        self.money = money
        self.random = Random(SEED)  # noqa: S311
        self.further = Random(SEED + 1)  # noqa: S311 - so that what was told before stays as it was
        self.doings: list[Doing] = []
        self.late_left = OVERDUE
        self.firms: list[tuple[str, Land, int, datetime, list[str]]] = []
        self.customers: set[str] = set()

    def moment(self, wanted: datetime) -> datetime:
        """The wanted day (Monday for a weekend) at an hour of work, but always in the past."""
        day = wanted + timedelta(days=(7 - wanted.weekday()) if wanted.weekday() > 4 else 0)
        at = day.replace(hour=self.random.randint(8, 16), minute=self.random.randint(0, 59), second=0, microsecond=0)
        while at >= self.now:
            at -= timedelta(days=1)
        return at

    def after(self, at: datetime, days: float) -> datetime | None:
        """A moment of work so much later; None if that is not yet."""
        later = at + timedelta(days=days)
        if later >= self.now:
            return None
        return max(self.moment(later), at + timedelta(minutes=self.random.randint(5, 50)))

    def do(self, at: datetime, person: int, what: str, key: str, **values: Any) -> None:
        if at < self.now:
            self.doings.append(Doing(at, person, what, key, values))

    def somebody(self) -> int:
        drawn = self.random.choices(range(5), weights=(4, 3, 6, 5, 5))[0]
        return drawn % self.people

    def tell(self) -> list[Doing]:
        self.companies()
        self.deals()
        self.routine()
        return sorted(self.doings, key=lambda one: one.at)

    def companies(self) -> None:
        draw = self.random
        firms = [(name, land, industry, size, "") for land in LANDS for name, industry, size in land.firms]
        draw.shuffle(firms)
        for number, (name, land, industry, size, kind) in enumerate([*firms, *SUPPLIERS]):
            key, person = f"company-{number}", self.somebody()
            share = number / len(firms) if not kind else draw.random()
            at = self.moment(self.now - timedelta(days=DAYS - 150 * share - draw.random() * 4))
            city, postcode = draw.choice(land.cities)
            domain = f"{address_part(name)[:24]}.example"
            self.do(
                at,
                person,
                "company",
                key,
                name=name,
                kind=kind or "prospect",
                industry=industry,
                size=size,
                domain=domain,
                phones=[{"value": f"{land.dialling}{draw.randint(10000, 99999)}", "label": "work"}],
                address={
                    "street": f"{draw.choice(land.streets)} {draw.randint(1, 90)}",
                    "city": city,
                    "postcode": postcode,
                    "country": land.country,
                },
            )
            self.firms.append((key, land, person, at, self.contacts(number, key, land, person, at, domain)))

    def contacts(self, number: int, company: str, land: Land, person: int, since: datetime, domain: str) -> list[str]:
        draw, keys, names = self.random, [], set[str]()
        for place in range(4 if number % 3 == 0 else 3):
            first, last = draw.choice(land.first), draw.choice(land.last)
            if f"{first} {last}" in names:
                last = next(other for other in land.last if f"{first} {other}" not in names)
            names.add(f"{first} {last}")
            key = f"contact-{number}-{place}"
            at = (
                since + timedelta(minutes=6 + place)
                if place < 2
                else self.after(since, 3 + draw.random() * 20) or since
            )
            emails = [{"value": f"{address_part(first)}.{address_part(last)}@{domain}", "label": "work"}]
            if draw.random() < 0.15:
                emails.append({"value": f"{address_part(first)}{draw.randint(60, 99)}@mail.example", "label": "home"})
            self.do(
                at + timedelta(minutes=place),
                person,
                "contact",
                key,
                first_name=first,
                last_name=last,
                emails=emails,
                phones=[{"value": f"{land.dialling}{draw.randint(10000, 99999)}", "label": "mobile"}],
                job=draw.choice(land.jobs),
                company=company,
                language=land.language,
                source=draw.choice(SOURCES),
                status=draw.choice(("new", "working", "working", "qualified")),
            )
            keys.append(key)
        return keys

    def deals(self) -> None:
        draw = self.random
        buying = self.firms[: -len(SUPPLIERS)]
        for number in range(150):
            company, land, person, since, contacts = (
                buying[number % len(buying)] if number < 60 else draw.choice(buying)
            )
            span = max((self.now - since).days - 1, 1)
            began = self.after(since, 0.2 + draw.random() * span) or self.moment(self.now - timedelta(days=1))
            if began < since:
                began = since + timedelta(minutes=20)
            self.deal(f"deal-{number}", company, land, person, began, contacts)

    def deal(self, key: str, company: str, land: Land, person: int, at: datetime, contacts: list[str]) -> None:
        draw, began = self.random, at
        windows = draw.randint(3, 60)
        currency, amount = self.money.amount(windows * draw.uniform(420, 780), land.currency)
        expected = (at + timedelta(days=draw.randint(35, 110))).date().isoformat()
        priced = draw.random() < 0.55
        known = [one for one in self.doings if one.key in contacts and one.at <= at]
        who = draw.sample(known, min(len(known), draw.choice((1, 1, 2))))
        self.do(
            at,
            person,
            "deal",
            key,
            name=f"{draw.choice(WORK[land.language]).format(n=windows)}, {draw.choice(land.streets)}",
            company=company,
            currency=currency,
            contacts=[(one.key, draw.choice(ROLES)) for one in who],
            source=draw.choice(SOURCES),
            **({"amount": amount, "expected_close": expected} if priced else {}),
        )
        stage, stalls = 0, draw.random() < 0.1
        while stage < OPEN_STAGES:
            self.activity(key, land, person, at)
            self.touch(key, land, person, at, [one.key for one in who])
            there = at
            later = None if stalls and stage > 0 else self.after(at, 0.5 + draw.expovariate(1 / STAYS[stage]))
            if later is None:
                self.next_step(key, land, person, there)
                self.appointment(key, land, person, there, [one.key for one in who])
                break
            at = later
            if draw.random() < LOSING[stage]:
                stage = LOST
                self.do(at, person, "move", key, stage=LOST, lost_reason=draw.randrange(LOST_REASONS))
                break
            stage += 1
            values: dict[str, Any] = {"stage": stage}
            if stage == 2 and not priced:
                values |= {"amount": amount, "expected_close": expected}
            self.do(at, person, "move", key, **values)
            if stage == WON and company not in self.customers:
                self.customers.add(company)
                self.do(at + timedelta(minutes=2), person, "edit", company, kind="customer")
        if draw.random() < 0.5:
            about = draw.choice([company, *contacts[:1]])
            self.do(
                began + timedelta(hours=2), person, "note", f"{key}-about", body=draw.choice(land.notes), about=about
            )

    def activity(self, deal: str, land: Land, person: int, at: datetime) -> None:
        """A task that was done, and perhaps a note of how it went."""
        draw = self.random
        done = self.after(at, 0.3 + draw.random() * 3)
        if done is None or draw.random() < 0.25:
            return
        key = f"task-{len(self.doings)}"
        due = (done + timedelta(hours=draw.choice((-3, 2, 20)))).replace(minute=0)
        self.do(at, person, "task", key, name=draw.choice(land.jobs_to_do), due_at=due, about=deal, assignee=person)
        self.do(done, person, "done", key)
        if draw.random() < 0.7:
            told = done + timedelta(minutes=10)
            named: dict[str, Any] = {}
            if told > self.now - timedelta(days=6) and self.people > 1 and self.further.random() < 0.4:
                named["mentions"] = (person + 1) % self.people
            self.do(told, person, "note", f"{key}-note", body=draw.choice(land.notes), about=deal, **named)

    def touch(self, deal: str, land: Land, person: int, at: datetime, contacts: list[str]) -> None:
        """A call, an email or a meeting with those who buy, some days after."""
        draw = self.further
        then = at + timedelta(days=draw.random() * 4, minutes=draw.randint(10, 200))
        lot = draw.random()
        if lot > 0.7 or then >= self.now - timedelta(hours=2) or not contacts:
            return
        then = then.replace(hour=draw.randint(8, 16), second=0, microsecond=0)
        if then <= at or then >= self.now - timedelta(hours=2):
            return
        key, language, way = f"touch-{len(self.doings)}", land.language, draw.choice(("out", "out", "in"))
        on = {"about": deal, "also": contacts[:1], "assignee": person}
        if lot < 0.4:
            outcome = "reached" if way == "in" else draw.choice(OUTCOMES)
            minutes = draw.randint(2, 25) if outcome == "reached" else None
            self.do(
                then, person, "call", key, name=draw.choice(CALLS[language]), starts_at=then, direction=way,
                outcome=outcome, minutes=minutes, done=True, **on,
            )  # fmt: skip
        elif lot < 0.57:
            people = [(one, "from" if way == "in" else "to") for one in contacts]
            self.do(
                then, person, "email", key, subject=draw.choice(EMAILS[language]), sent_at=then, direction=way,
                people=people, body=draw.choice(land.notes), **on,
            )  # fmt: skip
        else:
            starts_at = then.replace(minute=draw.choice((0, 30)))
            made = max(at + timedelta(minutes=3), starts_at - timedelta(days=2))
            if made >= starts_at:
                return
            city = draw.choice(land.cities)[0]
            self.do(
                made, person, "meeting", key, name=draw.choice(MEETINGS[language]), starts_at=starts_at,
                minutes=draw.choice((30, 60, 60, 90)), place=f"{draw.choice(land.streets)}, {city}",
                guests=[(one, "accepted") for one in contacts], **on,
            )  # fmt: skip
            self.do(starts_at + timedelta(minutes=100), person, "done", key)

    def appointment(self, deal: str, land: Land, person: int, since: datetime, contacts: list[str]) -> None:
        """A meeting or a call that is still to come."""
        draw = self.further
        if draw.random() > 0.35 or not contacts:
            return
        day = self.now + timedelta(days=draw.choice((1, 1, 2, 3, 4, 6, 7, 9, 13)))
        day += timedelta(days=7 - day.weekday() if day.weekday() > 4 else 0)
        starts_at = day.replace(hour=draw.randint(8, 15), minute=draw.choice((0, 0, 30)), second=0, microsecond=0)
        made = max(since, self.now - timedelta(days=3)) + timedelta(minutes=2)
        key = f"ahead-{deal}"
        on = {"about": deal, "also": contacts[:1], "assignee": person, "starts_at": starts_at, "done": False}
        if draw.random() < 0.4:
            self.do(
                made, person, "call", key, name=draw.choice(CALLS[land.language]), direction="out", minutes=15,
                reminder=10, **on,
            )  # fmt: skip
        else:
            replies = [(one, draw.choice(("none", "accepted", "tentative"))) for one in contacts]
            self.do(
                made, person, "meeting", key, name=draw.choice(MEETINGS[land.language]), minutes=60, reminder=30,
                place=draw.choice(land.cities)[0], guests=replies, **on,
            )  # fmt: skip

    def routine(self) -> None:
        """What comes back by itself: the week's round of all, a look at the month's numbers; and a fair."""
        made = self.moment(self.now - timedelta(days=5))
        monday = (self.now + timedelta(days=7 - self.now.weekday())).replace(hour=8, minute=30, second=0, microsecond=0)
        self.do(
            made, 0, "meeting", "routine-week", name="Pipeline round", starts_at=monday, minutes=30, reminder=10,
            repeat="FREQ=WEEKLY;BYDAY=MO", guests=list(range(1, self.people)), assignee=0, done=False,
        )  # fmt: skip
        fair = (monday + timedelta(days=9)).date().isoformat()
        self.do(
            made, 0, "meeting", "routine-fair", name="Window fair", starts_on=fair, minutes=2 * 24 * 60,
            place="Messe Nürnberg", guests=list(range(1, min(self.people, 3))), assignee=0, done=False,
        )  # fmt: skip
        self.do(
            made, 0, "task", "routine-month", name="Look at the month's numbers",
            due_on=(self.now + timedelta(days=3)).date().isoformat(), repeat="FREQ=MONTHLY;BYDAY=1MO", assignee=0,
        )  # fmt: skip

    def next_step(self, deal: str, land: Land, person: int, since: datetime) -> None:
        """What is planned for a deal that is still open: mostly something, sometimes late, sometimes nothing."""
        draw = self.random
        lot = draw.random()
        if lot < 0.28:
            return
        late = lot < 0.45 and self.late_left > 0
        if late:
            self.late_left -= 1
        hour = draw.randint(8, 16)
        days = -draw.randint(1, 3) if late else draw.choice((0, 0, 1, 1, 2, 3, 5, 8, 12))
        due = (self.now + timedelta(days=days)).replace(hour=hour, minute=0, second=0, microsecond=0)
        if not late and due <= self.now:
            due += timedelta(days=1)
        if due.weekday() > 4 and due.date() > self.now.date():
            due += timedelta(days=7 - due.weekday())
        made = max(since, self.moment(self.now - timedelta(days=4)))
        self.do(
            made + timedelta(minutes=1),
            person,
            "task",
            f"next-{deal}",
            name=draw.choice(land.jobs_to_do),
            due_at=due,
            about=deal,
            assignee=person,
            priority=draw.choice(("normal", "normal", "high", "low")),
        )


def story(now: datetime, people: int, money: Money) -> list[Doing]:
    """What happened, in order. ``people`` is how many there are to do it."""
    return Story(now, people, money).tell()
