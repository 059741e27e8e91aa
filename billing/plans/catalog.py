"""What is sold: the plans, their prices a seat, limits and features, as they stand in the tables after each upgrade."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction

from billing.models import Plan, PlanPrice
from tenants.db.scopes import shared

CURRENCIES = ("EUR", "USD", "GBP")
INTERVALS = (PlanPrice.Interval.MONTH, PlanPrice.Interval.YEAR)
TRIAL_PLAN = "business"


@dataclass(frozen=True, slots=True)
class Offer:
    """A plan as it is sold. ``monthly`` and ``yearly`` are prices of one seat for that time, by currency."""

    code: str
    name: str
    monthly: Mapping[str, str]
    yearly: Mapping[str, str]
    limits: Mapping[str, int] = field(default_factory=dict)
    features: tuple[str, ...] = ()


PLANS = (
    Offer(
        "starter",
        "Starter",
        monthly={"EUR": "12.00", "USD": "14.00", "GBP": "11.00"},
        yearly={"EUR": "120.00", "USD": "140.00", "GBP": "110.00"},
        limits={
            "seats": 5,
            "contacts": 2_000,
            "pipelines": 2,
            "custom_fields": 20,
            "record_types": 0,
            "automations": 3,
            "storage_mb": 2_000,
            "api_reads_per_minute": 600,
            "api_writes_per_minute": 300,
            "history_days": 90,
        },
    ),
    Offer(
        "team",
        "Team",
        monthly={"EUR": "29.00", "USD": "32.00", "GBP": "26.00"},
        yearly={"EUR": "290.00", "USD": "320.00", "GBP": "260.00"},
        limits={
            "seats": 50,
            "contacts": 100_000,
            "pipelines": 15,
            "custom_fields": 200,
            "record_types": 5,
            "automations": 50,
            "storage_mb": 50_000,
            "api_reads_per_minute": 3_000,
            "api_writes_per_minute": 1_500,
            "history_days": 730,
        },
        features=("teams", "custom_roles"),
    ),
    Offer(
        "business",
        "Business",
        monthly={"EUR": "59.00", "USD": "65.00", "GBP": "52.00"},
        yearly={"EUR": "590.00", "USD": "650.00", "GBP": "520.00"},
        limits={
            "contacts": 1_000_000,
            "custom_fields": 1_000,
            "record_types": 50,
            "automations": 500,
            "storage_mb": 500_000,
            "api_reads_per_minute": 6_000,
            "api_writes_per_minute": 3_000,
        },
        features=("teams", "custom_roles", "audit_log"),
    ),
)


@shared()
def plans_load() -> None:
    """Make the tables say what PLANS says; what is sold no more stays for those who have it. Safe to repeat."""
    with transaction.atomic():
        Plan.objects.exclude(code__in=[offer.code for offer in PLANS]).update(is_sold=False)
        for rank, offer in enumerate(PLANS):
            values = {"name": offer.name, "rank": rank, "limits": dict(offer.limits), "is_sold": True}
            plan, _made = Plan.objects.update_or_create(
                code=offer.code, defaults=values | {"features": list(offer.features)}
            )
            for interval, amounts in zip(INTERVALS, (offer.monthly, offer.yearly), strict=True):
                for currency in CURRENCIES:
                    PlanPrice.objects.update_or_create(
                        plan=plan,
                        interval=interval,
                        currency=currency,
                        defaults={
                            "amount": Decimal(amounts[currency]),
                            "lookup_key": f"{offer.code}_{interval}_{currency.lower()}",
                        },
                    )
