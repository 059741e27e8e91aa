"""The settings of a workspace, as values that stay in the process until they change."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time
from threading import Lock
from typing import Any
from uuid import UUID

from django.conf import settings

from crm.workspace.models import Holiday, WorkspaceSettings
from crm.workspace.text.formats import Formats, first_weekday_in
from tenants.actors import Actor, ActorKind, TenantRef

OFFERED = ("EUR", "USD", "GBP")
WORKDAYS = range(5)
MAX_KEPT = 2000

type Span = tuple[time, time]


@dataclass(frozen=True, slots=True)
class Configuration:
    """``working_hours`` has the spans of each weekday (Monday is 0) in the workspace's time zone, in order.

    Empty formats, and a ``week_start`` of None, follow the reader's language. ``currencies`` are those in use beside
    the workspace's own. ``logo`` is part of the name of its files. ``escalation_hours`` after something was due, the
    manager of who left it undone is told.
    """

    currencies: tuple[str, ...] = OFFERED
    number_format: str = ""
    date_format: str = ""
    time_format: str = ""
    week_start: int | None = None
    working_hours: Mapping[int, tuple[Span, ...]] = field(
        default_factory=lambda: {day: ((time(9), time(17)),) if day in WORKDAYS else () for day in range(7)}
    )
    holidays: Mapping[date, str] = field(default_factory=dict)
    holiday_country: str = ""
    holiday_region: str = ""
    logo: str = ""
    escalation_hours: int = 24


class Kept:
    """The configurations asked for last, each of the metadata version that its workspace had."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._by_tenant: OrderedDict[UUID, tuple[int, Configuration]] = OrderedDict()
        self._lock = Lock()

    def get(self, tenant: TenantRef) -> Configuration | None:
        with self._lock:
            version, found = self._by_tenant.get(tenant.id, (-1, None))
            if found is None or version != tenant.metadata_version:
                return None
            self._by_tenant.move_to_end(tenant.id)
            return found

    def put(self, tenant: TenantRef, configuration: Configuration) -> None:
        with self._lock:
            self._by_tenant[tenant.id] = (tenant.metadata_version, configuration)
            self._by_tenant.move_to_end(tenant.id)
            while len(self._by_tenant) > self.most:
                self._by_tenant.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._by_tenant.clear()


kept = Kept(MAX_KEPT)


def workspace_settings(tenant: TenantRef) -> Configuration:
    """The settings of the workspace whose scope this is; read once a process and metadata version."""
    found = kept.get(tenant)
    if found is None:
        found = configuration_read()
        kept.put(tenant, found)
    return found


def formats_of(configuration: Configuration, own: tuple[str, str, str] = ("", "", "")) -> Formats:
    """How somebody reads and writes: by their own choice, else by the workspace's."""
    numbers, dates, times = own
    return Formats(
        numbers=numbers or configuration.number_format,
        dates=dates or configuration.date_format,
        times=times or configuration.time_format,
        week_start=configuration.week_start,
    )


def first_weekday(actor: Actor) -> int:
    """The first day of the actor's weeks, Monday 0 to Sunday 6: the workspace's; while it has chosen none, that of
    their language, and of programs with a key that of the workspace's language."""
    chosen = workspace_settings(actor.tenant).week_start
    if chosen is not None:
        return chosen
    language = actor.tenant.locale if actor.kind is ActorKind.API_KEY else actor.locale
    return first_weekday_in(language if language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE)


def reader_formats(actor: Actor) -> Formats:
    """How the actor reads and writes, inside the scope of their workspace."""
    return formats_of(workspace_settings(actor.tenant), actor.details.get("formats", ("", "", "")))


def configuration_read() -> Configuration:
    """As it stands in the database now, two queries."""
    row = WorkspaceSettings.objects.first()
    holidays = dict(Holiday.objects.order_by("on").values_list("on", "name"))
    if row is None:
        return Configuration(holidays=holidays)
    values: dict[str, Any] = {
        "currencies": OFFERED if row.currencies is None else tuple(row.currencies),
        "number_format": row.number_format,
        "date_format": row.date_format,
        "time_format": row.time_format,
        "week_start": row.week_start,
        "holidays": holidays,
        "holiday_country": row.holiday_country,
        "holiday_region": row.holiday_region,
        "logo": row.logo,
        "escalation_hours": row.escalation_hours,
    }
    if row.working_hours is not None:
        values["working_hours"] = hours_from_json(row.working_hours)
    return Configuration(**values)


def hours_from_json(value: Mapping[str, Any]) -> dict[int, tuple[Span, ...]]:
    return {
        day: tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in value.get(str(day), ()))
        for day in range(7)
    }


def hours_to_json(hours: Mapping[int, tuple[Span, ...]]) -> dict[str, list[list[str]]]:
    return {
        str(day): [[start.isoformat("minutes"), end.isoformat("minutes")] for start, end in spans]
        for day, spans in hours.items()
    }
