"""Emails and domains as the keys that searches and matches compare, and the country that numbers are in."""

import re
import unicodedata
from functools import lru_cache
from urllib.parse import unquote

from babel import Locale, UnknownLocaleError
from babel.core import get_global

from crm.workspace.text.signs import seen
from tenants.actors import TenantRef

ANGLED = re.compile(r"<\s*([^<>\s]+@[^<>\s]+)\s*>\s*[,;]?$")


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


def mail_address(text: str) -> str:
    """The address in what was typed or pasted: ``mailto:jane@example.com``, ``Jane <jane@example.com>``."""
    plain = seen(text)
    if (found := ANGLED.search(plain)) is not None:
        plain = found[1]
    if plain[:7].lower() == "mailto:":
        plain = unquote(plain[7:].partition("?")[0])
    return plain.strip(" \t,;<>\"'")


def web_domain(text: str) -> str:
    """The domain in what was typed or pasted, such as an address of a page or of a mailbox; else what was typed."""
    plain = seen(text).lower()
    if " " in plain:
        return plain
    bare = re.split(r"[/?#]", re.sub(r"^(?:mailto:|[a-z][a-z0-9+.-]*:/+|//)", "", plain), maxsplit=1)[0]
    bare = re.sub(r":\d+$", "", bare.rpartition("@")[2]).removeprefix("www.").strip(".")
    return bare or plain
