"""Emails and phone numbers as the keys that searches and matches compare."""

import unicodedata
from functools import lru_cache

import phonenumbers
from babel import Locale, UnknownLocaleError
from babel.core import get_global

from tenants.actors import TenantRef


def email_key(address: str) -> str:
    """The form in which two spellings of one address are equal."""
    return unicodedata.normalize("NFKC", address).strip().casefold()


@lru_cache(maxsize=512)
def territory(time_zone: str, locale: str) -> str | None:
    found = get_global("zone_territories").get(time_zone)
    if found and len(found) == 2:
        return str(found)
    try:
        return Locale.parse(locale.replace("-", "_")).territory
    except (ValueError, UnknownLocaleError):
        return None


def region_of(tenant: TenantRef) -> str | None:
    """The country that a number without a country code is taken to be in: that of the workspace's time zone."""
    return territory(tenant.time_zone, tenant.locale)


def phone_number(text: str, region: str | None) -> tuple[str, str]:
    """A number as shown and as key: E.164 where the number is valid, else as written and its digits."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is not None and phonenumbers.is_valid_number(number):
        return (
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL),
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        )
    return text, "".join(str(unicodedata.digit(sign)) for sign in text if sign.isdecimal())
