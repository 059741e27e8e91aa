"""Controls for fields, and what a person typed into them as values for the write gate.

A control keeps what was entered, so that a form that is refused comes back as it was sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from babel.numbers import get_currency_name
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.records.access.visibility import may_write
from crm.records.errors import Invalid, RecordError
from crm.records.fields.parsing import ADDRESS_PARTS
from crm.records.read import reading
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.configuration import workspace_settings
from crm.workspace.people.selectors import active_members
from crm.workspace.text.formats import babel_locale, number_read, typed_money, typed_text
from crm.workspace.text.signs import seen
from tenants.actors import Actor

OPTIONS = 50
ADDRESS_LABELS = {
    "street": lambda: _("Street"),
    "city": lambda: _("City"),
    "region": lambda: _("Region"),
    "postcode": lambda: _("Postcode"),
    "country": lambda: _("Country"),
}
AUTOCOMPLETE = {
    "street": "street-address",
    "city": "address-level2",
    "region": "address-level1",
    "postcode": "postal-code",
    "country": "country-name",
}
WIDGETS = {
    Kind.LONG_TEXT: "textarea",
    Kind.JSON_LIST: "textarea",
    Kind.CONDITION: "textarea",
    Kind.EMAILS: "entries",
    Kind.PHONES: "entries",
    Kind.CURRENCY: "select",
    Kind.CHOICE: "select",
    Kind.MEMBER: "select",
    Kind.BOOLEAN: "checkbox",
    Kind.ADDRESS: "address",
    Kind.RELATION: "relation",
    Kind.LINKS: "links",
    Kind.REFERENCE: "reference",
    Kind.REFERENCES: "references",
}
INPUT_TYPES = {Kind.DATE: "date", Kind.DATETIME: "datetime-local"}
NUMBERS = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.MONEY, Kind.PERCENT})
INPUT_MODES = {
    Kind.INTEGER: "numeric",
    Kind.DECIMAL: "decimal",
    Kind.MONEY: "decimal",
    Kind.PERCENT: "decimal",
    Kind.URL: "url",
    Kind.EMAILS: "email",
    Kind.PHONES: "tel",
}
"""A keyboard for each; the input itself takes any text, since browsers refuse ``Jane <jane@example.com>`` elsewhere."""


@dataclass(frozen=True, slots=True)
class Option:
    value: str
    label: str
    selected: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a control that takes several: an email with its label, a linked record with its role."""

    value: str
    label: str = ""
    title: str = ""


@dataclass(slots=True)
class Control:
    field: Field
    widget: str
    value: Any = ""
    options: Sequence[Option] = ()
    entries: Sequence[Entry] = ()
    errors: Sequence[str] = ()
    search_url: str = ""
    text: str = ""
    blank: str = ""
    companion: "Control | None" = None
    input_type: str = "text"
    input_mode: str = ""
    autofocus: bool = False
    prefix: str = "f"
    parts: Sequence[tuple[str, str, str, str]] = ()
    pieces: Any = None

    @property
    def name(self) -> str:
        return self.field.slug

    @property
    def id(self) -> str:
        return f"{self.prefix}-{self.field.slug}"

    @property
    def step(self) -> bool:
        return self.input_type == "datetime-local"

    @property
    def described_by(self) -> str:
        return " ".join(
            [*([f"{self.id}-help"] if self.field.help_text else []), *([f"{self.id}-error"] if self.errors else [])]
        )


# --- from a form to values -------------------------------------------------------------------------------------------


def read_values(actor: Actor, record_type: RecordType, slugs: Sequence[str], data: QueryDict) -> dict[str, Any]:
    """The raw values of these fields as the write gate takes them; a blank one clears its field. What the actor's role
    does not let them write is left out, as its control was."""
    values = {
        slug: _read(actor, record_type.field(slug), data)
        for slug in slugs
        if may_write(actor, record_type, record_type.field(slug))
    }
    for slug in slugs:
        day = record_type.field(slug).day
        if slug in values and day and f"{slug}.day" in data:
            date, time = data.get(f"{slug}.day", "").strip(), data.get(f"{slug}.time", "").strip()
            values[slug], values[day] = (f"{date}T{time}", None) if time else (None, date)
    return values


def with_companions(record_type: RecordType, slugs: Iterable[str]) -> list[str]:
    """The fields with those that are written together with them."""
    return [one for slug in slugs for one in (slug, record_type.field(slug).companion) if one]


