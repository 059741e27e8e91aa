"""The values of conditions, read: what people and programs write, as the operators compare it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import IntegerField
from django.utils.translation import gettext as _

from crm.records.errors import BadQuery
from crm.records.fields import parsing
from crm.records.fields.normalising import email_key, mail_address, region_of, web_domain
from crm.records.fields.phones import phone_part, phone_read
from crm.records.schema.field import ID_FIELD, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType, nearest
from crm.records.schema.registry import registry
from crm.workspace.configuration import first_weekday
from crm.workspace.text.folding import Sought, sought
from crm.workspace.text.numbers import scientific
from tenants.actors import Actor

MAX_VALUES = 500
MAX_TEXT = 1000
MAX_DAYS = 36_500


@dataclass(frozen=True, slots=True)
class Context:
    """Whose question it is, and when it is asked."""

    actor: Actor
    now: datetime

    @property
    def today(self) -> date:
        return self.now.astimezone(self.actor.time_zone).date()

    @property
    def week(self) -> date:
        """The first day of this week."""
        return self.today - timedelta(days=(self.today.weekday() - first_weekday(self.actor)) % 7)

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), tzinfo=self.actor.time_zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a record type, as a condition reads it."""

    record_type: RecordType
    field: Field
    context: Context

    @property
    def column(self) -> str:
        return "pk" if self.field is ID_FIELD else self.field.column


def refuse(field: Field, message: str) -> BadQuery:
    return BadQuery(f"{field.slug}: {message}", param=field.slug, code="bad_value")


def text_operand(place: Place, value: Any) -> Sought:
    if not isinstance(value, str) or not value:
        raise refuse(place.field, _("a text is expected."))
    if len(value) > MAX_TEXT or "\0" in value:
        raise refuse(place.field, _("this text cannot be searched for."))
    return sought(place.field.tidy(value) if place.field.tidy else value)


def uuid_operand(place: Place, value: Any) -> UUID:
    if place.field.kind in {Kind.MEMBER, Kind.REFERENCES} and value == "me":
        return place.context.actor.member_id or UUID(int=0)
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except (ValueError, TypeError, AttributeError):
        raise refuse(place.field, _("an id is expected.")) from None


def number_operand(place: Place, value: Any) -> Decimal | int:
    number = scientific(value) if isinstance(value, str) else None
    try:
        number = parsing.number(value) if number is None else number
    except parsing.BadValue:
        raise refuse(place.field, _("a number is expected.")) from None
    if abs(number.adjusted()) > 30:
        raise refuse(place.field, _("a number is expected."))
    if isinstance(place.record_type.model_class._meta.get_field(place.column), IntegerField):
        if number != number.to_integral_value():
            raise refuse(place.field, _("a whole number is expected."))
        return int(number)
    return number


def moment_operand(place: Place, value: Any) -> date | datetime:
    """A date is a whole day; a time without a zone is in the actor's."""
    found: date | datetime | None = value if isinstance(value, date) else None
    if isinstance(value, str):
        text = value.strip()
        try:
            found = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        except ValueError:
            found = None
    if found is None or not 1 < found.year < 9998 or (isinstance(found, datetime) and place.field.kind is Kind.DATE):
        raise refuse(place.field, _("a date like 2026-05-31 is expected."))
    if isinstance(found, datetime):
        zoned = found if found.tzinfo else found.replace(tzinfo=place.context.actor.time_zone)
        return zoned.astimezone(UTC)
    return found


def flag_operand(place: Place, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    found = {"true": True, "1": True, "false": False, "0": False}.get(str(value).lower())
    if found is None:
        raise refuse(place.field, _("true or false is expected."))
    return found


def choice_operand(place: Place, value: Any) -> str:
    known = [choice.value for choice in place.field.choices]
    if value not in known:
        raise BadQuery(
            _("%(field)s has no choice “%(value)s”.") % {"field": place.field.slug, "value": shown(value)},
            param=place.field.slug,
            nearest=nearest(str(value), known),
            code="unknown_choice",
        )
    return str(value)


def reference_operand(place: Place, value: Any) -> tuple[str | None, UUID]:
    if not isinstance(value, Mapping):
        return None, uuid_operand(place, value)
    return type_operand(place, value.get("type")), uuid_operand(place, value.get("id"))


def type_operand(place: Place, value: Any) -> str:
    known = [*(place.field.targets or (record_type.slug for record_type in registry.all()))]
    if value not in known:
        raise BadQuery(
            _("There is no record type “%(value)s”.") % {"value": shown(value)},
            param=place.field.slug,
            nearest=nearest(str(value), known),
            code="unknown_type",
        )
    return str(value)


def key_operand(place: Place, value: Any) -> str:
    """A whole email address or phone number, as its key."""
    text_operand(place, value)
    if place.field.kind is Kind.EMAILS:
        return email_key(mail_address(value))
    return phone_read(value, region_of(place.context.actor.tenant)).key


def key_part(place: Place, value: Any) -> str:
    """Part of an address, or some digits of a number: without the zeros that are dialled in front."""
    text_operand(place, value)
    if place.field.kind is Kind.EMAILS:
        return email_key(mail_address(value))
    region = region_of(place.context.actor.tenant)
    part = phone_part(value, region) or phone_read(value, region).key.removeprefix("+")
    if not part:
        raise refuse(place.field, _("a phone number is expected."))
    return part


def plain_operand(place: Place, value: Any) -> str:
    text_operand(place, value)
    return str(value)


def domain_operand(place: Place, value: Any) -> str:
    text_operand(place, value)
    return "@" + web_domain(email_key(value))


def days_operand(place: Place, value: Any) -> int:
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() and len(value) < 9 else value
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= MAX_DAYS:
        raise refuse(place.field, _("a number of days is expected."))
    return number


OPERANDS: dict[Kind, Callable[[Place, Any], Any]] = {
    Kind.TEXT: text_operand,
    Kind.LONG_TEXT: text_operand,
    Kind.URL: text_operand,
    Kind.CURRENCY: text_operand,
    Kind.EMAILS: key_operand,
    Kind.PHONES: key_operand,
    Kind.ADDRESS: text_operand,
    Kind.INTEGER: number_operand,
    Kind.DECIMAL: number_operand,
    Kind.MONEY: number_operand,
    Kind.PERCENT: number_operand,
    Kind.BOOLEAN: flag_operand,
    Kind.DATE: moment_operand,
    Kind.DATETIME: moment_operand,
    Kind.CHOICE: choice_operand,
    Kind.RELATION: uuid_operand,
    Kind.MEMBER: uuid_operand,
    Kind.LINKS: uuid_operand,
    Kind.REFERENCE: reference_operand,
    Kind.REFERENCES: reference_operand,
    Kind.JSON_LIST: plain_operand,
    Kind.CONDITION: plain_operand,
}


def shown(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:59]}…"
