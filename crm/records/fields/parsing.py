"""Raw values, from forms and from JSON, into native ones; and native ones into JSON."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from babel.numbers import is_currency
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator, URLValidator
from django.db.models import Model
from django.utils.translation import gettext as _

from crm.records.fields.normalising import email_key, mail_address, region_of
from crm.records.fields.phones import is_phone, phone_read
from crm.records.schema.field import Field, Text
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import nearest
from crm.records.schema.registry import registry
from crm.workspace.text.formats import typed_text
from crm.workspace.text.numbers import PLAIN, decimal_in
from crm.workspace.text.signs import seen
from tenants.actors import Actor
from tenants.strict_json import NotJson, read_json

ADDRESS_PARTS = ("street", "city", "region", "postcode", "country")
TEXT_LIMIT = 255
LONG_TEXT_LIMIT = 100_000
LIST_LIMIT = 50
LINKS_LIMIT = 500
CONDITION_LIMIT = 20_000
NUMBER_LIMIT = Decimal(10) ** 15
INTEGER_LIMIT = 2**31 - 1
DECIMALS = {Kind.MONEY: 4, Kind.DECIMAL: 6, Kind.PERCENT: 2}
EXAMPLE = Decimal("1234.56")
TRUE = {"true", "on", "yes", "1"}
FALSE = {"false", "off", "no", "0"}
PASTED = {Kind.DATE, Kind.DATETIME, Kind.CURRENCY, Kind.CHOICE, Kind.BOOLEAN, Kind.RELATION, Kind.MEMBER}
"""Of these, signs that nobody sees say nothing; texts keep what stands in them."""
DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
LISTED = re.compile(r'(?:"[^"\n]*"|[^,;\n]|;(?=\s*ext))+', re.IGNORECASE)

check_email = EmailValidator()
check_url = URLValidator(schemes=["http", "https"])


class BadValue(Exception):
    """A value that does not fit its field."""

    def __init__(self, code: str, message: Text) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def blank(field: Field) -> Any:
    """What a field holds when it holds nothing."""
    match field.kind:
        case Kind.TEXT | Kind.LONG_TEXT | Kind.URL | Kind.CURRENCY | Kind.CHOICE:
            return ""
        case Kind.EMAILS | Kind.PHONES | Kind.LINKS | Kind.REFERENCES | Kind.JSON_LIST:
            return []
        case Kind.ADDRESS | Kind.CONDITION:
            return {}
        case Kind.BOOLEAN:
            return False
        case _:
            return None


def is_blank(field: Field, value: Any) -> bool:
    return field.kind is not Kind.BOOLEAN and value == blank(field)


def parse(field: Field, raw: Any, actor: Actor) -> Any:
    """The native value of ``raw``. None, blank text and what is empty in the field's own shape clear it: a list where
    it holds several, an object where it has parts. Raises BadValue."""
    empty = blank(field)
    if isinstance(raw, str) and field.kind in PASTED:
        raw = seen(raw)
    if (
        raw is None
        or (isinstance(raw, str) and not seen(raw))
        or (isinstance(raw, (list, tuple)) and not raw and isinstance(empty, list))
        or (isinstance(raw, dict) and not raw and isinstance(empty, dict))
    ):
        return empty
    return PARSERS[field.kind](field, raw, actor)


def wrong(message: str) -> BadValue:
    return BadValue("invalid", message)


def clean_text(raw: Any, limit: int, *, lines: bool = False) -> str:
    if not isinstance(raw, str):
        raise wrong(_("This must be a text."))
    text = raw.replace("\r\n", "\n").replace("\r", "\n") if lines else raw
    if not lines:
        text = re.sub(r"[\t\n\r\v\f]+", " ", text)
    for sign in text:
        category = unicodedata.category(sign)
        if category == "Cs" or (category == "Cc" and sign not in "\n\t"):
            raise wrong(_("This contains a character that cannot be stored."))
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > limit:
        raise BadValue("too_long", _("This is too long: at most %(limit)d characters.") % {"limit": limit})
    return text


def parse_text(field: Field, raw: Any, actor: Actor) -> str:
    text = clean_text(raw, LONG_TEXT_LIMIT if field.tidy else field.max_length or TEXT_LIMIT)
    return clean_text(field.tidy(text), field.max_length or TEXT_LIMIT) if field.tidy else text


def parse_long_text(field: Field, raw: Any, actor: Actor) -> str:
    return clean_text(raw, field.max_length or LONG_TEXT_LIMIT, lines=True)


def parse_url(field: Field, raw: Any, actor: Actor) -> str:
    text = seen(clean_text(raw, field.max_length or 2000))
    if "://" not in text:
        text = f"https://{text}"
    try:
        check_url(text)
        urlsplit(text)
    except (ValidationError, ValueError):
        raise wrong(_("This is not a web address, such as https://example.com.")) from None
    return text


def bounded[N: (int, Decimal)](field: Field, value: N, low: Any = None, high: Any = None) -> N:
    low = field.minimum if field.minimum is not None else low
    high = field.maximum if field.maximum is not None else high
    if low is not None and value < low:
        raise BadValue("too_small", _("This must be at least %(limit)s.") % {"limit": low})
    if high is not None and value > high:
        raise BadValue("too_large", _("This must be at most %(limit)s.") % {"limit": high})
    return value


def number(raw: Any) -> Decimal:
    problem = wrong(_("This must be a number, such as %(example)s.") % {"example": typed_text(EXAMPLE)})
    if isinstance(raw, bool):
        raise problem
    if isinstance(raw, (int, float)):
        try:
            value = Decimal(str(raw))
        except (ValueError, ArithmeticError):
            raise problem from None
    elif isinstance(raw, Decimal):
        value = raw
    elif isinstance(raw, str):
        found = decimal_in(raw, PLAIN)
        if found is None:
            raise problem
        value = found
    else:
        raise problem
    if not value.is_finite():
        raise problem
    return value


def parse_integer(field: Field, raw: Any, actor: Actor) -> int:
    value = number(raw)
    if abs(value) > NUMBER_LIMIT or value != value.to_integral_value():
        raise wrong(_("This must be a whole number."))
    return bounded(field, int(value), -INTEGER_LIMIT, INTEGER_LIMIT)


def parse_decimal(field: Field, raw: Any, actor: Actor) -> Decimal:
    if field.kind is Kind.PERCENT and isinstance(raw, str):
        raw = seen(raw).removesuffix("%")
    value = number(raw)
    low, high = (Decimal(0), Decimal(100)) if field.kind is Kind.PERCENT else (-NUMBER_LIMIT, NUMBER_LIMIT)
    bounded(field, value, low, high)
    if abs(value) > NUMBER_LIMIT:
        raise BadValue("too_large", _("This number is too large."))
    places = DECIMALS[field.kind]
    exact = Decimal(format(value, "f")) + 0
    rounded = round(exact, places)
    if rounded != exact:
        raise BadValue("too_precise", _("At most %(places)d digits can stand behind the point.") % {"places": places})
    return rounded if -int(exact.as_tuple().exponent) > places else exact


def parse_currency(field: Field, raw: Any, actor: Actor) -> str:
    code = clean_text(raw, 50).upper()
    if not (len(code) == 3 and code.isascii() and is_currency(code)):
        raise BadValue("unknown_choice", _("This is not a currency code, such as EUR or USD."))
    return code


def parse_boolean(field: Field, raw: Any, actor: Actor) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().lower() if isinstance(raw, (str, int)) else ""
    if word in TRUE:
        return True
    if word in FALSE:
        return False
    raise wrong(_("This must be yes or no."))


def parse_date(field: Field, raw: Any, actor: Actor) -> date:
    problem = wrong(_("This must be a date, such as 2026-03-31."))
    if isinstance(raw, datetime):
        raise problem
    if isinstance(raw, date):
        value = raw
    elif isinstance(raw, str) and DATE.fullmatch(raw.strip()):
        try:
            value = date.fromisoformat(raw.strip())
        except ValueError:
            raise problem from None
    else:
        raise problem
    if not 1000 <= value.year <= 9998:
        raise problem
    return value


def parse_datetime(field: Field, raw: Any, actor: Actor) -> datetime:
    """Aware times as they are; one without a zone is taken in the actor's. A day is no time: midnight is not meant."""
    problem = wrong(_("This must be a date and time, such as 2026-03-31T14:30."))
    if isinstance(raw, str):
        try:
            value = datetime.fromisoformat(raw.strip())
        except ValueError:
            raise problem from None
        if is_day(raw.strip()):
            raise problem
    elif isinstance(raw, datetime):
        value = raw
    else:
        raise problem
    if not 1000 <= value.year <= 9998:
        raise problem
    return (value if value.tzinfo else in_zone(value, actor.time_zone)).astimezone(UTC)


