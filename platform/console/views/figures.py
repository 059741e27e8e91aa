"""Figures, and the list behind each of them."""

from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from billing.models import SubscriptionChange
from billing.plans.catalog import CURRENCIES
from console.access import page
from console.billing import figures as found
from console.billing.figures import Month
from tenants.http import Request

PAGE = 100
KINDS = SubscriptionChange.Kind


@page
def figures(request: Request) -> HttpResponse:
    month = found.this_month()
    revenue = found.revenue()
    moved = found.movements(found.months(month)[-1].start)
    currencies = sorted({*revenue, *(currency for currency, _month, _kind in moved)} - {""})
    tables = [
        {
            "currency": currency,
            "total": revenue.get(currency, (Decimal(0), 0))[0],
            "workspaces": revenue.get(currency, (Decimal(0), 0))[1],
            "months": found.month_rows(currency, month, revenue.get(currency, (Decimal(0), 0))[0], moved),
        }
        for currency in currencies
    ]
    context = {
        "tables": tables,
        "kinds": KINDS.choices,
        "trials": found.trials(month),
        "churns": found.churns(month),
        "unpaid": found.unpaid(),
        "seats": found.seats(),
        "trialing": found.trialing(),
    }
    return render(request, "console/figures.html", context)


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