def is_sent(field: Field, data: QueryDict) -> bool:
    """Whether a form said anything of a field, in one input or in several."""
    return field.slug in data or any(name.startswith(f"{field.slug}.") for name in data)


def _read(actor: Actor, field: Field, data: QueryDict) -> Any:
    name = field.slug
    if field.pieces is not None and name not in data:
        return field.pieces.read(data)
    if field.kind in {Kind.EMAILS, Kind.PHONES}:
        labels = data.getlist(f"{name}.label")
        return [
            {"value": value.strip(), "label": labels[place] if place < len(labels) else ""}
            for place, value in enumerate(data.getlist(name))
            if value.strip()
        ]
    if field.kind is Kind.LINKS:
        roles = data.getlist(f"{name}.role")
        return [
            {"id": value, "role": roles[place] if place < len(roles) else ""}
            for place, value in enumerate(data.getlist(name))
            if value
        ]
    if field.kind is Kind.ADDRESS:
        found = {part: data.get(f"{name}.{part}", "").strip() for part in ADDRESS_PARTS}
        return {part: value for part, value in found.items() if value}
    if field.kind is Kind.REFERENCE:
        raw = data.get(name, "").strip()
        noun, __, record_id = raw.partition(":")
        return {"type": noun, "id": record_id} if raw else None
    if field.kind is Kind.REFERENCES:
        return _sent_references(field, data)
    if field.kind is Kind.BOOLEAN:
        return data.get(name, "") in {"on", "true", "1"}
    if field.kind is Kind.JSON_LIST:
        return [entry.strip() for entry in data.get(name, "").splitlines() if entry.strip()]
    raw = data.get(name, "")
    return read_number(field, raw) if field.kind in NUMBERS else raw


def read_number(field: Field, raw: str) -> str:
    """A number as its reader writes numbers; what is none stays as it is, for the gate to refuse."""
    return number_read(seen(raw).removesuffix("%") if field.kind is Kind.PERCENT else raw)


def typed_number(field: Field, value: Any, currency: str = "") -> str:
    """A number as its reader would type it; text that somebody sent stays as it is."""
    if value is None or not isinstance(value, int | Decimal):
        return str(value or "")
    if field.kind is Kind.MONEY and currency:
        return typed_money(Decimal(value), currency)
    return typed_text(value)


# --- from values to a form -------------------------------------------------------------------------------------------


def control(
    actor: Actor,
    record_type: RecordType,
    slug: str,
    *,
    row: Mapping[str, Any] | None = None,
    data: QueryDict | None = None,
    errors: Mapping[str, Sequence[Any]] | None = None,
    prefix: str = "f",
    autofocus: bool = False,
) -> Control:
    """A control filled from what was sent (``data``), else from the record (``row``), else from the default."""
    field = record_type.field(slug)
    if data is not None and (slug in data or field.kind is Kind.ADDRESS):
        value: Any = _sent(field, data)
    elif row is not None:
        value = row.get(slug)
    else:
        value = field.default_for(actor)
    found = Control(
        field=field,
        widget=WIDGETS.get(field.kind, "input"),
        errors=[str(message) for message in (errors or {}).get(slug, ())],
        input_type=INPUT_TYPES.get(field.kind, "text"),
        input_mode=INPUT_MODES.get(field.kind, ""),
        prefix=prefix,
        autofocus=autofocus,
    )
    _fill(actor, record_type, found, value, {**(row or {}), **(data.dict() if data else {})})
    if field.pieces is not None:
        found.widget = "pieces"
        found.pieces = field.pieces.shown(value, data)
    if field.day:
        found.widget = "moment"
        found.errors = [str(message) for one in (slug, field.day) for message in (errors or {}).get(one, ())]
        if data is not None and f"{slug}.day" in data:
            found.value, found.text = data[f"{slug}.day"], data.get(f"{slug}.time", "")
        elif row is not None and row.get(field.day):
            found.value, found.text = row[field.day].isoformat(), ""
        else:
            found.value, __, found.text = str(found.value).partition("T")
    if field.kind is Kind.MONEY:
        found.value = typed_number(field, value, str((row or {}).get(field.currency) or actor.tenant.currency))
        found.companion = control(actor, record_type, field.currency, row=row, data=data, errors=errors, prefix=prefix)
        if not found.companion.value:
            found.companion.value = actor.tenant.currency
            found.companion.options = _currency_options(actor.tenant.currency, actor)
    return found


