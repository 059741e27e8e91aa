"""Filters as people see them: a chip a condition, and a form of rows that becomes the query language's tree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
from django.http import QueryDict
from django.utils.translation import gettext as _

from crm.records.access.targets import target_type
from crm.records.access.visibility import may_read, readable_fields
from crm.records.display import presenting
from crm.records.display.controls import NUMBERS, Option, member_options, read_number, relation_options
from crm.records.errors import BadQuery, RecordError
from crm.records.fields.parsing import BadValue, number
from crm.records.lists.listing import Listing
from crm.records.lists.saved_views import listed_fields
from crm.records.query.language import validate
from crm.records.query.operators import OPERATORS, Operator
from crm.records.read import reading
from crm.records.schema.field import ID_FIELD, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.people.selectors import members
from crm.workspace.text.formats import date_text, number_text, separators, typed_text
from tenants.actors import Actor
from tenants.strict_json import NotJson, read_json

MAX_ROWS = 20
VALUE_INPUTS = {Kind.DATE: "date", Kind.DATETIME: "date"}


def is_condition(node: object) -> bool:
    return isinstance(node, Mapping) and "field" in node


def flat(tree: Mapping[str, Any] | None) -> tuple[str, list[Any]]:
    """The tree as the form knows it: ``all`` or ``any`` of these nodes. ``any`` of none finds nothing: a node."""
    if not tree:
        return "all", []
    for match in ("all", "any"):
        if match in tree and (tree[match] or match == "all"):
            return match, list(tree[match])
    return "all", [dict(tree)]


def joined(match: str, nodes: Sequence[Any]) -> dict[str, Any]:
    if not nodes:
        return {}
    return dict(nodes[0]) if len(nodes) == 1 else {match: list(nodes)}


# --- chips -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chip:
    field: str
    operator: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class Chips:
    match: str
    chips: list[Chip]
    other_match_url: str


def chips(listing: Listing) -> Chips:
    """What the list is narrowed by, each part with the address of the list without it."""
    match, nodes = flat(listing.tree)
    titles = titles_of(listing.actor, listing.record_type, nodes)
    made = []
    for place, node in enumerate(nodes):
        rest = joined(match, [*nodes[:place], *nodes[place + 1 :]])
        label, operator, value = describe(listing.record_type, node, titles)
        made.append(Chip(label, operator, value, listing.url(filter=rest or None)))
    other = "any" if match == "all" else "all"
    return Chips(match, made, listing.url(filter={other: nodes}) if len(nodes) > 1 else "")


def describe(record_type: RecordType, node: Any, titles: Mapping[str, str]) -> tuple[str, str, str]:
    """A node in words: field, operator and value of a condition; a whole group goes into the value."""
    if is_condition(node):
        field = path_field(record_type, node["field"])
        operator = OPERATORS[field.kind].get(node["op"])
        label = path_label(record_type, node["field"])
        return label, str(operator.label) if operator else node["op"], value_text(field, node.get("value"), titles)
    if "not" in node:
        return _("not"), "", " ".join(part for part in describe(record_type, node["not"], titles) if part)
    match, nodes = next(iter(node.items()))
    if not nodes:
        return "", "", _("every record") if match == "all" else _("no record at all")
    word = f" {_('and') if match == 'all' else _('or')} "
    return "", "", word.join(" ".join(part for part in describe(record_type, one, titles) if part) for one in nodes)


def path_field(record_type: RecordType, path: str) -> Field:
    """The field that ``amount`` or, over one relation, ``company.industry`` names."""
    first, __, second = path.partition(".")
    if first == "id":
        return ID_FIELD
    field = record_type.field(first)
    return target_type(field.target).field(second) if second else field


def path_label(record_type: RecordType, path: str) -> str:
    first, __, second = path.partition(".")
    label = str(path_field(record_type, first).label)
    return f"{label} › {path_field(record_type, path).label}" if second else label


def value_text(field: Field, value: Any, titles: Mapping[str, str]) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        shown = [value_text(field, item, titles) or "…" for item in value]
        return ", ".join(shown)
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if field.kind is Kind.CHOICE:
        return presenting.choice_label(field, value)[0]
    if field.kind is Kind.MEMBER and value == "me":
        return _("me")
    if field is ID_FIELD:
        return str(value)[:8]
    if field.kind in {Kind.RELATION, Kind.MEMBER, Kind.LINKS}:
        return titles.get(str(value), _("not found"))
    if field.kind in {Kind.DATE, Kind.DATETIME}:
        try:
            return date_text(date.fromisoformat(str(value)[:10]))
        except ValueError:
            return str(value)
    if isinstance(value, Mapping):
        return str(value.get("title") or value.get("type") or "")
    if field.kind in NUMBERS and (found := _decimal(value)) is not None:
        return number_text(found)
    return str(value)


def _decimal(value: Any) -> Decimal | None:
    try:
        return number(value)
    except BadValue:
        return None


def titles_of(actor: Actor, record_type: RecordType, nodes: Sequence[Any]) -> dict[str, str]:
    """Names of the records and members that the conditions mention, read in one query a noun."""
    wanted: dict[str, set[str]] = {}

    def gather(node: Any) -> None:
        if not is_condition(node):
            match, inner = next(iter(node.items()))
            for one in [inner] if match == "not" else inner:
                gather(one)
            return
        field = path_field(record_type, node["field"])
        if field.target and field is not ID_FIELD:
            value = node.get("value")
            wanted.setdefault(field.target, set()).update(
                str(one) for one in (value if isinstance(value, list) else [value]) if one and one != "me"
            )

    for node in nodes:
        gather(node)
    found: dict[str, str] = {}
    for target, ids in wanted.items():
        if not ids:
            continue
        if target == "member":
            found |= {str(key): name for key, name in members().filter(id__in=ids).values_list("id", "name")}
        else:
            other = registry.get(target)
            rows = reading.visible(actor, other).filter(id__in=ids).values_list("id", other.title)
            found |= {str(key): title for key, title in rows}
    return found


# --- the form --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Row:
    """One condition in the form. ``shape`` says how its value is asked for: none, one, many, range or days."""

    place: int
    path: str
    operator: str
    operators: list[Option]
    shape: str
    input: str
    values: list[str]
    options: list[Option]
    error: str = ""
    kept: str = ""
    kept_text: str = ""


def filterable(actor: Actor, record_type: RecordType) -> list[tuple[str, str]]:
    """Paths and labels to choose from: the type's own fields, then those of what it relates to."""
    own = [(one.slug, str(one.label)) for one in listed_fields(actor, record_type) if one.filterable]
    return own + [
        (f"{relation.slug}.{one.slug}", f"{relation.label} › {one.label}")
        for relation in record_type.relations
        if may_read(actor, record_type, relation.slug)
        for one in readable_fields(actor, registry.get(relation.target))
        if one.filterable
        and one.kind not in {Kind.LINKS, Kind.REFERENCE, Kind.REFERENCES, Kind.JSON_LIST}
        and registry.get(relation.target).in_sidebar
    ]


