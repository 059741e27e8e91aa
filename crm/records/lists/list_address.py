"""What the address of a list or a board says, read and written."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

import orjson
from django.urls import reverse
from django.utils.translation import gettext as _

from crm.records.access.visibility import hidden_slugs
from crm.records.errors import BadQuery
from crm.records.lists.saved_views import (
    DONE,
    MAX_CARD_FIELDS,
    MAX_COLUMNS,
    MINE,
    footers_for,
    groupable,
    listed_fields,
)
from crm.records.query.language import validate
from crm.records.query.paging import sortable_fields
from crm.records.schema.field import Field
from crm.records.schema.record_type import RecordType, nearest
from tenants.actors import Actor
from tenants.strict_json import NotJson, read_json

LONGEST_SEARCH = 200
LIST, BOARD = "list", "board"
PIPELINE = "pipeline"


def names_field(tree: Any, slug: str) -> bool:
    """Whether a filter says anything about a field of the listed records themselves."""
    if not isinstance(tree, Mapping):
        return False
    if tree.get("field") == slug:
        return True
    below = [*(tree.get("all") or ()), *(tree.get("any") or ()), tree.get("not")]
    return any(names_field(one, slug) for one in below)


def with_condition(tree: Mapping[str, Any] | None, condition: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """A filter with one condition more."""
    if not tree or not condition:
        return tree or condition
    return {"all": [*tree["all"], condition]} if "all" in tree else {"all": [tree, condition]}


def differing(now: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, str]:
    """The parameters that are not as the view keeps them; a blank one takes back what it says."""
    found: dict[str, str] = {}
    for name, value in now.items():
        same = name in kept and (value or None) == (kept[name] or None)
        if same or (not value and not kept.get(name)):
            continue
        if name == "filter":
            found[name] = value if isinstance(value, str) else orjson.dumps(value or {}).decode()
        else:
            found[name] = str(value or "")
    return found


def view_address(record_type: RecordType, key: str, layout: str) -> str:
    path = reverse(f"records:{layout if record_type.board_field else LIST}", args=[record_type.plural])
    return f"{path}?{urlencode({'view': key})}" if key else path


def of_pipeline(pipeline: str) -> Mapping[str, Any] | None:
    return {"field": PIPELINE, "op": "eq", "value": pipeline} if pipeline else None


def without_pipeline(tree: Mapping[str, Any] | None) -> tuple[str, Mapping[str, Any] | None]:
    """The pipeline that a filter is about, if it names one that must hold, and the rest of the filter."""
    if not tree:
        return "", None
    parts = tree.get("all", [tree])
    for place, one in enumerate(parts):
        if one.get("field") == PIPELINE and one.get("op") == "eq":
            rest = [*parts[:place], *parts[place + 1 :]]
            return str(one["value"]), None if not rest else rest[0] if len(rest) == 1 else {"all": rest}
    return "", tree


def clean_search(text: str) -> str:
    return text.replace("\x00", "").strip()[:LONGEST_SEARCH]


def read_filter(actor: Actor, record_type: RecordType, text: str) -> dict[str, Any] | None:
    """The tree of a ``filter=`` parameter. Raises BadQuery when it is not JSON or not a filter of this type."""
    if not text:
        return None
    try:
        tree = read_json(text)
    except NotJson:
        raise BadQuery(_("The filter in this address is broken, so it was left out."), param="filter") from None
    if not isinstance(tree, dict):
        raise BadQuery(_("The filter in this address is broken, so it was left out."), param="filter")
    if not tree:
        return None
    return dict(validate(actor, record_type, tree))


def read_sort(actor: Actor, record_type: RecordType, text: str) -> tuple[str, ...]:
    known = sortable_fields(record_type, hidden_slugs(actor, record_type))
    found = tuple(part for part in text.split(",") if part)[:3]
    for part in found:
        slug = part.removeprefix("-")
        if slug not in known:
            raise BadQuery(
                _("This list cannot be sorted by “%(name)s”.") % {"name": slug[:60]},
                param="sort",
                nearest=nearest(slug, known),
            )
    return found


def read_grouping(actor: Actor, record_type: RecordType, slug: str) -> str:
    return slug if slug in {one.slug for one in groupable(actor, record_type)} else ""


def read_footers(actor: Actor, record_type: RecordType, text: str) -> dict[str, str]:
    """``amount:sum,name:count``; what cannot be summed up like that is left out."""
    known = {one.slug: one for one in listed_fields(actor, record_type)}
    pairs = (part.partition(":") for part in text.split(","))
    return {slug: how for slug, _colon, how in pairs if slug in known and how in footers_for(known[slug])}


def read_quick(record_type: RecordType, names: Iterable[str]) -> tuple[str, ...]:
    wanted = set(names)
    return tuple(name for name in record_type.quick_filters if name in wanted)


def read_cards(actor: Actor, record_type: RecordType, slugs: Iterable[str]) -> tuple[str, ...]:
    known = {one.slug for one in listed_fields(actor, record_type)}
    return tuple(slug for slug in dict.fromkeys(slugs) if slug in known)[:MAX_CARD_FIELDS]


def footers_text(footers: Mapping[str, str]) -> str:
    return ",".join(f"{slug}:{how}" for slug, how in footers.items())


def old_key(data: Mapping[str, Any]) -> str:
    """The view that an address of an earlier release means."""
    return MINE if data.get("mine") == "1" else DONE if data.get("done") == "1" else ""


def chosen_columns(actor: Actor, record_type: RecordType, slugs: Iterable[str]) -> tuple[Field, ...]:
    """The fields named, the title always first; the type's own choice when none is usable."""
    return pick_columns(actor, record_type, slugs) or pick_columns(
        actor, record_type, (record_type.title, *record_type.default_columns)
    )


def pick_columns(actor: Actor, record_type: RecordType, slugs: Iterable[str]) -> tuple[Field, ...]:
    allowed = {one.slug: one for one in listed_fields(actor, record_type)}
    chosen = [slug for slug in dict.fromkeys(slugs) if slug in allowed][:MAX_COLUMNS]
    return tuple(allowed[slug] for slug in with_title(record_type, chosen)) if chosen else ()


def with_title(record_type: RecordType, slugs: Iterable[str]) -> list[str]:
    return [record_type.title, *(slug for slug in slugs if slug != record_type.title)]
