"""Changes to the settings of a workspace: its formats, working hours and holidays."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from itertools import pairwise
from typing import Any
from uuid import UUID

import holidays as holiday_tables
from django.db import transaction
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crm.workspace.actors import proven_users
from crm.workspace.auditing import audit_note
from crm.workspace.configuration import Span, hours_from_json, hours_to_json
from crm.workspace.currencies.services import settings_locked
from crm.workspace.errors import Conflict, NotAllowed, NotFound, WorkspaceError
from crm.workspace.models import Holiday
from crm.workspace.notifications.kinds import ADDRESS_CHANGED
from crm.workspace.notifications.notify import notify
from crm.workspace.people import mails
from crm.workspace.people.selectors import active_members
from crm.workspace.text.formats import DATE_FORMATS, NUMBER_FORMATS, TIME_FORMATS, date_text
from tenants.actors import Actor
from tenants.workspaces.address_change import AddressRefused, Moved, subdomain_change
from tenants.workspaces.entitlements import require_writable
from tenants.workspaces.hosts import tenant_host
from tenants.workspaces.settings import metadata_changed

MAX_SPANS = 6
MAX_ESCALATION = 30 * 24
MAX_HOLIDAYS = 1000
NAME_LENGTH = 80
CLOCK = re.compile(r"(\d{1,2})(?:[:.](\d{2}))?\s*(am|pm)?", re.IGNORECASE)
TO = re.compile(r"\s*(?:-|–|—|\bto\b)\s*")
CHOICES: Mapping[str, Iterable[Any]] = {
    "number_format": ("", *NUMBER_FORMATS),
    "date_format": ("", *DATE_FORMATS),
    "time_format": ("", *TIME_FORMATS),
    "week_start": (None, *range(7)),
}


def _need(actor: Actor) -> None:
    if not actor.can("workspace", "settings"):
        raise NotAllowed("forbidden", _("You may not change the settings of this workspace."))
    require_writable(actor.tenant)


def formats_update(actor: Actor, **values: Any) -> None:
    """Change some of number_format, date_format, time_format and week_start for all who chose none of their own."""
    for slug, value in values.items():
        if value not in CHOICES[slug]:
            raise WorkspaceError("unknown_choice", _("Choose one of these."), field=slug)
    _update(actor, values)


def _update(actor: Actor, values: Mapping[str, Any]) -> None:
    _need(actor)
    with transaction.atomic():
        row = settings_locked()
        before = {slug: getattr(row, slug) for slug, value in values.items() if getattr(row, slug) != value}
        if not before:
            return
        for slug in before:
            setattr(row, slug, values[slug])
        row.save(update_fields=list(before))
        metadata_changed(actor.tenant)
        audit_note(actor, "settings.updated", before=before, after={slug: values[slug] for slug in before})


# --- working hours ----------------------------------------------------------------------------------------------------


def spans_read(text: str) -> tuple[Span, ...]:
    """``9-12:30, 13.30–17`` as spans of a day; empty for a day off. Raises WorkspaceError."""
    found: list[Span] = []
    for part in re.split(r"[,;]", text):
        if not part.strip():
            continue
        ends = TO.split(part.strip())
        if len(ends) != 2:
            raise WorkspaceError("invalid", _("Write a time and another, such as 9:00–17:00."), field="hours")
        start, end = clock_read(ends[0]), clock_read(ends[1])
        if end <= start:
            text = _("%(start)s–%(end)s ends before it begins. Hours over midnight belong to two days.")
            shown = {"start": start.isoformat("minutes"), "end": end.isoformat("minutes")}
            raise WorkspaceError("invalid", text % shown, field="hours")
        found.append((start, end))
    found.sort()
    if any(after[0] < before[1] for before, after in pairwise(found)):
        raise WorkspaceError("overlap", _("These hours overlap."), field="hours")
    if len(found) > MAX_SPANS:
        raise WorkspaceError("too_many", _("At most %(count)d spans a day.") % {"count": MAX_SPANS}, field="hours")
    return tuple(found)


def clock_read(text: str) -> time:
    match = CLOCK.fullmatch(text.strip())
    hour, minute = (int(match[1]), int(match[2] or 0)) if match else (99, 0)
    if match and match[3]:
        hour = hour % 12 + (12 if match[3].lower() == "pm" else 0) if 1 <= hour <= 12 else 99
    if hour > 23 or minute > 59:
        raise WorkspaceError(
            "invalid", _("“%(time)s” is not a time, such as 9:00.") % {"time": text[:20]}, field="hours"
        )
    return time(hour, minute)


def spans_text(spans: Iterable[Span]) -> str:
    return ", ".join(f"{start.isoformat('minutes')}–{end.isoformat('minutes')}" for start, end in spans)


def working_hours_set(actor: Actor, *, hours: Mapping[int, tuple[Span, ...]]) -> None:
    """The hours of each weekday, Monday 0, in the workspace's time zone."""
    value = hours_to_json({day: hours.get(day, ()) for day in range(7)})
    assert hours_to_json(hours_from_json(value)) == value
    _update(actor, {"working_hours": value})


