"""Controls for fields, and what a person typed into them as values for the write gate.

A control keeps what was entered, so that a form that is refused comes back as it was sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from babel.numbers import get_currency_name
from django.http import QueryDict
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from crm.records import reading
from crm.records.errors import BadQuery, Invalid, RecordError
from crm.records.parsing import ADDRESS_PARTS
from crm.records.types import Field, Kind, RecordType, registry
from crm.workspace.formats import babel_locale
from crm.workspace.selectors import active_members
from tenants.actors import Actor

OPTIONS = 50
COMMON_CURRENCIES = (
    "EUR", "USD", "GBP", "CHF", "PLN", "CZK", "SEK", "NOK", "DKK", "HUF", "RON", "BGN", "TRY", "UAH", "JPY", "CNY",
    "INR", "KRW", "AUD", "NZD", "CAD", "MXN", "BRL", "ARS", "CLP", "ZAR", "AED", "SAR", "ILS", "SGD", "HKD", "THB",
)  # fmt: skip
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
}
INPUT_TYPES = {Kind.DATE: "date", Kind.DATETIME: "datetime-local", Kind.URL: "url"}
INPUT_MODES = {Kind.INTEGER: "numeric", Kind.DECIMAL: "decimal", Kind.MONEY: "decimal", Kind.PERCENT: "decimal"}


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


def read_values(actor: Actor, rt: RecordType, slugs: Iterable[str], data: QueryDict) -> dict[str, Any]:
    """The raw values of these fields as the write gate takes them; a blank one clears its field."""
    return {slug: _read(actor, rt.field(slug), data) for slug in slugs}


def _read(actor: Actor, field: Field, data: QueryDict) -> Any:
    name = field.slug
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
    if field.kind is Kind.BOOLEAN:
        return data.get(name, "") in {"on", "true", "1"}
    if field.kind is Kind.JSON_LIST:
        return [entry.strip() for entry in data.get(name, "").splitlines() if entry.strip()]
    raw = data.get(name, "")
    if field.kind is Kind.DATETIME:
        return read_moment(actor, raw)
    return raw


def read_moment(actor: Actor, raw: str) -> datetime | str:
    """A ``datetime-local`` value in the actor's time zone; what is none stays text, for the gate to refuse."""
    try:
        found = parse_datetime(raw)
    except ValueError:
        return raw
    if found is None:
        return raw
    return found if found.tzinfo else found.replace(tzinfo=actor.time_zone)


# --- from values to a form -------------------------------------------------------------------------------------------


def control(
    actor: Actor,
    rt: RecordType,
    slug: str,
    *,
    row: Mapping[str, Any] | None = None,
    data: QueryDict | None = None,
    errors: Mapping[str, Sequence[Any]] | None = None,
    prefix: str = "f",
    autofocus: bool = False,
) -> Control:
    """A control filled from what was sent (``data``), else from the record (``row``), else from the default."""
    field = rt.field(slug)
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
    _fill(actor, rt, found, value, _within(rt, field, row, data))
    if field.kind is Kind.MONEY:
        found.companion = control(actor, rt, field.currency, row=row, data=data, errors=errors, prefix=prefix)
        if not found.companion.value:
            found.companion.value = actor.tenant.currency
            found.companion.options = _currency_options(actor.tenant.currency, actor)
    return found


def controls(
    actor: Actor,
    rt: RecordType,
    slugs: Iterable[str],
    *,
    row: Mapping[str, Any] | None = None,
    data: QueryDict | None = None,
    error: RecordError | None = None,
    prefix: str = "f",
) -> list[Control]:
    """One control a field; the first one with an error takes the focus, else the first one."""
    errors = error.by_field() if isinstance(error, Invalid) else {}
    made = [control(actor, rt, slug, row=row, data=data, errors=errors, prefix=prefix) for slug in slugs]
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
    if field.kind is Kind.ADDRESS:
        return {part: data.get(f"{field.slug}.{part}", "") for part in ADDRESS_PARTS}
    if field.kind is Kind.BOOLEAN:
        return data.get(field.slug, "") in {"on", "true", "1"}
    return data.get(field.slug, "")


def _fill(actor: Actor, rt: RecordType, found: Control, value: Any, within: dict[str, Any] | None) -> None:
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
            found.input_type = "email" if field.kind is Kind.EMAILS else "tel"
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
                found.options = relation_options(actor, field.target, found.value, value, within=within)
                if field.slug == rt.board_field:
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
        case Kind.MONEY:
            found.value = "" if value is None or value == "" else f"{value:f}" if hasattr(value, "as_tuple") else value
        case _:
            found.value = "" if value is None else value


def _id(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value["id"])
    return str(value or "")


def _currency_options(chosen: str, actor: Actor) -> list[Option]:
    codes = dict.fromkeys([actor.tenant.currency, *([chosen] if chosen else []), *COMMON_CURRENCIES])
    locale = babel_locale()
    return [Option(code, f"{code} · {get_currency_name(code, locale=locale)}", code == chosen) for code in codes]


def _within(
    rt: RecordType, field: Field, row: Mapping[str, Any] | None, data: QueryDict | None
) -> dict[str, Any] | None:
    """What narrows the choices of a relation: a deal's stages are those of its pipeline."""
    if field.kind is not Kind.RELATION:
        return None
    for shared in registry.get(field.target).relations:
        own = rt.by_slug.get(shared.slug)
        if own is not None and own.target == shared.target:
            value = data.get(own.slug) if data is not None and own.slug in data else (row or {}).get(own.slug)
            return {"field": shared.slug, "op": "eq", "value": _id(value)} if value else None
    return None


def relation_options(
    actor: Actor, target: str, chosen: str, value: Any, *, within: dict[str, Any] | None = None
) -> list[Option]:
    """Records to choose from, by name; the chosen one is always among them, if the actor may see it."""
    rt = registry.get(target)
    listed = "position" if rt.has_field("position") else rt.title
    sort = (listed,) if rt.field(listed).sortable else rt.default_sort
    query = reading.Query(fields=(rt.title,), sort=sort, filter=within, limit=OPTIONS)
    try:
        page = reading.page(actor, rt, query)
    except BadQuery:
        page = reading.page(actor, rt, replace(query, filter=None))
    found = [Option(str(row["id"]), str(row[rt.title]), str(row["id"]) == chosen) for row in page.rows]
    if chosen and not any(one.selected for one in found):
        title = _title(actor, rt, chosen, value)
        if title:
            found.insert(0, Option(chosen, title, selected=True))
    return found


def _title(actor: Actor, rt: RecordType, record_id: str, value: Any) -> str:
    """The name to show for a chosen record: the one already read, else read now; blank when it is not visible."""
    if isinstance(value, Mapping) and value.get("title") is not None:
        return str(value["title"])
    try:
        return str(reading.get_row(actor, rt, UUID(record_id), fields=(rt.title,))[rt.title])
    except (ValueError, RecordError):
        return ""


def member_options(chosen: str, value: Any = None) -> list[Option]:
    """The active members, and the chosen one although he may have left."""
    found = [Option(str(key), name, str(key) == chosen) for key, name in active_members().values_list("id", "name")]
    if chosen and isinstance(value, Mapping) and not any(one.selected for one in found):
        found.append(Option(chosen, str(value.get("title") or ""), selected=True))
    return found