def rows_of(actor: Actor, record_type: RecordType, tree: Mapping[str, Any] | None) -> tuple[str, list[Row]]:
    """The form's rows for a tree. Nested groups are kept as they are, one row each."""
    match, nodes = flat(tree)
    titles = titles_of(actor, record_type, nodes)
    made = []
    for place, node in enumerate(nodes):
        if is_condition(node) and path_field(record_type, node["field"]) is not ID_FIELD:
            value = node.get("value")
            values = [
                _raw(path_field(record_type, node["field"]), one)
                for one in (value if isinstance(value, list) else [value])
            ]
            made.append(row(actor, record_type, place, node["field"], node["op"], values))
        else:
            made.append(_kept(record_type, place, node, titles))
    return match, made


def rows_sent(actor: Actor, record_type: RecordType, data: QueryDict) -> tuple[str, list[Row]]:
    """The form's rows as they were sent, with a changed field's operator and a changed operator's value made anew."""
    match = "any" if data.get("match") == "any" else "all"
    made: list[Row] = []
    for place in [place for place in data.getlist("row") if place.isdigit()][:MAX_ROWS]:
        if data.get("drop") == place:
            continue
        name = f"c{place}"
        if kept := data.get(f"{name}.kept"):
            try:
                node = reading_tree(kept)
                made.append(_kept(record_type, len(made), validate(actor, record_type, node), {}))
            except RecordError:
                continue
        elif path := data.get(f"{name}.field"):
            operator = data.get(f"{name}.op", "") if data.get(f"{name}.was") == path else ""
            made.append(row(actor, record_type, len(made), path, operator, data.getlist(f"{name}.value")))
    return match, [one for one in made if one.operators or one.kept]


