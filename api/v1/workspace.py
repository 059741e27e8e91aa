"""``/v1/workspace``: what holds for all of it. ``/v1/me``: what holds for whose key it is. ``/v1/exchange-rates``: what
sums are converted by. ``/v1/holidays``: days on which nobody works."""

from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db import transaction
from django.forms import Form
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError, missing_scope, not_found
from api.v1.members import cursor_of, known, limit_of, shaped, text
from api.views import ApiView
from crm.records.fields.parsing import BadValue, as_json, number
from crm.workspace.configuration import hours_to_json, workspace_settings
from crm.workspace.currencies.files import MAX_RATES, Line
from crm.workspace.currencies.services import (
    RatesRefused,
    currency_add,
    currency_remove,
    exchange_rate_remove,
    exchange_rate_set,
    exchange_rates_import,
    workspace_currency_change,
)
from crm.workspace.models import ExchangeRate, Holiday, Member
from crm.workspace.people.member_services import member_profile_update
from crm.workspace.settings import services as settings
from crm.workspace.settings.forms import PersonalForm, WorkspaceForm
from tenants.actors import POWER_SCOPES, Scope, TenantRef
from tenants.workspaces.limits import usage
from tenants.workspaces.settings import workspace_now, workspace_update

WEEKDAYS = tuple(map(str, range(7)))
MAX_ERRORS = 100
FORMATS = {"numbers": "number_format", "dates": "date_format", "times": "time_format", "week_start": "week_start"}


class SettingsView(ApiView):
    power = "settings"

    def check_scope(self, request: Request) -> None:
        """Any key reads; to change something takes the power over it and its scope."""
        scope = POWER_SCOPES[self.power]
        if not self._reads(request) and self.actor.scopes is not None and scope not in self.actor.scopes:
            raise missing_scope(scope)


