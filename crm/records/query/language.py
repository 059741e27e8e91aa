"""The query language: a JSON tree of conditions, read and compiled to SQL here and nowhere else.

A tree is ``{"all": [tree, …]}``, ``{"any": [tree, …]}``, ``{"not": tree}`` or a condition
``{"field": "amount", "op": "gte", "value": "100"}``. A field may take one hop over a relation: ``company.industry``.

Every condition is either true or false, for a row without a value as well: nothing is equal to, in, before or greater
than an empty value, and so ``ne``, ``not_in`` and ``not_contains`` hold for it. ``not`` is the exact complement. A
condition over a relation holds when there is a related row that the actor may see, outside the trash, for which it
holds. Texts are compared folded: without case and accents. Days begin at midnight in the actor's time zone, weeks on
Monday. What an operator means stands in ``operators``, what a value may be in ``operands``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext as _

from crm.records.access.targets import MEMBER_TYPE, as_uuid, target_rows, target_type
from crm.records.access.visibility import readable_fields, require_field, require_scope
from crm.records.errors import BadQuery
from crm.records.query.expressions import false, join_any, negated
from crm.records.query.operands import Context, Place, shown
from crm.records.query.operators import OPERATORS, Operator, default_operator, linked, operand_of
from crm.records.schema.field import ID_FIELD, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType, nearest
from tenants.actors import Actor

type Tree = Mapping[str, Any]

MAX_DEPTH = 5
MAX_CONDITIONS = 50
MAX_GROUPS = 100
MAX_COST = 300
COSTS: Mapping[Kind, float] = {
    **dict.fromkeys((Kind.TEXT, Kind.URL, Kind.CURRENCY), 18),
    **dict.fromkeys((Kind.LONG_TEXT, Kind.ADDRESS), 36),
    **dict.fromkeys((Kind.EMAILS, Kind.PHONES), 110),
    **dict.fromkeys((Kind.LINKS, Kind.REFERENCES, Kind.JSON_LIST), 32),
}
LINKED = 40
VALUES_A_MILLISECOND = 25


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a tree: ``hop`` is the relation it goes over, if any."""

    hop: Field | None
    place: Place
    operator: Operator
    operand: Any


@dataclass(frozen=True, slots=True)
class Group:
    """``all`` or ``any`` of its parts, or ``not`` its one part."""

    joint: Literal["all", "any", "not"]
    parts: tuple["Group | Condition", ...]


def known_fields(actor: Actor, record_type: RecordType) -> list[str]:
    system = () if record_type is MEMBER_TYPE else ("created_at", "updated_at", "created_by", "deleted_at", "is_sample")
    return [*(one.slug for one in readable_fields(actor, record_type) if one.filterable), *system, "id"]


def field_named(actor: Actor, record_type: RecordType, slug: str, param: str) -> Field:
    """The field to filter by. Raises BadQuery for one that is not there, MissingScope for links to what a key may not
    read."""
    require_field(actor, record_type, slug)
    known = known_fields(actor, record_type)
    if slug not in known:
        raise BadQuery(
            _("There is no field “%(field)s” to filter %(noun)s by.")
            % {"field": shown(slug), "noun": str(record_type.label_plural)},
            param=shown(param),
            nearest=nearest(slug, known),
            code="unknown_field",
        )
    return ID_FIELD if slug == "id" else record_type.field(slug)


def operator_named(field: Field, slug: str, param: str) -> Operator:
    known = OPERATORS[field.kind]
    found = known.get(slug)
    if found is None:
        raise BadQuery(
            _("The field “%(field)s” has no operator “%(operator)s”; it has: %(known)s.")
            % {"field": param, "operator": shown(slug), "known": ", ".join(known)},
            param=f"{param}[{shown(slug)}]",
            nearest=nearest(slug, known),
            code="unknown_operator",
        )
    return found


