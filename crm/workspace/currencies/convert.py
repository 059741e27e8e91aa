"""Amounts in several currencies as one sum in the workspace's, by the rates of a day.

Amounts are kept as they were entered. Only sums are converted: each by the latest rate of its currency on or before the
day, added up unrounded, and rounded once, half up, to the decimals of the target. What has no rate is left out and
named, never taken one to one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, localcontext

from babel.numbers import get_currency_precision
from django.utils import timezone

from crm.workspace.models import ExchangeRate
from tenants.actors import Actor
from tenants.db.scopes import current_tenant

PRECISION = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """What a unit of a currency is worth in the workspace's, and since when."""

    rate: Decimal
    on: date


@dataclass(frozen=True, slots=True)
class Converted:
    """``amount`` without what is in the currencies ``missing``; ``rates_on`` is the day of the oldest rate used.

    ``missing_count`` is how many amounts are left out, where these were counted.
    """

    amount: Decimal
    currency: str
    rates_on: date | None = None
    missing: tuple[str, ...] = ()
    missing_count: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether no rate was needed."""
        return self.rates_on is None and not self.missing


def decimals(currency: str) -> int:
    return int(get_currency_precision(currency))


def rounded(amount: Decimal, currency: str) -> Decimal:
    """To the decimals of the currency, half up (0.5 cents are a cent, -0.5 are -1)."""
    with localcontext(prec=PRECISION):
        return amount.quantize(Decimal(1).scaleb(-decimals(currency)), rounding=ROUND_HALF_UP)


def rates_at(currencies: Iterable[str], on: date) -> dict[str, Rate]:
    """The rate of each currency that has one on or before the day; one query."""
    wanted = sorted(set(currencies))
    if not wanted:
        return {}
    rows = (
        ExchangeRate.objects.filter(currency__in=wanted, on__lte=on)
        .order_by("currency", "-on")
        .distinct("currency")
        .values_list("currency", "rate", "on")
    )
    return {currency: Rate(rate, since) for currency, rate, since in rows}


def own_currency() -> str:
    """The currency that the rates lead to: that of the workspace whose scope this is."""
    tenant = current_tenant()
    assert tenant is not None
    return tenant.currency


def converted(sums: Mapping[str, Decimal], *, to: str, on: date, rates: Mapping[str, Rate] | None = None) -> Converted:
    """The sums by currency as one in ``to``; ``rates`` (of ``rates_at``) saves the query when several are converted.

    An empty currency is the workspace's own; sums of nothing need no rate.
    """
    own = own_currency()
    needed: dict[str, Decimal] = {}
    used, missing = list[date](), list[str]()
    with localcontext(prec=PRECISION):
        for code, amount in sums.items():
            needed[code or own] = needed.get(code or own, Decimal(0)) + amount
        foreign = {code: amount for code, amount in needed.items() if amount and code != to}
        if rates is None:
            rates = rates_at({*foreign, to} - {own}, on) if foreign else {}
        known = {**rates, own: Rate(Decimal(1), on)}
        total, target = needed.get(to, Decimal(0)), known.get(to)
        for code, amount in sorted(foreign.items()):
            rate = known.get(code)
            if rate is None or target is None:
                missing.append(code)
                continue
            total += amount * rate.rate / target.rate
            used += [one.on for one, name in ((rate, code), (target, to)) if name != own]
        return Converted(rounded(total, to), to, min(used, default=None), tuple(missing))


def totals[Key](actor: Actor, sums: Mapping[Key, Mapping[str, Decimal]]) -> dict[Key, Converted]:
    """Several sums by currency, each as one in the workspace's by the rates of the actor's today; one query."""
    to, on = actor.tenant.currency, timezone.now().astimezone(actor.time_zone).date()
    foreign = {code for one in sums.values() for code, amount in one.items() if amount and code and code != to}
    rates = rates_at(foreign, on)
    return {name: converted(one, to=to, on=on, rates=rates) for name, one in sums.items()}