def row(actor: Actor, record_type: RecordType, place: int, path: str, operator: str, values: Sequence[str]) -> Row:
    try:
        validate(actor, record_type, {"field": path, "op": "is_empty"})
    except BadQuery as problem:
        field = path_field(record_type, path) if problem.reason == "unknown_operator" else ID_FIELD
    else:
        field = path_field(record_type, path)
    if field is ID_FIELD:
        return Row(place, path, "", [], "none", "text", [], [])
    known: Mapping[str, Operator] = OPERATORS[field.kind]
    if operator not in known:
        operator, values = next(iter(known)), []
    shape = known[operator].value_shape
    values = list(values)
    options: list[Option] = []
    input_type = VALUE_INPUTS.get(field.kind, "text")
    if shape in {"one", "many"}:
        options = value_options(actor, field, operator, values)
        if field.kind is Kind.CHOICE and shape == "one":
            values = values[:1]
    elif shape == "days":
        input_type = "number"
    wanted = {"none": 0, "one": 1, "days": 1, "range": 2}.get(shape, len(values))
    values = [*values[:wanted], *([""] * (wanted - len(values)))]
    return Row(
        place=place,
        path=path,
        operator=operator,
        operators=[
            Option(name, str(one.label), name == operator)
            for name, one in known.items()
            if one.listed or name == operator
        ],
        shape=shape,
        input=input_type,
        values=values,
        options=options,
    )


def value_options(actor: Actor, field: Field, operator: str, values: Sequence[str]) -> list[Option]:
    chosen = set(values)
    first = values[0] if values else ""
    match field.kind:
        case Kind.CHOICE:
            return [Option(one.value, str(one.label), one.value in chosen) for one in field.choices]
        case Kind.BOOLEAN:
            return [
                Option("true", _("Yes"), "true" in chosen or "True" in chosen),
                Option("false", _("No"), "false" in chosen or "False" in chosen),
            ]
        case Kind.MEMBER:
            return [
                Option("me", _("Me"), "me" in chosen),
                *(Option(one.value, one.label, one.value in chosen) for one in member_options(first)),
            ]
        case Kind.RELATION | Kind.LINKS:
            found = relation_options(actor, field, first, None)
            return [Option(one.value, one.label, one.value in chosen) for one in found]
    return []


def tree_of(actor: Actor, record_type: RecordType, match: str, rows: Sequence[Row]) -> dict[str, Any]:
    """The tree that the rows mean. A row that cannot be understood gets its error; BadQuery is then raised."""
    nodes: list[Any] = []
    wrong: BadQuery | None = None
    for one in rows:
        if one.kept:
            nodes.append(reading_tree(one.kept))
            continue
        field = path_field(record_type, one.path)
        node: dict[str, Any] = {"field": one.path, "op": one.operator}
        values = [_typed(field, value) for value in one.values]
        if one.shape == "many":
            node["value"] = [value for value in values if value not in {None, ""}]
            if field.kind not in {Kind.CHOICE, Kind.MEMBER, Kind.RELATION, Kind.LINKS} and one.values:
                node["value"] = [_typed(field, part) for value in one.values for part in _parts(field, value)]
        elif one.shape == "range":
            node["value"] = [value or None for value in values]
        elif one.shape == "days":
            node["value"] = (
                int(one.values[0]) if one.values[0].isdecimal() and len(one.values[0]) < 6 else one.values[0]
            )
        elif one.shape == "one":
            node["value"] = values[0] if values else ""
        try:
            if one.shape != "none" and node["value"] in ("", [], [None, None]):
                raise BadQuery(_("Choose a value."), param="filter")
            validate(actor, record_type, node)
            nodes.append(node)
        except BadQuery as error:
            one.error = str(error.message)
            wrong = wrong or error
    if wrong:
        raise wrong
    tree = joined(match, nodes)
    return dict(validate(actor, record_type, tree)) if tree else {}


def reading_tree(text: str) -> dict[str, Any]:
    try:
        found = read_json(text)
    except NotJson:
        raise BadQuery(param="filter") from None
    if not isinstance(found, dict):
        raise BadQuery(param="filter")
    return found


def _kept(record_type: RecordType, place: int, node: Any, titles: Mapping[str, str]) -> Row:
    text = " ".join(part for part in describe(record_type, node, titles) if part)
    return Row(place, "", "", [], "none", "text", [], [], kept=orjson.dumps(node).decode(), kept_text=text)


def _typed(field: Field, value: str) -> Any:
    if field.kind is Kind.BOOLEAN and value in {"true", "false"}:
        return value == "true"
    return read_number(field, value.strip()) if field.kind in NUMBERS else value.strip()


def _parts(field: Field, text: str) -> list[str]:
    """Values with commas between; numbers may stand in a row with semicolons too, as a comma can be part of one."""
    between = ";" if field.kind in NUMBERS and (";" in text or separators().decimal == ",") else ","
    return [part.strip() for part in text.split(between) if part.strip()]


def _raw(field: Field, value: Any) -> str:
    if value is None:
        return ""
    if field.kind in NUMBERS and isinstance(value, int | float | str) and (found := _decimal(value)) is not None:
        return typed_text(found)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