def controls(
    actor: Actor,
    record_type: RecordType,
    slugs: Iterable[str],
    *,
    row: Mapping[str, Any] | None = None,
    data: QueryDict | None = None,
    error: RecordError | None = None,
    prefix: str = "f",
) -> list[Control]:
    """One control a field that may be written; the first one with an error takes the focus, else the first one."""
    errors = error.by_field() if isinstance(error, Invalid) else {}
    made = [
        control(actor, record_type, slug, row=row, data=data, errors=errors, prefix=prefix)
        for slug in slugs
        if may_write(actor, record_type, record_type.field(slug))
    ]
    if made:
        next((one for one in made if one.errors), made[0]).autofocus = True
    return made


def other_errors(error: RecordError | None, slugs: Iterable[str]) -> list[str]:
    """Messages that no control of the form shows."""
    if error is None:
        return []
    if not isinstance(error, Invalid):
        return [str(error.message)]
    shown = set(slugs)
    return [str(one.message) for one in error.errors if one.field not in shown]


def _sent(field: Field, data: QueryDict) -> Any:
    if field.kind in {Kind.EMAILS, Kind.PHONES}:
        labels = data.getlist(f"{field.slug}.label")
        return [
            {"value": value, "label": labels[place] if place < len(labels) else ""}
            for place, value in enumerate(data.getlist(field.slug))
        ]
    if field.kind is Kind.LINKS:
        roles = data.getlist(f"{field.slug}.role")
        return [
            {"id": value, "role": roles[place] if place < len(roles) else ""}
            for place, value in enumerate(data.getlist(field.slug))
            if value
        ]
    if field.kind is Kind.REFERENCES:
        return _sent_references(field, data)
    if field.kind is Kind.ADDRESS:
        return {part: data.get(f"{field.slug}.{part}", "") for part in ADDRESS_PARTS}
    if field.kind is Kind.BOOLEAN:
        return data.get(field.slug, "") in {"on", "true", "1"}
    return data.get(field.slug, "")


def _sent_references(field: Field, data: QueryDict) -> list[dict[str, str]]:
    marks = data.getlist(f"{field.slug}.mark")
    found = []
    for place, value in enumerate(data.getlist(field.slug)):
        noun, __, record_id = value.partition(":")
        if value:
            mark = {field.mark: marks[place]} if field.mark and place < len(marks) else {}
            found.append({"type": noun, "id": record_id, **mark})
    return found


def _reference_entry(actor: Actor, field: Field, value: Mapping[str, Any]) -> Entry:
    """A record or member that is named, by what it is called for the actor: said by ``value`` itself, or looked up."""
    title = value.get("title")
    if title is None:
        with suppress(ValueError):
            place = (str(value["type"]), UUID(str(value["id"])))
            title = reading.titles(actor, [place]).get(place)
    return Entry(f"{value['type']}:{value['id']}", str(value.get(field.mark) or ""), title or _("not visible to you"))


