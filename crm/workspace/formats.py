"""Money, numbers, dates and times as the reader's language writes them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton, format_time, format_timedelta
from babel.numbers import NumberPattern, UnknownCurrencyError, format_compact_currency, format_decimal, parse_pattern
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

JUST_NOW = timedelta(seconds=45)


def babel_locale() -> Locale:
    """The reader's locale for numbers and dates; English where Babel does not know the language."""
    return _locale(get_language() or "en")


@lru_cache(maxsize=64)
def _locale(code: str) -> Locale:
    try:
        return Locale.parse(code.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale("en")


@lru_cache(maxsize=128)
def _money_pattern(locale: Locale, whole: bool) -> NumberPattern:
    pattern = locale.currency_formats["standard"].pattern
    return parse_pattern(pattern.replace(".00", "") if whole else pattern)


def money_text(amount: Decimal | int | None, currency: str, *, compact: bool = False) -> str:
    """An amount with its currency, without decimals when there are none; ``compact`` shortens from 10,000 on."""
    if amount is None:
        return ""
    amount = Decimal(amount)
    locale = babel_locale()
    try:
        if compact and abs(amount) >= 10_000:
            return str(format_compact_currency(amount, currency, locale=locale, fraction_digits=1))
        whole = amount == amount.to_integral_value()
        return str(_money_pattern(locale, whole).apply(amount, locale, currency=currency, currency_digits=not whole))
    except UnknownCurrencyError:
        return f"{amount} {currency}"


def number_text(value: Decimal | int | float) -> str:
    return str(format_decimal(value, locale=babel_locale()))


def date_text(value: date) -> str:
    return str(format_date(value, "medium", locale=babel_locale()))


def day_text(value: date) -> str:
    """A day without its year when that is the present one: "3 Mar", "3 Mar 2024"."""
    skeleton = "MMMd" if value.year == timezone.localdate().year else "yMMMd"
    return str(format_skeleton(skeleton, value, locale=babel_locale()))


def moment_text(value: datetime) -> str:
    """A day and a time of day in the active time zone."""
    local = timezone.localtime(value)
    locale = babel_locale()
    return f"{format_date(local, 'medium', locale=locale)}, {format_time(local, 'short', locale=locale)}"


def ago_text(value: datetime) -> str:
    """How long ago, or how soon: "just now", "3 hours ago", "in 2 days"."""
    delta = value - timezone.now()
    if abs(delta) < JUST_NOW:
        return _("just now")
    return str(format_timedelta(delta, add_direction=True, threshold=0.9, locale=babel_locale()))


def initials(name: str) -> str:
    """The first letters of the first and the last word, at most two in all."""
    words = name.split()
    return "".join(word[0].upper()[:1] for word in dict.fromkeys([words[0], words[-1]])) if words else "?"
