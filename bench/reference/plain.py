"""Minimal Django views: ``.values()`` straight to JSON by orjson."""

import os
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.reference.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Window  # noqa: E402
from django.db.models.functions import RowNumber  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.urls import path  # noqa: E402

from bench.reference.models import Deal, DealContact, Stage, Task  # noqa: E402

settings.ROOT_URLCONF = __name__
CARDS = 25
FIELDS = [
    "id", "created_at", "updated_at", "created_by_id", "version", "deleted_at", "is_sample", "name",
    "company_id", "amount", "currency", "pipeline_id", "stage_id", "owner_id", "probability", "expected_close",
    "closed_on", "source", "stage_entered_at",
]  # fmt: skip


def text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    raise TypeError


def answer(body: object) -> HttpResponse:
    return HttpResponse(orjson.dumps(body, default=text, option=orjson.OPT_UTC_Z), content_type="application/json")


def with_contacts(size: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    links = DealContact.objects.using(size).filter(
        deal_id__in=[row["id"] for row in rows], contact__deleted_at__isnull=True
    )
    by_deal: dict[UUID, list[dict[str, Any]]] = {row["id"]: [] for row in rows}
    for deal, contact, role, title in links.values_list("deal_id", "contact_id", "role", "contact__name"):
        by_deal[deal].append({"id": contact, "role": role, "title": title})
    for row in rows:
        row["contacts"] = by_deal[row["id"]]
    return rows


def deals(size: str) -> QuerySet[Deal]:
    return Deal.objects.using(size).filter(deleted_at__isnull=True)


def deal_list(request: HttpRequest, size: str) -> HttpResponse:
    rows = list(deals(size).order_by("-created_at", "-id").values(*FIELDS)[:50])
    return answer({"data": with_contacts(size, rows)})


def deal_detail(request: HttpRequest, size: str, id: UUID) -> HttpResponse:
    return answer(with_contacts(size, list(deals(size).filter(id=id).values(*FIELDS)))[0])


def board(request: HttpRequest, size: str) -> HttpResponse:
    """The cards that the board shows, with its stages and sums, as JSON."""
    stages = list(Stage.objects.using(size).order_by("position").values("id", "name", "color", "kind"))
    sums = (
        deals(size)
        .values("stage_id", "currency")
        .annotate(count=Count("id"), total=Sum("amount"), weighted=Sum(F("amount") * F("probability") / Decimal(100)))
    )
    tasks = Task.objects.using(size).filter(
        about_type="deal", about_id=OuterRef("id"), done=False, deleted_at__isnull=True
    )
    ranked = deals(size).annotate(
        place=Window(RowNumber(), partition_by="stage_id", order_by=[F("stage_entered_at").desc(), F("id").desc()])
    )
    cards = ranked.filter(place__lte=CARDS).values(
        "id", "name", "stage_id", "amount", "currency", "probability", "expected_close", "closed_on", "version",
        "stage_entered_at", company_name=F("company__name"), owner_name=F("owner__name"),
        owner_color=F("owner__color"), next_at=Subquery(tasks.order_by("due_at").values("due_at")[:1]),
    )  # fmt: skip
    return answer({"stages": stages, "sums": list(sums), "cards": list(cards)})


urlpatterns = [
    path("<str:size>/ready", lambda request, size: HttpResponse()),
    path("<str:size>/deals", deal_list),
    path("<str:size>/deals/<uuid:id>", deal_detail),
    path("<str:size>/board", board),
]
