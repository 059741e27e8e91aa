"""The public page of plans and prices."""

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from billing.access import KEPT, READ_ONLY, TRIAL
from billing.models import PlanPrice
from billing.plans.catalog import CURRENCIES
from billing.plans.wording import ALWAYS, feature_rows, limit_rows
from billing.selectors import offered
from tenants.http import Request
from tenants.web.access import PUBLIC, access

CURRENCY_OF = {"en-gb": "GBP", "en": "USD"}
"""What a reader of that language is shown first; all others see euros."""


def chosen(request: Request, currency: str, interval: str = PlanPrice.Interval.MONTH) -> tuple[str, str]:
    """The interval and the currency that the address asks for, else those given. Raises Http404 for unknown ones."""
    interval = request.GET.get("interval", interval)
    currency = request.GET.get("currency", currency)
    if interval not in PlanPrice.Interval.values or currency not in CURRENCIES:
        raise Http404
    return interval, currency


@access(PUBLIC)
@require_safe
def pricing(request: Request) -> HttpResponse:
    interval, currency = chosen(request, CURRENCY_OF.get(get_language() or settings.LANGUAGE_CODE, "EUR"))
    plans = offered(interval, currency)
    context = {
        "interval": interval,
        "currency": currency,
        "intervals": PlanPrice.Interval.choices,
        "currencies": CURRENCIES,
        "plans": plans,
        "limits": limit_rows([one.plan for one in plans]),
        "features": feature_rows([one.plan for one in plans]),
        "always": ALWAYS,
        "trial_days": TRIAL.days,
        "read_only_days": READ_ONLY.days,
        "kept_days": KEPT.days,
    }
    return render(request, "billing/pricing.html", context)
