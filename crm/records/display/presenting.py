"""How a record's fields are shown: one place for lists, boards and record pages.

A value becomes HTML by the kind of its field; ``format_html`` escapes whatever a person typed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import UUID

import orjson
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from crm.records.access.visibility import may_write, readable_fields
from crm.records.errors import UnknownType
from crm.records.fields.normalising import region_of
from crm.records.fields.parsing import ADDRESS_PARTS
from crm.records.fields.phones import phone_read
from crm.records.schema import mentions
from crm.records.schema.field import MEMBER_TARGET, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.colors import COLORS, tint
from crm.workspace.text.formats import date_text, initials, moment_text, money_text, number_text
from tenants.actors import Actor

type Row = Mapping[str, Any]

EMPTY = mark_safe('<span class="none">–</span>')
NUMERIC = frozenset({Kind.INTEGER, Kind.DECIMAL, Kind.MONEY, Kind.PERCENT})


def today(actor: Actor) -> date:
    return timezone.now().astimezone(actor.time_zone).date()


def avatar(name: str, color: str = "", *, square: bool = False) -> SafeString:
    """A picture made of a name's first letters, coloured by the name unless a colour is given."""
    return format_html(
        '<span class="avatar{}" data-color="{}" aria-hidden="true">{}</span>',
        " avatar-square" if square else "",
        color if color in COLORS else tint(name),
        initials(name),
    )


def record_url(slug: str, record_id: UUID | str | None) -> str:
    """The page of a record; without an id the list of its type."""
    plural = registry.get(slug).plural
    return reverse("records:detail", args=[plural, record_id]) if record_id else reverse("records:list", args=[plural])


def row_title(record_type: RecordType, row: Row) -> str:
    """The name a record goes by; a note goes by its first words."""
    text = " ".join(mentions.plain(str(row.get(record_type.title) or "")).split())
    if not text:
        return _("Untitled")
    return text if len(text) <= 120 else f"{text[:119]}…"


def row_subtitle(record_type: RecordType, row: Row) -> str:
    """What tells a record from others of its name, if that was read; a relation must have been expanded."""
    value = row.get(record_type.subtitle) if record_type.subtitle else None
    if isinstance(value, Mapping):
        value = value.get("title")
    return str(value or "")


def may_edit(actor: Actor, record_type: RecordType, row: Row, action: str = "edit") -> bool:
    """Whether to offer the action on this row; the write gate decides again."""
    holder = row.get(record_type.own_field)
    return actor.reaches(actor.scope(record_type.slug, action), holder["id"] if isinstance(holder, Mapping) else holder)


# --- one value -------------------------------------------------------------------------------------------------------


