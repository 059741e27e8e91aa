"""Money, numbers, dates and times as the reader writes them: by the formats chosen, else by the language.

Whose formats hold is set around a request (or a mail) with ``override``, as Django does for language and time zone.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from typing import Any

from asgiref.local import Local
from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import (
    NumberPattern,
    UnknownCurrencyError,
    format_compact_currency,
    format_decimal,
    get_currency_precision,
    parse_pattern,
)
from django.utils import timezone
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _

from crm.workspace.text.numbers import NumberFormat, number_in

JUST_NOW = timedelta(seconds=45)
HARD_SPACE = "\u00a0"
CODE_END = re.compile(r"(?<=[A-Z])(?=\d)")
PRECISION = 60


@dataclass(frozen=True, slots=True)
class DateFormat:
    """CLDR patterns, in full and without the year."""

    full: str
    short: str


NUMBER_FORMATS: Mapping[str, NumberFormat] = {
    "comma_point": NumberFormat(".", ","),
    "point_comma": NumberFormat(",", "."),
    "space_comma": NumberFormat(",", HARD_SPACE),
    "space_point": NumberFormat(".", HARD_SPACE),
    "apostrophe_point": NumberFormat(".", "’"),
    "indian": NumberFormat(".", ",", indian=True),
}
DATE_FORMATS: Mapping[str, DateFormat] = {
    "dmy_text": DateFormat("d MMM y", "d MMM"),
    "mdy_text": DateFormat("MMM d, y", "MMM d"),
    "dmy_dot": DateFormat("dd.MM.y", "dd.MM."),
    "dmy_slash": DateFormat("dd/MM/y", "dd/MM"),
    "mdy_slash": DateFormat("MM/dd/y", "MM/dd"),
    "ymd": DateFormat("y-MM-dd", "MM-dd"),
}
TIME_FORMATS: Mapping[str, str] = {"24": "HH:mm", "12": "h:mm a"}


@dataclass(frozen=True, slots=True)
class Formats:
    """Slugs of the tables above; an empty one follows the language. ``week_start`` counts from Monday, 0."""

    numbers: str = ""
    dates: str = ""
    times: str = ""
    week_start: int | None = None


BY_LANGUAGE = Formats()
_active = Local()


def active() -> Formats:
    found: Formats = getattr(_active, "formats", BY_LANGUAGE)
    return found


@contextmanager
def override(formats: Formats) -> Iterator[None]:
    """What is written in the block is written so."""
    before = active()
    _active.formats = formats
    try:
        yield
    finally:
        _active.formats = before


class WrittenLocale(Locale):
    """A language with the separators of another."""

    written: NumberFormat

    @property
    def number_symbols(self) -> Any:
        symbols = dict(super().number_symbols)
        symbols["latn"] = {**symbols["latn"], "decimal": self.written.decimal, "group": self.written.group}
        return symbols

    @property
    def decimal_formats(self) -> Any:
        found = super().decimal_formats
        return {**found, None: _grouped(found[None])} if self.written.indian else found


def babel_locale() -> Locale:
    """The reader's locale for numbers and dates; English where Babel does not know the language."""
    return _locale(get_language() or "en", active().numbers)


@lru_cache(maxsize=256)
def _locale(code: str, numbers: str) -> Locale:
    try:
        plain = Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        plain = Locale("en")
    if numbers not in NUMBER_FORMATS:
        return plain
    locale = WrittenLocale(plain.language, plain.territory, plain.script, plain.variant)
    locale.written = NUMBER_FORMATS[numbers]
    return locale


def _grouped(pattern: NumberPattern) -> NumberPattern:
    return parse_pattern(pattern.pattern.replace("#,##0", "#,##,##0"))


@lru_cache(maxsize=256)
def _money_pattern(code: str, numbers: str, whole: bool) -> NumberPattern:
    pattern = _locale(code, "").currency_formats["standard"].pattern
    found = parse_pattern(pattern.replace(".00", "") if whole else pattern)
    return _grouped(found) if numbers == "indian" else found


def money_text(amount: Decimal | int | None, currency: str, *, compact: bool = False, exact: bool = False) -> str:
    """An amount with its currency, without decimals when there are none; with ``exact`` always with those that the
    currency has. ``compact`` leaves them out from 1,000 on and shortens from 10,000 on.

    What has more decimals than its currency is rounded half up.
    """
    if amount is None:
        return ""
    amount = Decimal(amount)
    locale = babel_locale()
    try:
        if compact and abs(amount) >= 10_000:
            return _spaced(format_compact_currency(amount, currency, locale=locale, fraction_digits=1))
        with localcontext(prec=PRECISION):
            decimals = 0 if compact and abs(amount) >= 1000 else get_currency_precision(currency)
            amount = amount.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
            whole = not exact and amount == amount.to_integral_value()
            pattern = _money_pattern(get_language() or "en", active().numbers, whole)
            return _spaced(pattern.apply(amount, locale, currency=currency, currency_digits=not whole))
    except UnknownCurrencyError:
        return f"{amount} {currency}"


