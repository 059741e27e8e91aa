"""Currencies in use and their rates: set, taken from a file, removed; and the workspace's own currency changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from typing import Any
from uuid import UUID

from babel.numbers import is_currency
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.workspace.auditing import audit_note
from crm.workspace.configuration import OFFERED, workspace_settings
from crm.workspace.currencies.convert import PRECISION, rates_at
from crm.workspace.currencies.files import DIGITS, Line, day_of, number_of
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.hooks import currencies_used
from crm.workspace.models import ExchangeRate, WorkspaceSettings
from tenants.actors import Actor
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.settings import metadata_changed, workspace_update

LOWEST, HIGHEST = Decimal("0.000000001"), Decimal(1_000_000_000)
EARLIEST = date(1970, 1, 1)
MAX_CURRENCIES = 40
BATCH = 2000
NO_MONEY = frozenset({"XXX", "XTS"})
"""Codes of ISO 4217 for no currency, and for tests."""


def today(actor: Actor) -> date:
    return timezone.now().astimezone(actor.time_zone).date()


def _need(actor: Actor) -> None:
    if not actor.can("workspace", "settings"):
        raise NotAllowed("forbidden", _("You may not change the settings of this workspace."))
    require_writable(actor.tenant)


# --- one rate ---------------------------------------------------------------------------------------------------------


def currency_checked(currency: str, *, own: str) -> str:
    code = currency.strip().upper()
    if not (len(code) == 3 and code.isascii() and is_currency(code)) or code in NO_MONEY:
        raise WorkspaceError(
            "unknown_currency", _("This is not a currency code, such as EUR or USD."), field="currency"
        )
    if code == own:
        raise WorkspaceError(
            "own_currency",
            _("%(currency)s is the workspace's own currency; it needs no rate.") % {"currency": code},
            field="currency",
        )
    return code


def day_checked(on: date | None, *, latest: date) -> date:
    if on is None:
        raise WorkspaceError("invalid_date", _("This must be a date, such as 2026-03-31."), field="on")
    if on > latest:
        raise WorkspaceError("future_date", _("A rate cannot hold from a day in the future."), field="on")
    if on < EARLIEST:
        raise WorkspaceError("invalid_date", _("This day is too long ago."), field="on")
    return on


def rate_checked(rate: Decimal | None) -> Decimal:
    if rate is None or not rate.is_finite():
        raise WorkspaceError("invalid_rate", _("This must be a number, such as 0.92."), field="rate")
    if rate == 0:
        raise WorkspaceError("rate_of_zero", _("A rate of zero would make money vanish."), field="rate")
    if rate < 0:
        raise WorkspaceError("negative_rate", _("A rate must be greater than zero."), field="rate")
    with localcontext(prec=PRECISION):
        exact = rate.quantize(DIGITS) if rate <= HIGHEST else rate
    if not LOWEST <= exact <= HIGHEST:
        raise WorkspaceError(
            "absurd_rate", _("Such a rate cannot be meant. Look at the point once more."), field="rate"
        )
    return exact


def exchange_rate_set(
    actor: Actor, *, currency: str, on: date | None, rate: Decimal | None, source: str = "ui"
) -> ExchangeRate:
    """From that day on, a unit of the currency is so much in the workspace's; a rate of that day is corrected.

    A currency not in use yet is from now on. Raises WorkspaceError naming the field.
    """
    _need(actor)
    code = currency_checked(currency, own=actor.tenant.currency)
    day, value = day_checked(on, latest=today(actor)), rate_checked(rate)
    with transaction.atomic():
        found = ExchangeRate.objects.select_for_update().filter(currency=code, on=day).first()
        before = None if found is None else {"currency": code, "on": day, "rate": found.rate}
        if found is not None and found.rate == value:
            return found
        # Two at once: the second waits for the first and corrects it.
        found, _made = ExchangeRate.objects.update_or_create(currency=code, on=day, defaults={"rate": value})
        _use(actor, [code])
        audit_note(
            actor,
            "settings.rate_corrected" if before else "settings.rate_added",
            before=before,
            after={"currency": code, "on": day, "rate": value},
            source=source,
        )
    return found


def exchange_rate_remove(actor: Actor, *, rate_id: UUID, source: str = "ui") -> ExchangeRate:
    _need(actor)
    with transaction.atomic():
        found = ExchangeRate.objects.select_for_update().filter(id=rate_id).first()
        if found is None:
            raise NotFound("not_found", _("This rate is no longer here."))
        audit_note(
            actor,
            "settings.rate_removed",
            before={"currency": found.currency, "on": found.on, "rate": found.rate},
            source=source,
        )
        ExchangeRate.objects.filter(id=rate_id).delete()
    return found


# --- a file of them ---------------------------------------------------------------------------------------------------


class Fate(StrEnum):
    ADDED = "added"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Judged:
    """What becomes of a line: ``before`` is the rate that it changes, ``problem`` why it is refused."""

    line: Line
    fate: Fate
    currency: str = ""
    on: date | None = None
    rate: Decimal | None = None
    before: Decimal | None = None
    problem: str = ""


def lines_judged(actor: Actor, lines: Sequence[Line]) -> list[Judged]:
    """Each line with what would become of it now; one query."""
    own, latest = actor.tenant.currency, today(actor)
    checked: list[Judged] = []
    places: dict[tuple[str, date], int] = {}
    for line in lines:
        try:
            code = currency_checked(line.currency, own=own)
            on = day_checked(day_of(line.on), latest=latest)
            rate = rate_checked(number_of(line.rate))
        except WorkspaceError as error:
            checked.append(Judged(line, Fate.REFUSED, problem=str(error.message)))
            continue
        first = places.setdefault((code, on), line.number)
        if first != line.number:
            text = _("The same currency and day stand in line %(line)d already.") % {"line": first}
            checked.append(Judged(line, Fate.REFUSED, problem=text))
            continue
        checked.append(Judged(line, Fate.ADDED, code, on, rate))
    there = _there(places)
    return [_compared(one, there) for one in checked]


def _there(places: Iterable[tuple[str, date]]) -> dict[tuple[str, date], Decimal]:
    wanted = list(places)
    if not wanted:
        return {}
    days = [on for _code, on in wanted]
    rows = ExchangeRate.objects.filter(
        currency__in={code for code, _on in wanted}, on__gte=min(days), on__lte=max(days)
    ).values_list("currency", "on", "rate")
    return {(code, on): rate for code, on, rate in rows}


def _compared(one: Judged, there: Mapping[tuple[str, date], Decimal]) -> Judged:
    if one.on is None or (before := there.get((one.currency, one.on))) is None:
        return one
    fate = Fate.SAME if before == one.rate else Fate.CHANGED
    return Judged(one.line, fate, one.currency, one.on, one.rate, before)


class RatesRefused(WorkspaceError):
    """Lines that cannot be taken, with what is wrong with each."""

    def __init__(self, refused: Sequence[Judged]) -> None:
        super().__init__("invalid", refused[0].problem, field="rates")
        self.refused = refused


def exchange_rates_import(
    actor: Actor, *, lines: Sequence[Line], whole: bool = False, source: str = "ui"
) -> dict[Fate, int]:
    """Take the lines that are good, all in one transaction; gives how many were added, changed, the same, refused.

    With ``whole`` all are taken or none: raises RatesRefused.
    """
    _need(actor)
    with transaction.atomic():
        judged = lines_judged(actor, lines)
        refused = [one for one in judged if one.fate is Fate.REFUSED]
        if whole and refused:
            raise RatesRefused(refused)
        taken = [one for one in judged if one.fate in (Fate.ADDED, Fate.CHANGED)]
        counts = {fate: sum(one.fate is fate for one in judged) for fate in Fate}
        if not taken:
            return counts
        ExchangeRate.objects.bulk_create(
            [ExchangeRate(currency=one.currency, on=one.on, rate=one.rate) for one in taken if one.on and one.rate],
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["currency", "on"],
            update_fields=["rate"],
        )
        codes = sorted({one.currency for one in taken})
        _use(actor, codes)
        days = sorted(one.on for one in taken if one.on)
        after: dict[str, Any] = {"currencies": codes, "from": days[0], "to": days[-1]}
        after |= {str(fate): counts[fate] for fate in (Fate.ADDED, Fate.CHANGED)}
        audit_note(actor, "settings.rates_imported", after=after, source=source)
    return counts


# --- currencies in use ------------------------------------------------------------------------------------------------


def settings_locked() -> WorkspaceSettings:
    """The one row of settings, made if need be, locked until the transaction ends."""
    WorkspaceSettings.objects.bulk_create([WorkspaceSettings()], ignore_conflicts=True)
    return WorkspaceSettings.objects.select_for_update().get()


def _use(actor: Actor, codes: Iterable[str]) -> list[str]:
    """Have these be in use too; gives those that were not."""
    row = settings_locked()
    present = list(OFFERED if row.currencies is None else row.currencies)
    new = [code for code in codes if code not in present and code != actor.tenant.currency]
    if not new:
        return []
    if len(present) + len(new) > MAX_CURRENCIES:
        raise Conflict(
            "too_many",
            _("At most %(count)d currencies can be in use at once.") % {"count": MAX_CURRENCIES},
            field="currency",
        )
    row.currencies = [*present, *new]
    row.save(update_fields=["currencies"])
    metadata_changed(actor.tenant)
    return new


def currency_add(actor: Actor, *, currency: str, source: str = "ui") -> None:
    _need(actor)
    code = currency_checked(currency, own=actor.tenant.currency)
    with transaction.atomic():
        if _use(actor, [code]):
            audit_note(actor, "settings.currency_added", after={"currency": code}, source=source)


def currency_remove(actor: Actor, *, currency: str, knowing: bool = False, source: str = "ui") -> None:
    """Offer the currency no longer. Amounts in it and its rates stay. Raises Conflict when there are such amounts and
    ``knowing`` does not say that this is known."""
    _need(actor)
    with transaction.atomic():
        row = settings_locked()
        present = list(OFFERED if row.currencies is None else row.currencies)
        if currency not in present:
            raise NotFound("not_found", _("This currency is not in use."))
        used = 0 if knowing else currencies_used(actor).get(currency, 0)
        if used:
            raise Conflict("currency_in_use", _("There are amounts in %(currency)s.") % {"currency": currency})
        row.currencies = [code for code in present if code != currency]
        row.save(update_fields=["currencies"])
        metadata_changed(actor.tenant)
        audit_note(actor, "settings.currency_removed", before={"currency": currency}, source=source)


# --- the workspace's own ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rebase:
    """What a change of the workspace's currency does to the rates. ``first`` is the day of the new currency's first
    rate; ``dropped`` are rates from before it, which nothing leads over from; ``rates`` is how many there are after."""

    currency: str
    rates: int
    dropped: int
    first: date | None


def _rebased(rows: Sequence[ExchangeRate], *, old: str, new: str) -> tuple[Rebase, list[ExchangeRate]]:
    """The rates over again, in the new currency: so that a sum of any day is the same money as before.

    Each currency gets a rate on each day on which its own or the new currency's changed.
    """
    tables: dict[str, dict[date, Decimal]] = {}
    for one in rows:
        tables.setdefault(one.currency, {})[one.on] = one.rate
    bridge = tables.pop(new, {})
    first = min(bridge, default=None)
    tables[old] = dict.fromkeys(bridge, Decimal(1))
    made: list[ExchangeRate] = []
    for code, table in tables.items():
        rate = through = None
        for on in sorted(table.keys() | bridge.keys()):
            rate, through = table.get(on, rate), bridge.get(on, through)
            if rate is not None and through is not None:
                made.append(ExchangeRate(currency=code, on=on, rate=divided(rate, through)))
    dropped = sum(first is None or one.on < first for one in rows)
    return Rebase(new, len(made), dropped, first), made


def divided(rate: Decimal, through: Decimal) -> Decimal:
    with localcontext(prec=PRECISION):
        return min(max((rate / through).quantize(DIGITS), LOWEST), HIGHEST)


def rebase_preview(actor: Actor, currency: str) -> Rebase:
    rows = list(ExchangeRate.objects.order_by("on"))
    return _rebased(rows, old=actor.tenant.currency, new=currency)[0]


def workspace_currency_change(actor: Actor, *, currency: str, source: str = "ui") -> Rebase:
    """Make another currency the workspace's own. Amounts stay as entered; the rates go over through the new one's.

    What is from before the new currency's first rate is dropped, as nothing says what it would be.
    """
    _need(actor)
    old, code = actor.tenant.currency, currency_checked(currency, own=actor.tenant.currency)
    with transaction.atomic():
        row = settings_locked()
        effect, made = _rebased(list(ExchangeRate.objects.select_for_update().order_by("on")), old=old, new=code)
        ExchangeRate.objects.all().delete()
        ExchangeRate.objects.bulk_create(made, batch_size=BATCH)
        present = OFFERED if row.currencies is None else row.currencies
        row.currencies = [old, *(one for one in present if one not in (code, old))]
        row.save(update_fields=["currencies"])
        workspace_update(actor, currency=code)
    return effect


# --- reading ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CurrencyRow:
    """A currency as its settings show it; ``used`` is how many amounts are in it."""

    code: str
    rate: Decimal | None
    on: date | None
    used: int
    offered: bool
    old: bool = False


STALE = timedelta(days=45)


def currency_rows(actor: Actor) -> list[CurrencyRow]:
    """The currencies in use, then those that only have amounts, with the latest rate of each."""
    offered = [code for code in workspace_settings(actor.tenant).currencies if code != actor.tenant.currency]
    used = currencies_used(actor)
    codes = [*offered, *sorted(code for code in used if code not in offered and code != actor.tenant.currency)]
    latest, now = rates_at(codes, today(actor)), today(actor)
    return [
        CurrencyRow(
            code,
            latest[code].rate if code in latest else None,
            latest[code].on if code in latest else None,
            used.get(code, 0),
            code in offered,
            code in latest and now - latest[code].on > STALE,
        )
        for code in codes
    ]