def escalation_set(actor: Actor, *, hours: int) -> None:
    """After how many hours a manager is told of what one of their people left undone."""
    if not 1 <= hours <= MAX_ESCALATION:
        problem = _("Choose between 1 and %(most)d hours.") % {"most": MAX_ESCALATION}
        raise WorkspaceError("out_of_range", problem, field="escalation_hours")
    _update(actor, {"escalation_hours": hours})


# --- holidays ---------------------------------------------------------------------------------------------------------


def holidays_add(actor: Actor, *, days: Sequence[tuple[date, str]]) -> int:
    """Days on which nobody works; a day that is there already keeps its name. Gives how many are new."""
    _need(actor)
    cleaned: dict[date, str] = {}
    for on, name in days:
        text = " ".join(name.replace("\x00", "").split())[:NAME_LENGTH]
        if not text:
            raise WorkspaceError("required", _("A name is needed."), field="name")
        if not 2000 <= on.year <= 2100:
            raise WorkspaceError("invalid_date", _("This must be a date, such as 2026-03-31."), field="on")
        cleaned.setdefault(on, text)
    with transaction.atomic():
        settings_locked()
        present = set(Holiday.objects.filter(on__in=cleaned).values_list("on", flat=True))
        new = {on: name for on, name in sorted(cleaned.items()) if on not in present}
        if not new:
            if len(days) == 1:
                raise Conflict("there", _("This day is a holiday already."), field="on")
            return 0
        if Holiday.objects.count() + len(new) > MAX_HOLIDAYS:
            raise Conflict("too_many", _("At most %(count)d holidays can be kept.") % {"count": MAX_HOLIDAYS})
        Holiday.objects.bulk_create([Holiday(on=on, name=name) for on, name in new.items()])
        metadata_changed(actor.tenant)
        audit_note(actor, "settings.holidays_added", after={on.isoformat(): name for on, name in new.items()})
    return len(new)


def holiday_remove(actor: Actor, *, holiday_id: UUID) -> None:
    _need(actor)
    with transaction.atomic():
        found = Holiday.objects.select_for_update().filter(id=holiday_id).first()
        if found is None:
            raise NotFound("not_found", _("This holiday is no longer here."))
        audit_note(actor, "settings.holiday_removed", before={found.on.isoformat(): found.name})
        Holiday.objects.filter(id=holiday_id).delete()
        metadata_changed(actor.tenant)


def holiday_place_set(actor: Actor, *, country: str, region: str) -> None:
    """Where the suggestions come from."""
    _update(actor, {"holiday_country": country, "holiday_region": region})


@lru_cache(maxsize=1)
def holiday_regions() -> dict[str, list[str]]:
    """The countries whose holidays are known, with their regions."""
    return dict(holiday_tables.list_supported_countries(include_aliases=False))


@dataclass(frozen=True, slots=True)
class Suggestion:
    on: date
    name: str
    present: bool


def holiday_suggestions(country: str, region: str, years: Sequence[int]) -> list[Suggestion]:
    """The public holidays of a place in these years, by the reader's language where they are named in it."""
    if country not in holiday_regions() or (region and region not in holiday_regions()[country]):
        return []
    spoken = holiday_tables.list_localized_countries(include_aliases=False).get(country, [])
    wanted = (get_language() or "en").replace("-", "_").lower()
    language = next((one for one in spoken if one.lower() == wanted), None) or next(
        (one for one in spoken if one.lower().startswith(wanted[:2])), None
    )
    found = holiday_tables.country_holidays(country, subdiv=region or None, years=list(years), language=language)
    present = set(Holiday.objects.filter(on__year__in=years).values_list("on", flat=True))
    return [Suggestion(on, str(name)[:NAME_LENGTH], on in present) for on, name in sorted(found.items())]


# --- the address ------------------------------------------------------------------------------------------------------


def address_change(actor: Actor, *, subdomain: str) -> Moved:
    """Move the workspace to another subdomain and tell everyone, inside and by mail. Raises WorkspaceError."""
    _need(actor)
    with transaction.atomic():
        try:
            moved = subdomain_change(actor, subdomain=subdomain)
        except AddressRefused as error:
            raise WorkspaceError("address_refused", str(error), field="subdomain") from None
        people = list(active_members())
        notify(
            [one.id for one in people],
            kind=ADDRESS_CHANGED,
            key=f"address:{moved.until.isoformat()}",
            title=lambda: _("This workspace is at %(host)s now") % {"host": tenant_host(moved.tenant)},
            body=lambda: _("The old address leads here until %(day)s.") % {"day": date_text(moved.until.date())},
        )
        proven = proven_users(one.user_id for one in people)
        for one in people:
            if one.user_id in proven:
                mails.address_changed(moved, one)
    return moved