def _spaced(text: str) -> str:
    """With a blank between a code and its number, as CLDR has it: CHF 12."""
    return CODE_END.sub(HARD_SPACE, text)


def number_text(value: Decimal | int | float) -> str:
    return str(format_decimal(value, locale=babel_locale()))


def rate_text(value: Decimal) -> str:
    """A number with every digit it has."""
    with localcontext(prec=PRECISION):
        return str(format_decimal(value.normalize(), locale=babel_locale(), decimal_quantization=False))


# --- what people type -------------------------------------------------------------------------------------------------


def separators() -> NumberFormat:
    """How the reader writes numbers."""
    symbols = babel_locale().number_symbols["latn"]
    return NumberFormat(symbols["decimal"], symbols["group"], indian=active().numbers == "indian")


def number_read(text: str) -> str:
    """What somebody typed as a number, as the API would have it: ``1.234,50`` becomes ``1234.50``.

    Read by the reader's own format first, then as a number with a point. What is neither comes back as it was, for the
    write gate to refuse.
    """
    found = number_in(text, separators())
    if found is None:
        found = number_in(text)
    return text if found is None else found


def typed_text(value: Decimal | int) -> str:
    """A number as the reader would type it: without groups and needless zeros; ``number_read`` takes it back."""
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text.replace(".", separators().decimal)


def typed_money(value: Decimal, currency: str) -> str:
    """An amount as one would type it, with all decimals of its currency when it has any."""
    exact = f"{value:f}"
    if "." not in exact or value == value.to_integral_value():
        return typed_text(value)
    whole, _point, behind = exact.partition(".")
    behind = behind.rstrip("0").ljust(get_currency_precision(currency), "0")
    return f"{whole}{separators().decimal}{behind}"


# --- days and times ---------------------------------------------------------------------------------------------------


def date_text(value: date) -> str:
    chosen = DATE_FORMATS.get(active().dates)
    return str(format_date(value, chosen.full if chosen else "medium", locale=babel_locale()))


def day_text(value: date) -> str:
    """A day without its year when that is the present one: "3 Mar", "3 Mar 2024"."""
    present = value.year == timezone.localdate().year
    chosen = DATE_FORMATS.get(active().dates)
    if chosen:
        return str(format_date(value, chosen.short if present else chosen.full, locale=babel_locale()))
    return str(format_skeleton("MMMd" if present else "yMMMd", value, locale=babel_locale()))


def time_text(value: time | datetime) -> str:
    """A time of day; of a datetime in the active time zone."""
    local = timezone.localtime(value).time() if isinstance(value, datetime) else value
    return str(format_time(local, TIME_FORMATS.get(active().times, "short"), locale=babel_locale()))


def moment_text(value: datetime) -> str:
    """A day and a time of day in the active time zone."""
    return f"{date_text(timezone.localtime(value).date())}, {time_text(value)}"


def ago_text(value: datetime) -> str:
    """How long ago, or how soon: "just now", "3 hours ago", "in 2 days"."""
    delta = value - timezone.now()
    if abs(delta) < JUST_NOW:
        return _("just now")
    return str(format_timedelta(delta, add_direction=True, threshold=0.9, locale=babel_locale()))


def first_weekday_in(language: str) -> int:
    """The first day of the week where a language is spoken, Monday 0 to Sunday 6."""
    return int(_locale(language, "").first_week_day)


def week_start() -> int:
    """The first day of the reader's week, Monday 0 to Sunday 6."""
    chosen = active().week_start
    return chosen if chosen is not None else int(babel_locale().first_week_day)


def weekday_names(width: str = "wide") -> list[str]:
    """The names of the days, Monday first."""
    names = babel_locale().days["stand-alone"][width]
    return [str(names[day]) for day in range(7)]


def minutes_text(minutes: int) -> str:
    """A length of time in words: "45 min", "1 h 30 min", "2 days"."""
    days, rest = divmod(minutes, 24 * 60)
    hours, left = divmod(rest, 60)
    if days and not rest:
        return ngettext("%(days)d day", "%(days)d days", days) % {"days": days}
    parts = [_("%(hours)d h") % {"hours": days * 24 + hours}] if days or hours else []
    if left or not parts:
        parts.append(_("%(minutes)d min") % {"minutes": left})
    return " ".join(parts)


def initials(name: str) -> str:
    """The first letters of the first and the last word, at most two in all."""
    words = name.split()
    return "".join(word[0].upper()[:1] for word in dict.fromkeys([words[0], words[-1]])) if words else "?"
