"""Conditions on days and times, each as a window: from when, included, until when, excluded."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Q

from crm.records.query.operands import Context, Place
from crm.records.schema.kinds import Kind

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)


type Window = tuple[date | datetime | None, date | datetime | None]


def span(place: Place, operand: date | datetime) -> tuple[date | datetime, date | datetime]:
    """From when until before when: of a moment itself, or of a day."""
    if isinstance(operand, datetime):
        return operand, operand + INSTANT
    if place.field.kind is Kind.DATE:
        return operand, operand + DAY
    return place.context.midnight(operand), place.context.midnight(operand + DAY)


def days(place: Place, first: date | None, last: date | None) -> Window:
    """Whole days from the first to the last."""
    return first and span(place, first)[0], last and span(place, last)[1]


def month(day: date, offset: int, months: int = 1) -> tuple[date, date]:
    """First and last day of ``months`` months, beginning ``offset`` months after that of ``day``."""
    index = day.year * 12 + day.month - 1 + offset
    after = index + months
    return date(index // 12, index % 12 + 1, 1), date(after // 12, after % 12 + 1, 1) - DAY


def relative(name: str, context: Context) -> tuple[date | None, date | None]:
    today = context.today
    match name:
        case "today":
            return today, today
        case "yesterday":
            return today - DAY, today - DAY
        case "tomorrow":
            return today + DAY, today + DAY
        case "this_week":
            return context.week, context.week + 6 * DAY
        case "last_week":
            return context.week - 7 * DAY, context.week - DAY
        case "next_week":
            return context.week + 7 * DAY, context.week + 13 * DAY
        case "this_month":
            return month(today, 0)
        case "last_month":
            return month(today, -1)
        case "next_month":
            return month(today, 1)
        case "this_quarter":
            return month(today, -((today.month - 1) % 3), 3)
        case "this_year":
            return date(today.year, 1, 1), date(today.year, 12, 31)
        case "before_today":
            return None, today - DAY
        case "after_today":
            return today + DAY, None
    raise KeyError(name)


def window(name: str, place: Place, operand: Any) -> Window:
    """From when (included) until when (excluded) the operator holds."""
    match name:
        case "eq":
            return span(place, operand)
        case "gt":
            return span(place, operand)[1], None
        case "gte":
            return span(place, operand)[0], None
        case "lt":
            return None, span(place, operand)[0]
        case "lte":
            return None, span(place, operand)[1]
        case "between":
            first, last = operand
            return first and span(place, first)[0], last and span(place, last)[1]
        case "last_n_days":
            return days(place, place.context.today - operand * DAY, place.context.today)
        case "next_n_days":
            return days(place, place.context.today, place.context.today + operand * DAY)
        case "more_than_n_days_ago":
            return days(place, None, place.context.today - (operand + 1) * DAY)
    return days(place, *relative(name, place.context))


def in_window(name: str, place: Place, operand: Any) -> Q:
    first, end = window(name, place, operand)
    condition = Q(**{f"{place.column}__isnull": False})
    if first is not None:
        condition &= Q(**{f"{place.column}__gte": first})
    if end is not None:
        condition &= Q(**{f"{place.column}__lt": end})
    return condition


def falls_in(name: str, place: Place, value: Any, operand: Any) -> bool:
    if value is None:
        return False
    first, end = window(name, place, operand)
    return (first is None or value >= first) and (end is None or value < end)
