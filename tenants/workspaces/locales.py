"""Time zones by name, and a first guess at a business's currency from what its browser asks for."""

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale, UnknownLocaleError
from babel.numbers import get_territory_currencies


def currency_guess(accept_language: str) -> str:
    """The currency of the first language with a country (``de-CH`` → CHF); EUR without one."""
    for part in accept_language[:200].split(","):
        code = part.partition(";")[0].strip()
        try:
            locale = Locale.parse(code, sep="-") if code and code != "*" else None
        except (UnknownLocaleError, ValueError, TypeError):
            continue
        if locale is not None and locale.territory:
            found = get_territory_currencies(locale.territory)
            if found and len(str(found[0])) == 3:
                return str(found[0])
    return "EUR"


def zone(name: str) -> ZoneInfo:
    """The zone of that IANA name, or UTC when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