def _plain(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return str(value)


def reach_url(kind: Kind, address: str, actor: Actor) -> str:
    """What calls a phone number or writes to an email address; empty for a number that cannot be told."""
    if kind is Kind.PHONES:
        return phone_read(address, region_of(actor.tenant)).link
    return f"mailto:{quote(address, '@+')}"


def _reach(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    entries = [(str(item["value"]), str(item.get("label") or "")) for item in value]
    if not entries:
        return EMPTY
    first, label = entries[0]
    url = reach_url(field.kind, first, actor)
    link = format_html('<a class="reach" href="{}" dir="ltr" title="{}">{}</a>', url, label, first) if url else first
    rest = ", ".join(entry for entry, __ in entries[1:])
    if not rest:
        return link
    return format_html('{} <span class="more" title="{}">+{}</span>', link, rest, len(entries) - 1)


def _url(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    text = str(value)
    if urlsplit(text).scheme not in {"http", "https"}:
        return text
    shown = text.split("://", 1)[1].rstrip("/")
    return format_html('<a href="{}" rel="noopener noreferrer" target="_blank" dir="ltr">{}</a>', text, shown)


def _number(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return number_text(value)


def _percent(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return _("%(number)s %%") % {"number": number_text(value)}


def _money(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return money_text(value, row.get(field.currency) or actor.tenant.currency)


def _boolean(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return _("Yes") if value else _("No")


def _date(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), date_text(value))


def _moment(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    if field.day and row.get(field.day):
        return _date(field, row[field.day], row, actor)
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), moment_text(value))


def choice_label(field: Field, value: Any) -> tuple[str, str]:
    """Label and colour of a choice, or the raw value of one that is no longer offered."""
    for choice in field.choices:
        if choice.value == value:
            return str(choice.label), choice.color
    return str(value), "gray"


def _choice(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    label, color = choice_label(field, value)
    return format_html('<span class="chip" data-color="{}"><span>{}</span></span>', color, label)


def _address(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    parts = [str(value[part]) for part in ADDRESS_PARTS if value.get(part)]
    return ", ".join(parts) if parts else EMPTY


def _relation(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    if not isinstance(value, Mapping):
        return EMPTY
    return reference_link(value.get("type") or field.target, value["id"], value.get("title") or "", value.get("color"))


def reference_link(slug: str, record_id: Any, title: str, color: str | None = None) -> SafeString:
    """A link to a record, or a plain chip for the types that have no page of their own to go to."""
    title = title or _("Untitled")
    try:
        target = registry.get(slug)
    except UnknownType:
        return format_html("{}", title)
    if not target.in_sidebar:
        return format_html('<span class="chip" data-color="{}"><span>{}</span></span>', color or "gray", title)
    return format_html(
        '<a class="ref" href="{}">{}<span>{}</span></a>',
        record_url(slug, record_id),
        avatar(title, square=target.slug == "company"),
        title,
    )


def member_badge(value: Any) -> SafeString:
    if not isinstance(value, Mapping):
        return EMPTY
    name = value.get("title") or value.get("name") or ""
    return format_html('<span class="ref">{}<span>{}</span></span>', avatar(name, value.get("color") or ""), name)


def _member(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return member_badge(value)


def _links(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    if not value:
        return EMPTY
    return format_html_join(
        "",
        '<span class="linked">{}{}</span>',
        (
            (
                reference_link(field.target, link["id"], link.get("title") or ""),
                format_html('<span class="role">{}</span>', link["role"]) if link.get("role") else "",
            )
            for link in value
        ),
    )


def _reference(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return _entry(value) if isinstance(value, Mapping) else EMPTY


def _references(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    if not value:
        return EMPTY
    return format_html_join(
        "",
        '<span class="linked">{}{}</span>',
        ((_entry(one), _mark(field, one)) for one in value),
    )


def _entry(value: Row) -> SafeString:
    if value.get("title") is None:
        return format_html('<span class="none">{}</span>', _("not visible to you"))
    if value["type"] == MEMBER_TARGET:
        return member_badge(value)
    return reference_link(value["type"], value["id"], value["title"])


def _mark(field: Field, value: Row) -> SafeString | str:
    """Who was asked and has not said anything needs no word for it."""
    if not field.mark or value.get(field.mark) in (None, field.choices[0].value):
        return ""
    label, color = choice_label(field, value[field.mark])
    return format_html('<span class="chip" data-color="{}"><span>{}</span></span>', color, label)


def _list(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return ", ".join(str(item) for item in value) if value else EMPTY


def _condition(field: Field, value: Any, row: Row, actor: Actor) -> SafeString | str:
    return format_html("<code>{}</code>", orjson.dumps(value).decode()) if value else EMPTY


SHOW: dict[Kind, Callable[[Field, Any, Row, Actor], SafeString | str]] = {
    Kind.EMAILS: _reach,
    Kind.PHONES: _reach,
    Kind.URL: _url,
    Kind.INTEGER: _number,
    Kind.DECIMAL: _number,
    Kind.PERCENT: _percent,
    Kind.MONEY: _money,
    Kind.BOOLEAN: _boolean,
    Kind.DATE: _date,
    Kind.DATETIME: _moment,
    Kind.CHOICE: _choice,
    Kind.ADDRESS: _address,
    Kind.RELATION: _relation,
    Kind.MEMBER: _member,
    Kind.LINKS: _links,
    Kind.REFERENCE: _reference,
    Kind.REFERENCES: _references,
    Kind.JSON_LIST: _list,
    Kind.CONDITION: _condition,
}


def value_html(field: Field, row: Row, actor: Actor, people: mentions.People | None = None) -> SafeString | str:
    """What a reader sees of one field of a row. Relations must have been expanded.

    ``people`` are those mentioned on the page, where more than one text is shown.
    """
    value = row.get(field.slug)
    if value is None or value == "":
        return EMPTY
    if field.words is not None:
        return field.words(value)
    if field.kind is Kind.LONG_TEXT:
        return mentions.html(str(value), mentions.people([str(value)]) if people is None else people)
    return SHOW.get(field.kind, _plain)(field, value, row, actor)


# --- rows ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cell:
    field: Field
    html: SafeString | str
    editable: bool
    numeric: bool
    edit_url: str = ""

    @property
    def is_empty(self) -> bool:
        return self.html == EMPTY


@dataclass(frozen=True, slots=True)
class Line:
    """A record as a line of a table or a card."""

    id: UUID
    version: int
    title: str
    url: str
    is_sample: bool
    deleted_at: datetime | None
    done: bool | None  # None for what cannot be ticked off
    cells: tuple[Cell, ...]


def cell(
    actor: Actor,
    record_type: RecordType,
    field: Field,
    row: Row,
    *,
    editable: bool,
    people: mentions.People | None = None,
) -> Cell:
    may = editable and may_write(actor, record_type, field)
    return Cell(
        field=field,
        html=conditional_escape(value_html(field, row, actor, people)),
        editable=may,
        numeric=field.kind in NUMERIC,
        edit_url=reverse("records:edit_field", args=[record_type.plural, row["id"], field.slug]) if may else "",
    )


def lines(actor: Actor, record_type: RecordType, fields: Sequence[Field], rows: Sequence[Row]) -> list[Line]:
    """Rows as lines of a table; whom their texts mention is asked once for all."""
    texts = [field.slug for field in fields if field.kind is Kind.LONG_TEXT]
    people = mentions.people(row[slug] for row in rows for slug in texts if row.get(slug))
    return [line(actor, record_type, fields, row, people) for row in rows]


def line(
    actor: Actor, record_type: RecordType, fields: Iterable[Field], row: Row, people: mentions.People | None = None
) -> Line:
    editable = row.get("deleted_at") is None and may_edit(actor, record_type, row)
    return Line(
        id=row["id"],
        version=row["version"],
        title=row_title(record_type, row),
        url=reverse("records:detail", args=[record_type.plural, row["id"]]),
        is_sample=bool(row.get("is_sample")),
        deleted_at=row.get("deleted_at"),
        done=row.get("done")
        if editable and "done" in record_type.by_slug and may_write(actor, record_type, record_type.field("done"))
        else None,
        cells=tuple(cell(actor, record_type, field, row, editable=editable, people=people) for field in fields),
    )


def shown_fields(actor: Actor, record_type: RecordType) -> list[Field]:
    """The fields a person may see on a page: a currency is shown with its amount."""
    return [field for field in readable_fields(actor, record_type) if field.slug not in record_type.companions]


def needed_columns(record_type: RecordType, fields: Iterable[Field]) -> tuple[str, ...]:
    """What to read so that these fields, the title and the permission to edit can be shown."""
    slugs = dict.fromkeys(
        [record_type.title, record_type.own_field, "is_sample", *(["done"] if record_type.is_done_or_open else [])]
    )
    for field in fields:
        slugs[field.slug] = None
        if field.companion:
            slugs[field.companion] = None
    return tuple(slugs)


def expanded(record_type: RecordType, slugs: Iterable[str]) -> tuple[str, ...]:
    """Which of these fields hold an id that must be read together with its title."""
    return tuple(slug for slug in slugs if record_type.field(slug).kind in {Kind.RELATION, Kind.MEMBER})