def is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def in_zone(value: datetime, zone: ZoneInfo) -> datetime:
    """A time of day in a zone: of an hour that the clock shows twice the first; one it leaves out is refused."""
    aware = value.replace(tzinfo=zone, fold=0)
    if aware.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != value.replace(fold=0):
        raise BadValue(
            "no_such_time",
            _("%(time)s does not exist on %(day)s in %(zone)s: the clocks are put forward then. Choose another time.")
            % {"time": value.strftime("%H:%M"), "day": value.date().isoformat(), "zone": zone.key},
        )
    return aware


def parse_choice(field: Field, raw: Any, actor: Actor) -> str:
    value = clean_text(raw, 200)
    if field.choice(value) is None:
        options = [one.value for one in field.choices]
        likely = nearest(value, options)
        message = (
            _("“%(value)s” is not a choice here. Did you mean “%(nearest)s”?") % {"value": value, "nearest": likely}
            if likely
            else _("“%(value)s” is not a choice here; the choices are: %(options)s.")
            % {"value": value, "options": ", ".join(options)}
        )
        raise BadValue("unknown_choice", message)
    return value


def labelled(raw: Any) -> Iterable[tuple[str, str]]:
    """Values with their labels, from a text, a list of texts or a list of ``{"value", "label"}``.

    A text is parted at commas, semicolons and lines, but not within quotes or before an extension (``;ext=101``).
    """
    if isinstance(raw, str):
        raw = LISTED.findall(raw)
    elif isinstance(raw, Mapping):
        raw = [raw]
    if not isinstance(raw, (list, tuple)):
        raise wrong(_("This must be a list."))
    if len(raw) > LIST_LIMIT:
        raise BadValue("too_many", _("At most %(limit)d are possible.") % {"limit": LIST_LIMIT})
    for one in raw:
        value, label = (one.get("value"), one.get("label")) if isinstance(one, Mapping) else (one, "")
        if isinstance(one, Mapping) and ("value" not in one or one.keys() - {"value", "label"}):
            raise wrong(_("Each of these has a value and a label, and nothing else."))
        text = clean_text(value, 254)
        if text:
            yield text, clean_text(label if label is not None else "", 40)


