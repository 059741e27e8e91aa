"""When a member may be sent a mail: the hour of their digest, quiet hours, in their zone, on long and short days."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from crm.workspace.configuration import workspace_settings
from crm.workspace.models import Member, NotificationChoices
from tenants.actors import TenantRef
from tenants.workspaces.locales import zone

MAX_DAYS = 30
"""Whoever is never awake in so many days is sent mails all the same."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """``quiet`` is the nightly span, ``off`` the weekdays (Monday 0) and days on which it lasts all day."""

    zone: ZoneInfo
    digest_days: Collection[int] = ()
    digest_hour: int = 8
    quiet: tuple[time, time] | None = None
    off_weekdays: Collection[int] = ()
    off_days: Collection[date] = field(default=())

    def at(self, day: date, clock: time, *, not_before: datetime | None = None) -> datetime:
        """The moment of a local time; one that does not exist comes later by the hour that was left out.

        Of a time that comes twice the first, or the second if the first lies before ``not_before``.
        """
        first = datetime.combine(day, clock, self.zone).astimezone(UTC)
        if not_before is not None and first <= not_before:
            return datetime.combine(day, clock.replace(fold=1), self.zone).astimezone(UTC)
        return first

    def digest_after(self, moment: datetime) -> datetime | None:
        """The next digest's time; None where no day is chosen."""
        today = moment.astimezone(self.zone).date()
        for number in range(9):
            day = today + timedelta(days=number)
            if day.weekday() in self.digest_days and (found := self.at(day, time(self.digest_hour))) > moment:
                return found
        return None

    def awake(self, moment: datetime) -> datetime:
        """The moment itself, or the end of the quiet hours that it lies in."""
        found, latest = moment, moment + timedelta(days=MAX_DAYS)
        while found < latest:
            end = self._quiet_until(found)
            if end is None:
                return found
            found = end
        return moment

    def _quiet_until(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone)
        today, clock = local.date(), local.time()
        tomorrow = today + timedelta(days=1)
        if today.weekday() in self.off_weekdays or today in self.off_days:
            return self.at(tomorrow, time(0), not_before=moment)
        if self.quiet is None:
            return None
        begins, ends = self.quiet
        if begins <= clock < ends or (ends < begins and clock < ends):
            return self.at(today, ends, not_before=moment)
        if ends < begins and clock >= begins:
            return self.at(tomorrow, ends, not_before=moment)
        return None


def calendar_of(tenant: TenantRef, member: Member, choices: NotificationChoices) -> Calendar:
    """A member's hours; days off are those without working hours in the workspace."""
    workspace = workspace_settings(tenant)
    off = [day for day in range(7) if not workspace.working_hours.get(day)] if choices.quiet_days_off else []
    return Calendar(
        zone=zone(member.time_zone or tenant.time_zone),
        digest_days=choices.digest_days,
        digest_hour=choices.digest_hour,
        quiet=(choices.quiet_from, choices.quiet_until) if choices.quiet else None,
        off_weekdays=off,
        off_days=tuple(workspace.holidays) if choices.quiet_holidays else (),
    )