def formats_given(body: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The body's ``formats`` as a form's fields; null is as elsewhere."""
    given = known(shaped(body, "formats", dict), names)
    return {names[name]: "" if value is None else str(value) for name, value in given.items()}


def judged(form: Form, names: Mapping[str, str]) -> dict[str, Any]:
    """What a form of the screens makes of the values. Raises ApiError 422 naming fields as the API does."""
    if form.is_valid():
        return form.cleaned_data
    shown = {field: f"formats.{name}" for name, field in names.items()}
    errors = [
        {"param": shown.get(field, field), "code": str(one["code"] or "invalid"), "message": str(one["message"])}
        for field, found in form.errors.get_json_data().items()
        for one in found
    ]
    raise ApiError(422, "invalid", str(errors[0]["message"]), param=errors[0]["param"], errors=errors)


class WorkspaceDetail(SettingsView):
    """Name, currency and currencies in use, formats, working hours by weekday (Monday is 0), holidays, and the plan
    with its limits, what is used of them, and its features.

    A change of ``currency`` works the rates out anew; ``currencies`` are those offered for new amounts.
    """

    component = "Workspace"
    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {"GET": {"200": "Workspace"}, "PATCH": {"200": "Workspace"}}

    def get(self, request: Request) -> Response:
        tenant = workspace_now(self.actor.tenant)
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
                "escalation_hours": found.escalation_hours,
                "holidays": [{"on": on, "name": name} for on, name in found.holidays.items()],
                "plan": self._plan(tenant),
            }
        )

    def _plan(self, tenant: TenantRef) -> dict[str, Any]:
        """What was paid for; how much of it is used is for who looks after the workspace."""
        counts = self.actor.permissions.scope("workspace", "settings") is not Scope.NONE
        return {
            "name": tenant.plan_name,
            "state": tenant.access_state,
            "until": as_json(tenant.access_until),
            "limits": dict(tenant.limits),
            "usage": {one.limit: one.used for one in usage(tenant)} if counts else None,
            "features": None if tenant.features is None else sorted(tenant.features),
        }

    def patch(self, request: Request) -> Response:
        own = ("name", "locale", "time_zone")
        others = ("formats", "working_hours", "escalation_hours", "currency", "currencies")
        body, actor = known(self.body(request), (*own, *others)), self.actor
        if not actor.can("workspace", self.power):
            raise ApiError(403, "forbidden", _("The role behind this key may not do that."))
        with transaction.atomic():
            form = WorkspaceForm(tenant=actor.tenant, configuration=workspace_settings(actor.tenant))
            given = {name: text(body, name) for name in own if name in body} | formats_given(body, FORMATS)
            form = WorkspaceForm(
                {**form.initial, **given}, tenant=actor.tenant, configuration=workspace_settings(actor.tenant)
            )
            values = judged(form, FORMATS) if given else {}
            workspace_update(actor, **{name: values[name] for name in own if name in given})
            settings.formats_update(actor, **{name: value for name, value in values.items() if name not in own})
            if "working_hours" in body:
                settings.working_hours_set(actor, hours=hours_read(stated(body, "working_hours", dict)))
            if "escalation_hours" in body:
                settings.escalation_set(actor, hours=stated(body, "escalation_hours", int))
            if "currency" in body:
                workspace_currency_change(actor, currency=text(body, "currency"), source="api")
            if "currencies" in body:
                self._offer([str(code) for code in stated(body, "currencies", list)])
        return self.get(request)

    def _offer(self, wanted: list[str]) -> None:
        tenant = workspace_now(self.actor.tenant)
        present = workspace_settings(tenant).currencies
        for code in wanted:
            if code not in present and code != tenant.currency:
                currency_add(self.actor, currency=code, source="api")
        for code in present:
            if code not in wanted and code != tenant.currency:
                currency_remove(self.actor, currency=code, knowing=True, source="api")


def hours_read(given: Mapping[str, Any]) -> dict[int, tuple[tuple[time, time], ...]]:
    """``{"0": [["09:00", "17:00"]]}``; a day that is not named is off. Raises ApiError 422 and WorkspaceError."""
    unknown = [name for name in given if name not in WEEKDAYS]
    if unknown or not given:
        problem = _("Working hours are by weekday, from 0 for Monday to 6 for Sunday; what is not named is off.")
        raise ApiError(422, "unknown_weekday" if unknown else "required", problem, param="working_hours")
    return {int(name): spans_of(spans) for name, spans in given.items()}


def spans_of(given: Any) -> tuple[tuple[time, time], ...]:
    try:
        if not isinstance(given, list):
            raise TypeError
        return settings.spans_read(", ".join(f"{start}-{end}" for start, end in given))
    except (TypeError, ValueError):
        problem = _("Each weekday has a list of pairs of times, such as [[“09:00”, “17:00”]].")
        raise ApiError(422, "invalid", problem, param="working_hours") from None


def stated[T](body: Mapping[str, Any], name: str, shape: type[T]) -> T:
    """What the body says of something that cannot be nothing. Raises ApiError 400 for null and for another shape."""
    if body[name] is None or isinstance(body[name], bool):
        message = _("%(param)s has another shape.") % {"param": name}
        raise ApiError(400, "invalid_parameter", message, param=name)
    return shaped(body, name, shape)


class Me(SettingsView):
    """Name, colour, language, time zone and formats of the member whose key this is; null is as the workspace."""

    power = "members"
    component = "Me"
    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {"GET": {"200": "Me"}, "PATCH": {"200": "Me"}}

    def _member(self) -> Member:
        if self.actor.member_id is None:
            raise not_found()
        return Member.objects.get(pk=self.actor.member_id)

    def get(self, request: Request) -> Response:
        member = self._member()
        return Response(
            {
                "id": member.pk,
                "name": member.name,
                "email": member.email,
                "color": member.color,
                "locale": member.locale or None,
                "time_zone": member.time_zone or None,
                "formats": {
                    "numbers": member.number_format or None,
                    "dates": member.date_format or None,
                    "times": member.time_format or None,
                },
            }
        )

    def patch(self, request: Request) -> Response:
        own = ("name", "color", "locale", "time_zone")
        names = {name: field for name, field in FORMATS.items() if name != "week_start"}
        body, member = known(self.body(request), (*own, "formats")), self._member()
        given = {name: text(body, name) for name in own if name in body} | formats_given(body, names)
        form = PersonalForm({**PersonalForm(member=member).initial, **given}, member=member)
        member_profile_update(self.actor, **judged(form, names))
        return self.get(request)


class HolidayList(SettingsView):
    """A POST adds a day (``on``, ``name``); the days there are stand in the workspace."""

    component = "Holiday"

    def post(self, request: Request) -> Response:
        body = known(self.body(request), ("on", "name"))
        on = day_given(text(body, "on"))
        settings.holidays_add(self.actor, days=[(on, text(body, "name"))])
        return Response({"on": on, "name": Holiday.objects.get(on=on).name}, status=201)


class HolidayDetail(SettingsView):
    def delete(self, request: Request, on: str) -> Response:
        found = Holiday.objects.filter(on=day_given(on)).first()
        if found is None:
            raise not_found()
        settings.holiday_remove(self.actor, holiday_id=found.pk)
        return Response(status=204)


def day_given(raw: str) -> date:
    try:
        return date.fromisoformat(raw)
    except ValueError:
        raise ApiError(422, "invalid_date", _("This must be a date, such as 2026-03-31."), param="on") from None


def _row(one: ExchangeRate) -> dict[str, Any]:
    return {"id": one.id, "currency": one.currency, "on": one.on, "rate": f"{one.rate.normalize():f}"}


class RateList(SettingsView):
    """The rates in the order in which they were first set; a POST sets that of a day, or corrects it.

    A POST of ``rates``, a list of up to 10,000, takes all or none and says which ones are wrong.
    """

    component = "Rate"
    answers: ClassVar[Mapping[str, Mapping[str, str]]] = {"GET": {"200": "RatePage"}, "POST": {"200": "RateSet"}}
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
        body = self.body(request)
        if "rates" in body:
            return self._many(shaped(known(body, ("rates",)), "rates", list))
        body = known(body, ("currency", "on", "rate"))
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

    def _many(self, given: list[Any]) -> Response:
        if len(given) > MAX_RATES:
            problem = _("At most %(most)d rates can be given at once.") % {"most": MAX_RATES}
            raise ApiError(422, "too_many", problem, param="rates")
        rows = [one if isinstance(one, Mapping) else {} for one in given]
        lines = [
            Line(place, str(row.get("currency", "")), str(row.get("on", "")), _rate_text(row.get("rate")))
            for place, row in enumerate(rows, 1)
        ]
        try:
            return Response(exchange_rates_import(self.actor, lines=lines, whole=True, source="api"))
        except RatesRefused as error:
            errors = [
                {"param": "rates", "code": error.code, "message": one.problem, "index": one.line.number - 1}
                for one in error.refused[:MAX_ERRORS]
            ]
            raise ApiError(422, error.code, str(error.message), param="rates", errors=errors) from error


def _rate_text(raw: Any) -> str:
    """A rate as JSON has numbers; what is none is refused with its line."""
    try:
        return f"{number(raw):f}"
    except BadValue:
        return ""


class RateDetail(SettingsView):
    component = "Rate"

    def get(self, request: Request, rate_id: UUID) -> Response:
        found = ExchangeRate.objects.filter(id=rate_id).first()
        if found is None:
            raise not_found()
        return Response(_row(found))

    def delete(self, request: Request, rate_id: UUID) -> Response:
        exchange_rate_remove(self.actor, rate_id=rate_id, source="api")
        return Response(status=204)