def parse_emails(field: Field, raw: Any, actor: Actor) -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for typed, label in labelled(raw):
        value = mail_address(typed)
        try:
            check_email(value)
        except ValidationError:
            raise wrong(_("“%(value)s” is not an email address.") % {"value": typed}) from None
        found.setdefault(email_key(value), {"value": value, "label": label})
    return list(found.values())


def parse_phones(field: Field, raw: Any, actor: Actor) -> list[dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    region = region_of(actor.tenant)
    for value, label in labelled(raw):
        if not is_phone(value):
            raise wrong(_("“%(value)s” is not a phone number.") % {"value": value})
        phone = phone_read(value, region)
        found.setdefault(phone.key, {"value": phone.shown, "label": label})
    return list(found.values())


def parse_address(field: Field, raw: Any, actor: Actor) -> dict[str, str]:
    if isinstance(raw, str):
        raw = {"street": raw}
    if not isinstance(raw, Mapping):
        raise wrong(_("An address has the parts %(parts)s.") % {"parts": ", ".join(ADDRESS_PARTS)})
    unknown = next((str(part) for part in raw if part not in ADDRESS_PARTS), None)
    if unknown is not None:
        raise wrong(
            _("“%(part)s” is not part of an address; its parts are %(parts)s.")
            % {"part": unknown[:50], "parts": ", ".join(ADDRESS_PARTS)}
        )
    parts = {part: clean_text(raw[part], 200, lines=True) for part in ADDRESS_PARTS if raw.get(part) is not None}
    return {part: text for part, text in parts.items() if text}


def identifier(raw: Any) -> UUID:
    if isinstance(raw, Mapping):
        raw = raw.get("id")
    if isinstance(raw, Model):
        raw = raw.pk
    if isinstance(raw, UUID):
        return raw
    try:
        return UUID(raw.strip()) if isinstance(raw, str) and len(raw) <= 50 else UUID("")
    except ValueError:
        raise wrong(_("This is not the id of a record.")) from None


def parse_relation(field: Field, raw: Any, actor: Actor) -> UUID | None:
    if field.kind is Kind.MEMBER and raw == "me":
        return actor.member_id
    return identifier(raw)


def parse_links(field: Field, raw: Any, actor: Actor) -> list[dict[str, Any]]:
    if isinstance(raw, str):
        raw = [part for part in raw.split(",") if part.strip()]
    elif isinstance(raw, Mapping):
        raw = [raw]
    if not isinstance(raw, (list, tuple)):
        raise wrong(_("This must be a list of ids."))
    if len(raw) > LINKS_LIMIT:
        raise BadValue("too_many", _("At most %(limit)d are possible.") % {"limit": LINKS_LIMIT})
    found: dict[UUID, str] = {}
    for one in raw:
        role = one.get("role") if isinstance(one, Mapping) else ""
        found[identifier(one)] = clean_text(role if role is not None else "", 80)
    return [{"id": target, "role": found[target]} for target in sorted(found)]


def parse_reference(field: Field, raw: Any, actor: Actor) -> dict[str, Any]:
    if isinstance(raw, str):
        slug, _colon, text = raw.partition(":")
        raw = {"type": slug.strip(), "id": text}
    if not isinstance(raw, Mapping):
        raise wrong(_("This must name the type and the id of a record."))
    named = raw.get("type")
    if not isinstance(named, str) or named not in (field.targets or registry):
        raise BadValue("unknown_choice", _("“%(value)s” is no type of record.") % {"value": str(named)[:50]})
    return {"type": named, "id": identifier(raw)}


def parse_references(field: Field, raw: Any, actor: Actor) -> list[dict[str, Any]]:
    if isinstance(raw, str):
        raw = [part for part in raw.split(",") if part.strip()]
    elif isinstance(raw, Mapping):
        raw = [raw]
    if not isinstance(raw, (list, tuple)):
        raise wrong(_("This must be a list of types and ids of records."))
    if len(raw) > LIST_LIMIT:
        raise BadValue("too_many", _("At most %(limit)d are possible.") % {"limit": LIST_LIMIT})
    found: dict[tuple[str, UUID], dict[str, Any]] = {}
    for one in raw:
        entry = parse_reference(field, one, actor)
        if field.mark:
            given = one.get(field.mark) if isinstance(one, Mapping) else None
            entry[field.mark] = field.choices[0].value if given is None else parse_choice(field, given, actor)
        found[entry["type"], entry["id"]] = entry
    return [found[key] for key in sorted(found)]


def parse_list(field: Field, raw: Any, actor: Actor) -> list[str]:
    if isinstance(raw, str):
        raw = raw.split(",")
    if not isinstance(raw, (list, tuple)):
        raise wrong(_("This must be a list."))
    if len(raw) > LINKS_LIMIT:
        raise BadValue("too_many", _("At most %(limit)d are possible.") % {"limit": LINKS_LIMIT})
    texts = [clean_text(one, 200) for one in raw]
    return list(dict.fromkeys(text for text in texts if text))


def parse_condition(field: Field, raw: Any, actor: Actor) -> dict[str, Any]:
    """A tree of the query language as an object or as its JSON; the type's rules check what it says."""
    if isinstance(raw, str):
        try:
            raw = read_json(raw)
        except NotJson as problem:
            raise wrong(f"{_('This must be a condition in JSON.')} {problem.message}") from None
    if not isinstance(raw, Mapping) or len(orjson.dumps(raw, default=str)) > CONDITION_LIMIT:
        raise wrong(_("This must be a condition in JSON."))
    return dict(raw)


PARSERS: Mapping[Kind, Callable[[Field, Any, Actor], Any]] = {
    Kind.TEXT: parse_text,
    Kind.LONG_TEXT: parse_long_text,
    Kind.EMAILS: parse_emails,
    Kind.PHONES: parse_phones,
    Kind.URL: parse_url,
    Kind.INTEGER: parse_integer,
    Kind.DECIMAL: parse_decimal,
    Kind.MONEY: parse_decimal,
    Kind.CURRENCY: parse_currency,
    Kind.PERCENT: parse_decimal,
    Kind.BOOLEAN: parse_boolean,
    Kind.DATE: parse_date,
    Kind.DATETIME: parse_datetime,
    Kind.CHOICE: parse_choice,
    Kind.ADDRESS: parse_address,
    Kind.RELATION: parse_relation,
    Kind.MEMBER: parse_relation,
    Kind.LINKS: parse_links,
    Kind.REFERENCE: parse_reference,
    Kind.REFERENCES: parse_references,
    Kind.JSON_LIST: parse_list,
    Kind.CONDITION: parse_condition,
}


def keys(field: Field, value: Iterable[Mapping[str, str]], region: str | None) -> list[str]:
    """What the array beside EMAILS and PHONES holds."""
    if field.kind is Kind.EMAILS:
        return [email_key(one["value"]) for one in value]
    return list(dict.fromkeys(key for one in value for key in phone_read(one["value"], region).keys))


def as_json(value: Any) -> Any:
    """A native value as JSON has it; ``parse`` takes it back."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case UUID():
            return str(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case date():
            return value.isoformat()
        case Mapping():
            return {key: as_json(one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [as_json(one) for one in value]
        case _:
            return str(value)


def same(field: Field, one: Any, other: Any) -> bool:
    """Whether two JSON values of a field stand for the same: 10 and 10.00 do."""
    if one == other:
        return True
    if field.kind in {Kind.MONEY, Kind.DECIMAL, Kind.PERCENT} and one is not None and other is not None:
        return Decimal(one) == Decimal(other)
    return False
