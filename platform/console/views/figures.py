"""Figures, and the list behind each of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Self
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from billing.models import SubscriptionChange
from billing.plans.catalog import CURRENCIES
from console.access import page
from console.billing import figures as found
from console.billing.figures import Month, Moved
from crm.workspace.text.formats import money_text, number_text
from tenants.http import Request

PAGE = 100
KINDS = SubscriptionChange.Kind

type Rows = Sequence[tuple[Month, Sequence[Cell]]]


@dataclass(frozen=True, slots=True)
class Cell:
    """``text`` is empty where there is nothing to count; ``href`` leads to the list behind it, where there is one."""

    text: str
    href: str = ""


@dataclass(frozen=True, slots=True)
class MonthTable:
    """Figures by month: in each row one cell a column, with the column's label."""

    name: str
    icon: str
    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[Month, Sequence[tuple[str, Cell]]]]

    @classmethod
    def of(cls, name: str, icon: str, title: str, columns: Sequence[str], rows: Rows) -> Self:
        found = [(month, list(zip(columns, cells, strict=True))) for month, cells in rows]
        return cls(name, icon, title, columns, found)


@page
def figures(request: Request) -> HttpResponse:
    month = found.this_month()
    revenue = found.revenue()
    moved = found.movements(found.months(month)[-1].start)
    context = {
        "revenue": revenue,
        "unpaid": found.unpaid(),
        "seats": found.seats(),
        "trialing": found.trialing(),
        "movements": [
            _movement_table(currency, month, revenue.get(currency, (Decimal(0), 0))[0], moved)
            for currency in sorted({*revenue, *(currency for currency, _month, _kind in moved)} - {""})
        ],
        "counted": [_trial_table(month), _churn_table(month)],
    }
    return render(request, "console/figures.html", context)


def _cell(text: str, counted: object, name: str, **query: str) -> Cell:
    """A figure with its list, the page ``name``; nothing where nothing was counted."""
    return Cell(text, f"{reverse(f'console:{name}')}?{urlencode(query)}") if counted else Cell("")


def _percent(rate: Decimal | None) -> Cell:
    return Cell("" if rate is None else f"{number_text(rate)} %")


def _movement_table(currency: str, last: Month, total: Decimal, moved: Moved) -> MonthTable:
    rows = []
    for row in found.month_rows(currency, last, total, moved):
        cells = [
            _cell(
                money_text(amount, currency, exact=True),
                amount,
                "movements",
                currency=currency,
                month=str(row.month),
                kind=kind.value,
            )
            for kind, amount in row.by_kind
        ]
        rows.append((row.month, [*cells, Cell(money_text(row.total, currency, exact=True))]))
    return MonthTable.of(
        f"revenue-{currency}",
        "trending-up",
        _("Movements in %(currency)s") % {"currency": currency},
        [*(str(kind.label) for kind in KINDS), _("At its end")],
        rows,
    )


def _outcomes() -> dict[str, str]:
    """What may become of a trial, as it is called."""
    return {"converted": _("Converted"), "running": _("Running"), "lost": _("Lost")}


def _trial_table(last: Month) -> MonthTable:
    rows = []
    for row in found.trials(last):
        outcomes = [
            _cell(number_text(n), n, "trials", month=str(row.month), outcome=outcome) for outcome, n in row.outcomes
        ]
        begun = _cell(number_text(row.begun), row.begun, "trials", month=str(row.month))
        rows.append((row.month, [begun, *outcomes, _percent(row.rate)]))
    return MonthTable.of(
        "trials",
        "hourglass",
        _("Trials, by the month in which they began"),
        [_("Begun"), *_outcomes().values(), _("Conversion")],
        rows,
    )


def _churn_table(last: Month) -> MonthTable:
    rows = [
        (
            row.month,
            [
                Cell(number_text(row.customers) if row.customers else ""),
                _cell(number_text(row.lost), row.lost, "churn", month=str(row.month)),
                _percent(row.rate),
            ],
        )
        for row in found.churns(last)
    ]
    columns = [_("At its beginning"), _("Lost"), _("Churn")]
    return MonthTable.of("churn", "user-minus", _("Customers lost"), columns, rows)


def _month(request: Request) -> Month:
    try:
        return Month.read(request.GET.get("month", ""))
    except ValueError:
        raise Http404 from None


def _currency(request: Request) -> str:
    currency = request.GET.get("currency", "")
    if currency not in CURRENCIES:
        raise Http404
    return currency


def _listed(request: Request, template: str, rows: Any, **context: Any) -> HttpResponse:
    """A page of rows and the sum of all of them."""
    shown = Paginator(rows, PAGE).get_page(request.GET.get("page"))
    return render(request, f"console/{template}.html", {"rows": shown, "count": shown.paginator.count, **context})


@page
def revenue(request: Request) -> HttpResponse:
    """Who brings in what in a month, in one currency."""
    currency = _currency(request)
    total, _count = found.revenue().get(currency, (Decimal(0), 0))
    title = _("Monthly revenue in %(currency)s") % {"currency": currency}
    return _listed(
        request, "changes", found.revenue_rows(currency), title=title, currency=currency, total=total, shows="after"
    )


@page
def movements(request: Request) -> HttpResponse:
    """Why that changed in a month."""
    currency, month, kind = _currency(request), _month(request), request.GET.get("kind", "")
    if kind not in KINDS.values:
        raise Http404
    total = found.movements(month.start).get((currency, month, kind), Decimal(0))
    title = _("%(kind)s in %(month)s, %(currency)s") % {
        "kind": str(KINDS(kind).label).capitalize(),
        "month": month.label,
        "currency": currency,
    }
    rows = found.movement_rows(currency, month, kind)
    return _listed(request, "changes", rows, title=title, currency=currency, total=total, shows="difference")


@page
def trials(request: Request) -> HttpResponse:
    """What became of the trials of a month."""
    month, outcome = _month(request), request.GET.get("outcome", "")
    if outcome not in ("", *found.OUTCOMES):
        raise Http404
    title = _("Trials that began in %(month)s") % {"month": month.label}
    if outcome:
        title = f"{title}: {_outcomes()[outcome]}"
    return _listed(request, "accounts", found.trial_rows(month, outcome), title=title, outcome=outcome)


@page
def churn(request: Request) -> HttpResponse:
    """Customers who were lost in a month."""
    month = _month(request)
    title = _("Customers lost in %(month)s") % {"month": month.label}
    return _listed(request, "accounts", found.churn_rows(month), title=title)


@page
def unpaid(request: Request) -> HttpResponse:
    """Invoices that are open, in one currency."""
    currency = _currency(request)
    total, _count = found.unpaid().get(currency, (Decimal(0), 0))
    title = _("Unpaid invoices in %(currency)s") % {"currency": currency}
    return _listed(request, "invoices", found.unpaid_rows(currency), title=title, currency=currency, total=total)


@page
def seats(request: Request) -> HttpResponse:
    """Seats that are billed, by workspace."""
    total, _count = found.seats()
    return _listed(request, "seats", found.seat_rows(), title=_("Seats that are billed"), total=total)