def _fill(actor: Actor, record_type: RecordType, found: Control, value: Any, values: Mapping[str, Any]) -> None:
    field = found.field
    match field.kind:
        case Kind.EMAILS | Kind.PHONES:
            entries = [
                Entry(str(item["value"]), str(item.get("label") or ""))
                if isinstance(item, Mapping)
                else Entry(str(item))
                for item in value or []
            ]
            found.entries = [*entries, Entry("")]
        case Kind.CHOICE:
            chosen = str(value or "")
            found.value = chosen
            found.options = [Option(one.value, str(one.label), one.value == chosen) for one in field.choices]
        case Kind.CURRENCY:
            found.value = str(value or "")
            found.options = _currency_options(found.value, actor)
        case Kind.MEMBER:
            chosen = _id(value)
            found.value = chosen
            found.options = member_options(chosen, value)
        case Kind.RELATION:
            target = registry.get(field.target)
            found.value = _id(value)
            if target.in_sidebar:
                found.search_url = reverse("records:options", args=[target.plural])
                found.text = _title(actor, target, found.value, value)
            else:
                found.widget = "select"
                found.options = relation_options(actor, field, found.value, value, values)
                if field.slug == record_type.board_field:
                    found.blank = _("The first one")
        case Kind.LINKS:
            target = registry.get(field.target)
            found.entries = [
                Entry(str(link["id"]), str(link.get("role") or ""), _title(actor, target, str(link["id"]), link))
                for link in value or []
            ]
            found.search_url = reverse("records:options", args=[target.plural])
        case Kind.REFERENCE:
            found.search_url = reverse("records:references")
            if isinstance(value, Mapping):
                found.value = f"{value['type']}:{value['id']}"
                found.text = _title(actor, registry.get(value["type"]), str(value["id"]), value)
            elif value:
                noun, __, record_id = str(value).partition(":")
                found.value = str(value)
                found.text = _title(actor, registry.get(noun), record_id, None) if noun in registry else ""
        case Kind.REFERENCES:
            kinds = f"?{urlencode({'types': ','.join(field.targets)})}" if field.targets else ""
            found.search_url = reverse("records:references") + kinds
            found.entries = [_reference_entry(actor, field, one) for one in value or []]
            found.options = [Option(one.value, str(one.label)) for one in field.choices]
        case Kind.ADDRESS:
            sent = value if isinstance(value, Mapping) else {}
            found.parts = [
                (part, ADDRESS_LABELS[part](), str(sent.get(part) or ""), AUTOCOMPLETE[part]) for part in ADDRESS_PARTS
            ]
        case Kind.BOOLEAN:
            found.value = bool(value)
        case Kind.DATETIME:
            if isinstance(value, datetime):
                value = value.astimezone(actor.time_zone).strftime("%Y-%m-%dT%H:%M")
            found.value = value or ""
        case Kind.DATE:
            found.value = value.isoformat() if hasattr(value, "isoformat") else value or ""
        case Kind.JSON_LIST:
            found.value = value if isinstance(value, str) else "\n".join(str(item) for item in value or [])
        case Kind.INTEGER | Kind.DECIMAL | Kind.PERCENT:
            found.value = typed_number(field, value)
        case Kind.CONDITION:
            found.value = value if isinstance(value, str) else orjson.dumps(value).decode() if value else ""
        case _:
            found.value = "" if value is None else value


def _id(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value or "")


def _currency_options(chosen: str, actor: Actor) -> list[Option]:
    used = workspace_settings(actor.tenant).currencies
    codes = dict.fromkeys([actor.tenant.currency, *([chosen] if chosen else []), *used])
    locale = babel_locale()
    return [Option(code, f"{code} · {get_currency_name(code, locale=locale)}", code == chosen) for code in codes]


def relation_options(
    actor: Actor, field: Field, chosen: str, value: Any, values: Mapping[str, Any] | None = None
) -> list[Option]:
    """Records to choose from, as the field has it, else by name; the chosen one is there, if the actor may see it."""
    record_type = registry.get(field.target)
    if field.options is not None:
        found = [Option(str(id), label, str(id) == chosen) for id, label in field.options(actor, values or {})]
    else:
        listed = "position" if record_type.has_field("position") else record_type.title
        sort = (listed,) if record_type.field(listed).sortable else record_type.default_sort
        page = reading.page(actor, record_type, reading.Query(fields=(record_type.title,), sort=sort, limit=OPTIONS))
        found = [Option(str(row["id"]), str(row[record_type.title]), str(row["id"]) == chosen) for row in page.rows]
    if chosen and not any(one.selected for one in found):
        title = _title(actor, record_type, chosen, value)
        if title:
            found.insert(0, Option(chosen, title, selected=True))
    return found


def _title(actor: Actor, record_type: RecordType, record_id: str, value: Any) -> str:
    """The name to show for a chosen record: the one already read, else read now; blank when it is not visible."""
    if isinstance(value, Mapping) and value.get("title") is not None:
        return str(value["title"])
    try:
        return str(reading.get_row(actor, record_type, UUID(record_id), fields=(record_type.title,))[record_type.title])
    except (ValueError, RecordError):
        return ""


def member_options(chosen: str, value: Any = None) -> list[Option]:
    """The active members, and the chosen one although they may have left."""
    found = [Option(str(key), name, str(key) == chosen) for key, name in active_members().values_list("id", "name")]
    if chosen and isinstance(value, Mapping) and not any(one.selected for one in found):
        found.append(Option(chosen, str(value.get("title") or ""), selected=True))
    return found
