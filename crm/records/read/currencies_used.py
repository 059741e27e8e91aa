"""Amounts added up: the one place where lists, groups, boards, home and the API get their sums from."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, Q, QuerySet, Sum

from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from crm.workspace.currencies.convert import Converted, rounded, totals
from crm.workspace.text.formats import money_text
from tenants.actors import Actor

EVERY = Q()
MAX_ALONE = 2


@dataclass(frozen=True, slots=True)
class Part:
    """What of the rows is added up: those that match ``where``, weighed by a field in ``percent`` if one is named."""

    where: Q = EVERY
    percent: str = ""


@dataclass(slots=True)
class MoneySum:
    """What rows come to. ``rows`` counts those too that have no amount, ``counts`` the amounts of each currency.

    ``exact`` are the sums by currency, the workspace's own first; ``total`` is all of them in that, None when no row
    has an amount.
    """

    rows: int = 0
    exact: dict[str, Decimal] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    total: Converted | None = None

    @property
    def sums(self) -> dict[str, Decimal]:
        """The sums by currency, to the decimals of each."""
        return {code: rounded(amount, code) for code, amount in self.exact.items()}

    @property
    def text(self) -> str:
        """The total in a few words; what has no rate stands beside it in its own currency."""
        return self._words(compact=True)

    @property
    def full_text(self) -> str:
        """The same to the last decimal."""
        return self._words(compact=False)

    def _words(self, *, compact: bool) -> str:
        if self.total is None:
            return ""
        alone = [money_text(self.exact[code], code, compact=compact) for code in self.total.missing]
        if len(alone) > MAX_ALONE:
            alone[MAX_ALONE:] = ["…"]
        if self.total.amount or not alone:
            sign = "≈ " if self.total.rates_on else ""
            alone.insert(0, sign + money_text(self.total.amount, self.total.currency, compact=compact))
        return " + ".join(alone)


def money_sums(
    actor: Actor,
    rows: QuerySet[Any],
    money: Field | None,
    parts: Mapping[str, Part],
    *,
    by: str = "",
    most: int | None = None,
) -> dict[Any, dict[str, MoneySum]]:
    """Each part of the rows added up, for each value of the column ``by`` (or once, for None).

    An amount without a currency is in the workspace's own. Without ``money``, for who may not read it, rows are only
    counted. One statement, and one for the rates of other currencies. The values with most rows come first; only the
    first ``most`` are told in the workspace's currency.
    """
    own = actor.tenant.currency
    wheres = list(dict.fromkeys(part.where for part in parts.values()))
    wanted: dict[str, Any] = {}
    for place, where in enumerate(wheres):
        wanted[f"rows_{place}"] = Count("pk", filter=where or None)
        if money is not None:
            wanted[f"amounts_{place}"] = Count(money.slug, filter=where or None)
    for name, part in parts.items() if money is not None else ():
        assert money is not None
        amount = F(money.slug) * F(part.percent) / Decimal(100) if part.percent else F(money.slug)
        wanted[f"sum_{name}"] = Sum(amount, filter=part.where or None)
    keys = [*([by] if by else []), *([money.currency] if money is not None else [])]
    plain = rows.order_by()
    found: Any = plain.values(*keys).annotate(**wanted) if keys else [plain.aggregate(**wanted)]
    made: dict[Any, dict[str, MoneySum]] = {}
    if not by:
        made[None] = {name: MoneySum() for name in parts}
    for row in found:
        group = made.setdefault(row[by] if by else None, {name: MoneySum() for name in parts})
        code = (row[money.currency] or own) if money is not None else own
        for name, part in parts.items():
            place, one = wheres.index(part.where), group[name]
            one.rows += row[f"rows_{place}"]
            if money is not None and row[f"amounts_{place}"]:
                one.exact[code] = one.exact.get(code, Decimal(0)) + (row[f"sum_{name}"] or Decimal(0))
                one.counts[code] = one.counts.get(code, 0) + row[f"amounts_{place}"]
    ordered = sorted(made.items(), key=lambda pair: -next(iter(pair[1].values())).rows)
    _in_own_currency(actor, dict(ordered[:most]))
    return dict(ordered)


def _in_own_currency(actor: Actor, made: Mapping[Any, Mapping[str, MoneySum]]) -> None:
    """Put the totals, and say how many amounts of each lack a rate."""
    sums = {(key, name): one for key, group in made.items() for name, one in group.items() if one.exact}
    for one in sums.values():
        one.exact = dict(sorted(one.exact.items(), key=lambda pair: (pair[0] != actor.tenant.currency, pair[0])))
    for place, total in totals(actor, {place: one.exact for place, one in sums.items()}).items():
        one = sums[place]
        one.total = replace(total, missing_count=sum(one.counts[code] for code in total.missing))


def money_sum(actor: Actor, rows: QuerySet[Any], money: Field | None) -> MoneySum:
    """What all the rows come to."""
    return money_sums(actor, rows, money, {"all": Part()})[None]["all"]


def currencies_used(actor: Actor) -> dict[str, int]:
    """How many amounts stand in each currency, in records that are not in the trash, whoever may see them."""
    found: Counter[str] = Counter()
    for record_type in registry.all():
        for one in record_type.fields:
            if one.kind is Kind.MONEY:
                found.update(money_sum(actor, record_type.rows.filter(deleted_at=None), one).counts)
    return dict(found)
