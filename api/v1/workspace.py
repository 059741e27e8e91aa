"""``/v1/workspace``: what holds for all of it. ``/v1/exchange-rates``: what sums are converted by."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, missing_scope, not_found
from api.v1.members import cursor_of, known, limit_of, text
from api.views import ApiView
from crm.records.parsing import BadValue, number
from crm.workspace.configuration import hours_to_json, workspace_settings
from crm.workspace.models import ExchangeRate
from crm.workspace.rate_services import exchange_rate_remove, exchange_rate_set
from tenants.actors import POWER_SCOPES


class WorkspaceDetail(ApiView):
    """Name, currency and currencies in use, formats, working hours by weekday (Monday is 0) and holidays."""

    def get(self, request: Request) -> Response:
        tenant = self.actor.tenant
        found = workspace_settings(tenant)
        return Response(
            {
                "id": tenant.id,
                "name": tenant.name,
                "subdomain": tenant.subdomain,
                "locale": tenant.locale,
                "time_zone": tenant.time_zone,
                "currency": tenant.currency,
                "currencies": [tenant.currency, *(code for code in found.currencies if code != tenant.currency)],
                "formats": {
                    "numbers": found.number_format or None,
                    "dates": found.date_format or None,
                    "times": found.time_format or None,
                    "week_start": found.week_start,
                },
                "working_hours": hours_to_json(found.working_hours),
                "holidays": [{"on": on, "name": name} for on, name in found.holidays.items()],
            }
        )


def _row(one: ExchangeRate) -> dict[str, Any]:
    return {"id": one.id, "currency": one.currency, "on": one.on, "rate": f"{one.rate.normalize():f}"}


class RateView(ApiView):
    def check_scope(self, request: Request) -> None:
        """Any key reads the rates; setting them needs the power over settings and its scope."""
        scope = POWER_SCOPES["settings"]
        if not self._reads(request) and self.actor.scopes is not None and scope not in self.actor.scopes:
            raise missing_scope(scope)


class RateList(RateView):
    """The rates in the order in which they were first set; a POST sets that of a day, or corrects it."""

    parameters = frozenset({"currency", "limit", "cursor"})

    def get(self, request: Request) -> Response:
        rows = ExchangeRate.objects.order_by("id")
        if currency := request.query_params.get("currency"):
            rows = rows.filter(currency=currency[:10])
        if after := cursor_of(request):
            rows = rows.filter(id__gt=after)
        limit = limit_of(request)
        page = list(rows[: limit + 1])
        return Response(
            {
                "data": [_row(one) for one in page[:limit]],
                "next_cursor": page[limit - 1].id if len(page) > limit else None,
            }
        )

    def post(self, request: Request) -> Response:
        body = known(self.body(request), ("currency", "on", "rate"))
        try:
            on: date | None = date.fromisoformat(text(body, "on"))
        except ValueError:
            on = None
        try:
            rate: Decimal | None = number(body.get("rate"))
        except BadValue as error:
            raise ApiError(422, "invalid_rate", str(error.message), param="rate") from None
        found = exchange_rate_set(self.actor, currency=text(body, "currency"), on=on, rate=rate, source="api")
        return Response(_row(found), status=200)


class RateDetail(RateView):
    def get(self, request: Request, rate_id: UUID) -> Response:
        found = ExchangeRate.objects.filter(id=rate_id).first()
        if found is None:
            raise not_found()
        return Response(_row(found))

    def delete(self, request: Request, rate_id: UUID) -> Response:
        exchange_rate_remove(self.actor, rate_id=rate_id, source="api")
        return Response(status=204)