class Reader:
    """Reads a tree for one actor, counting as it goes."""

    def __init__(self, record_type: RecordType, context: Context) -> None:
        self.record_type = record_type
        self.context = context
        self.count = self.groups = 0

    def read(self, tree: Any, depth: int = 1) -> Group | Condition:
        if not isinstance(tree, Mapping):
            raise BadQuery(_("A condition is an object with all, any, not or field."), param="filter", code="bad_tree")
        if depth > MAX_DEPTH:
            raise BadQuery(
                _("Conditions may be nested %(most)d deep.") % {"most": MAX_DEPTH}, param="filter", code="too_deep"
            )
        if "field" in tree:
            return self.condition(tree)
        if len(tree) != 1 or next(iter(tree)) not in ("all", "any", "not"):
            unknown = next((str(key) for key in tree if key not in ("all", "any", "not")), "")
            raise BadQuery(
                _("A condition has one of all, any, not or field; here is “%(found)s”.")
                % {"found": shown(unknown or ", ".join(tree))},
                param=shown(unknown) or "filter",
                nearest=nearest(unknown, ("all", "any", "not", "field")),
                code="bad_tree",
            )
        self.groups += 1
        if self.groups > MAX_GROUPS:
            raise self.too_many()
        joint, inner = next(iter(tree.items()))
        if joint == "not":
            return Group("not", (self.read(inner, depth + 1),))
        if not isinstance(inner, Sequence) or isinstance(inner, str):
            raise BadQuery(
                _("“%(joint)s” takes a list of conditions.") % {"joint": joint}, param=joint, code="bad_tree"
            )
        return Group(joint, tuple(self.read(part, depth + 1) for part in inner))

    def too_many(self) -> BadQuery:
        return BadQuery(
            _("A query may have %(most)d conditions.") % {"most": MAX_CONDITIONS}, param="filter", code="too_many"
        )

    def condition(self, tree: Tree) -> Condition:
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise self.too_many()
        for key in tree:
            if key not in ("field", "op", "value"):
                raise BadQuery(
                    _("A condition has field, op and value, no “%(key)s”.") % {"key": shown(key)},
                    param=shown(key),
                    nearest=nearest(str(key), ("field", "op", "value")),
                    code="bad_tree",
                )
        path = tree["field"]
        if not isinstance(path, str):
            raise BadQuery(_("The name of a field is a text."), param="field", code="bad_tree")
        first, dot, rest = path.partition(".")
        record_type, hop = self.record_type, None
        actor = self.context.actor
        field = field_named(actor, record_type, first, path)
        if dot:
            if field.kind not in {Kind.RELATION, Kind.MEMBER, Kind.LINKS} or field is ID_FIELD:
                raise BadQuery(
                    _("“%(field)s” is no relation.") % {"field": first}, param=shown(path), code="unknown_field"
                )
            require_scope(actor, field.target)
            hop, record_type = field, target_type(field.target)
            field = field_named(actor, record_type, rest, path)
        operator = operator_named(field, str(tree.get("op", default_operator(field))), path)
        place = Place(record_type, field, self.context)
        return Condition(hop, place, operator, operand_of(place, operator, tree.get("value")))


def parse(
    actor: Actor, record_type: RecordType, tree: Tree | None, *, now: datetime | None = None
) -> Group | Condition:
    """A tree read and checked. Raises BadQuery, and MissingScope where it touches what a key may not read."""
    context = Context(actor, now or datetime.now(UTC))
    return Group("all", ()) if tree is None or tree == {} else Reader(record_type, context).read(tree)


def validate(actor: Actor, record_type: RecordType, tree: Tree | None) -> Tree:
    """The tree with all that it leaves unsaid, when it can be asked; else raises BadQuery naming what is wrong."""
    parse(actor, record_type, tree)
    return spelled_out(actor, record_type, tree) if tree else {}


def spelled_out(actor: Actor, record_type: RecordType, tree: Tree) -> dict[str, Any]:
    """A tree that was read, with every operator named and every list of values a list."""
    if "field" not in tree:
        joint, inner = next(iter(tree.items()))
        if joint == "not":
            return {joint: spelled_out(actor, record_type, inner)}
        return {joint: [spelled_out(actor, record_type, part) for part in inner]}
    first, dot, rest = tree["field"].partition(".")
    field = field_named(actor, record_type, first, first)
    if dot:
        field = field_named(actor, target_type(field.target), rest, rest)
    operator = OPERATORS[field.kind][str(tree.get("op", default_operator(field)))]
    condition = {"field": tree["field"], "op": operator.slug}
    if operator.value_shape == "none":
        return condition
    value = tree.get("value")
    if operator.value_shape in {"many", "range"} and isinstance(value, str):
        value = value.split(",")
    return {**condition, "value": value}


def compile(actor: Actor, record_type: RecordType, tree: Tree | None, *, now: datetime | None = None) -> Q:
    """The tree as a condition on rows of the type. Raises BadQuery, also for one that takes too long to answer."""
    node = parse(actor, record_type, tree, now=now)
    check_cost(node)
    return to_sql(actor, record_type, node)


