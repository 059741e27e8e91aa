"""The query string of a list: limits, sorting, choosing, and simple filters."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Literal

from django.http import QueryDict
from django.utils.translation import gettext as _

from api.errors import ApiError
from crm.records.access.visibility import readable_fields, require_field
from crm.records.query.language import known_fields
from crm.records.query.operators import OPERATORS
from crm.records.read.reading import Query
from crm.records.schema.record_type import RecordType
from crm.records.write.settling import CHANGED
from tenants.actors import Actor

MAX_LIMIT = 500
LIST_PARAMETERS = frozenset({"limit", "cursor", "sort", "fields", "expand", "include", "deleted", "search", "view"})
NAMED_ONCE = frozenset({"quick", "member"})
SYSTEM_FIELDS = ("id", "created_at", "updated_at", "deleted_at")
FILTER = re.compile(r"^(?P<field>[a-z_]+(?:\.[a-z_]+)?)(?:\[(?P<op>[a-z_]+)\])?$")
LIST_VALUES = {"in", "not_in", "between", "has_any", "has_all"}
DELETED: dict[str, Literal["exclude", "include", "only"]] = {
    "exclude": "exclude",
    "include": "include",
    "only": "only",
}
WITHOUT_VALUE = frozenset(
    one.slug for known in OPERATORS.values() for one in known.values() if one.value_shape == "none"
)
TRUTHS = {"true": True, "false": False}


def unknown_parameter(name: str, known: Iterable[str]) -> ApiError:
    """400 that names the parameter and the nearest valid one."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        message = _("Unknown parameter %(name)s. Did you mean %(near)s?") % {"name": name[:80], "near": near[0]}
    else:
        message = _("Unknown parameter %(name)s. Known ones: %(known)s.") % {
            "name": name[:80],
            "known": ", ".join(known) or "-",
        }
    return ApiError(400, "unknown_parameter", message, param=name[:80])


def refuse_unknown(params: QueryDict, known: Iterable[str]) -> None:
    """Raise for the first parameter that this route does not take."""
    known = set(known)
    if "*" in known:
        return
    for name in params:
        if name not in known:
            raise unknown_parameter(name, known)


def refuse_repeated(params: QueryDict) -> None:
    """Raise for what is no condition and is given twice: one of the two would be dropped."""
    for name, values in params.lists():
        if len(values) > 1 and (name in LIST_PARAMETERS or name in NAMED_ONCE):
            message = _("%(param)s can be given once.") % {"param": name}
            raise ApiError(400, "invalid_parameter", message, param=name)


def names(raw: str | None) -> tuple[str, ...]:
    """``a,b`` → ("a", "b")."""
    return tuple(part.strip() for part in (raw or "").split(",") if part.strip())


def whole_number(raw: Any, *, param: str, lowest: int, highest: int, default: int) -> int:
    """A number from the request. Raises ApiError 400 outside of the bounds (both inclusive)."""
    if raw in (None, ""):
        return default
    number = int(raw) if isinstance(raw, int) or (isinstance(raw, str) and raw.isdecimal() and len(raw) < 19) else None
    if number is None or isinstance(raw, bool) or not lowest <= number <= highest:
        message = _("%(param)s must be a whole number from %(lowest)s to %(highest)s.")
        raise ApiError(
            400,
            "invalid_parameter",
            message % {"param": param, "lowest": lowest, "highest": highest},
            param=param,
        )
    return number


def chosen_fields(actor: Actor, record_type: RecordType, raw: str | None) -> tuple[str, ...] | None:
    """The value of ``fields=``. Raises ApiError 400 for a field the type does not have."""
    if raw is None:
        return None
    known = {field.slug for field in readable_fields(actor, record_type)} | {*SYSTEM_FIELDS, "version", "is_sample"}
    chosen = names(raw)
    for name in chosen:
        require_field(actor, record_type, name)
        if name not in known:
            raise _unknown_field(name, known, "fields")
    return chosen


def _unknown_field(name: str, known: Iterable[str], param: str) -> ApiError:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.5)
    message = _("There is no field %(name)s.") % {"name": name[:80]}
    if near:
        message += " " + _("Did you mean %(near)s?") % {"near": near[0]}
    return ApiError(400, "unknown_field", message, param=param)


def list_query(actor: Actor, record_type: RecordType, params: QueryDict) -> Query:
    """Read a list's query string. Raises ApiError 400 (and BadQuery in the query language) for what is not valid."""
    conditions: list[dict[str, Any]] = []
    for name, values in params.lists():
        if name in LIST_PARAMETERS:
            continue
        conditions += [_condition(actor, record_type, name, value) for value in values]
    return query_from(
        actor,
        record_type,
        {name: params.get(name) for name in LIST_PARAMETERS if name in params},
        {"all": conditions} if conditions else None,
    )


def query_from(actor: Actor, record_type: RecordType, given: Mapping[str, Any], tree: dict[str, Any] | None) -> Query:
    """Build a Query from the list parameters (strings, or lists of strings in a JSON body) and a filter tree."""
    text = {name: _joined(name, value) for name, value in given.items() if name != "limit"}
    include = names(text.get("include"))
    for name in include:
        if name != "count":
            raise ApiError(400, "invalid_parameter", _("include takes only: count."), param="include")
    deleted = DELETED.get(text.get("deleted") or "exclude")
    if deleted is None:
        raise ApiError(400, "invalid_parameter", _("deleted must be exclude, include or only."), param="deleted")
    return Query(
        filter=tree,
        sort=names(text.get("sort")),
        search=text.get("search") or "",
        limit=whole_number(given.get("limit"), param="limit", lowest=1, highest=MAX_LIMIT, default=50),
        cursor=text.get("cursor") or None,
        fields=chosen_fields(actor, record_type, text.get("fields")),
        expand=names(text.get("expand")),
        deleted=deleted,
        count="count" in include,
    )


def settled(wanted: Query) -> Query:
    """The query, held back behind the writers still at work where it goes by when records changed: whoever keeps a
    copy then asks for what changed since the last row it got, and has missed none."""
    waiting: list[Any] = [wanted.filter, *({"field": slug.removeprefix("-")} for slug in wanted.sort)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, Mapping):
            if node.get("field") == CHANGED:
                return replace(wanted, settled=True)
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return wanted


def _joined(name: str, value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ",".join(value)
    if value is None or isinstance(value, str):
        return value
    raise ApiError(400, "invalid_parameter", _("%(param)s must be text.") % {"param": name}, param=name)


def _condition(actor: Actor, record_type: RecordType, name: str, value: str) -> dict[str, Any]:
    match = FILTER.match(name)
    known = set(known_fields(actor, record_type))
    if match is not None:
        require_field(actor, record_type, match["field"].split(".")[0])
    if match is None or (match["field"].split(".")[0] not in known):
        raise unknown_parameter(name, known | LIST_PARAMETERS)
    operator = match["op"] or "eq"
    given: Any = value
    if operator in WITHOUT_VALUE:
        if value not in TRUTHS:
            raise ApiError(400, "invalid_parameter", _("%(param)s takes true or false.") % {"param": name}, param=name)
        condition = {"field": match["field"], "op": operator}
        return condition if TRUTHS[value] else {"not": condition}
    if operator in LIST_VALUES:
        given = list(names(value))
    return {"field": match["field"], "op": operator, "value": given}