def check_cost(node: Group | Condition) -> None:
    """Refuse what a large workspace would not answer in time, whatever the size of this one. Raises BadQuery."""
    if cost(node) > MAX_COST:
        message = _("This looks at too much at once. Use fewer conditions on texts, addresses, numbers and links.")
        raise BadQuery(message, param="filter", code="too_costly")


def cost(node: Group | Condition) -> float:
    """About how many milliseconds 100,000 rows take, as ``bench/costly.py`` measures it."""
    if isinstance(node, Group):
        return sum(map(cost, node.parts))
    kind, operator = node.place.field.kind, node.operator
    found = COSTS.get(kind, 1)
    if kind in {Kind.EMAILS, Kind.PHONES} and (operator.operand is None or operator.value_shape == "none"):
        found = 1  # by index
    if isinstance(node.operand, list):
        found += len(node.operand) / VALUES_A_MILLISECOND
    return found + (LINKED if node.hop is not None and node.hop.kind is Kind.LINKS else 0)


def to_sql(actor: Actor, record_type: RecordType, node: Group | Condition) -> Q:
    if isinstance(node, Condition):
        return condition_sql(actor, record_type, node)
    parts = [to_sql(actor, record_type, part) for part in node.parts]
    if node.joint == "not":
        return negated(parts[0]) if parts[0] else false()
    if node.joint == "any":
        return Q() if any(not part for part in parts) else join_any(parts)
    joined = Q()
    for part in parts:
        joined &= part
    return joined


def condition_sql(actor: Actor, record_type: RecordType, condition: Condition) -> Q:
    own = condition.operator.sql(condition.place, condition.operand)
    if condition.hop is None:
        return own
    rows = target_rows(actor, condition.place.record_type).filter(own)
    if condition.hop.kind is Kind.LINKS:
        return linked(Place(record_type, condition.hop, condition.place.context), rows)
    return Q(**{f"{condition.hop.column}__in": rows.values("pk")})


def conditions_of(node: Group | Condition) -> Iterator[Condition]:
    """Every condition of a tree that was read."""
    if isinstance(node, Condition):
        yield node
        return
    for part in node.parts:
        yield from conditions_of(part)


type Related = Callable[[Field, UUID], Mapping[str, Any] | None]


def native(field: Field, value: Any) -> Any:
    """A snapshot's value, JSON or native, as the operators compare it."""
    if value is None:
        return None
    match field.kind:
        case Kind.RELATION | Kind.MEMBER:
            return as_uuid(value["id"] if isinstance(value, Mapping) else value)
        case Kind.DECIMAL | Kind.MONEY | Kind.PERCENT:
            return Decimal(str(value))
        case Kind.DATE:
            return date.fromisoformat(value) if isinstance(value, str) else value
        case Kind.DATETIME:
            found = datetime.fromisoformat(value) if isinstance(value, str) else value
            return found.astimezone(UTC)
    return value


def matches(
    actor: Actor,
    record_type: RecordType,
    tree: Tree | None,
    snapshot: Mapping[str, Any],
    *,
    related: Related | None = None,
    now: datetime | None = None,
) -> bool:
    """Whether a snapshot of a record (field slug → value) satisfies the tree, judged as ``compile`` would.

    ``related(field, id)`` gives the snapshot of a related row the actor may see, or None; without it a condition over
    a relation is looked up in an expanded value (a mapping) of the snapshot itself. Raises BadQuery.
    """
    return judge(parse(actor, record_type, tree, now=now), snapshot, related)


def judge(node: Group | Condition, snapshot: Mapping[str, Any], related: Related | None) -> bool:
    if isinstance(node, Condition):
        return condition_holds(node, snapshot, related)
    held = (judge(part, snapshot, related) for part in node.parts)
    return all(held) if node.joint == "all" else any(held) if node.joint == "any" else not next(held)


def condition_holds(condition: Condition, snapshot: Mapping[str, Any], related: Related | None) -> bool:
    place, operator = condition.place, condition.operator
    rows = [snapshot] if condition.hop is None else related_rows(condition.hop, snapshot, related)
    return any(operator.holds(place, native(place.field, row.get(place.field.slug)), condition.operand) for row in rows)


def related_rows(hop: Field, snapshot: Mapping[str, Any], related: Related | None) -> list[Mapping[str, Any]]:
    value = snapshot.get(hop.slug)
    given = list(value or ()) if hop.kind is Kind.LINKS else [value] if value else []
    if related is None:
        return [one for one in given if isinstance(one, Mapping)]
    ids = [as_uuid(one["id"] if isinstance(one, Mapping) else one) for one in given]
    return [row for row in (related(hop, id) for id in ids) if row is not None]
