"""The editor of a role: what a form sends as rights, and rights as a grid to show."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from crm.workspace.permissions import (
    ACTION_LABELS,
    ACTIONS,
    GRANTABLE_POWERS,
    HIDDEN,
    READ,
    RoleField,
    RoleNoun,
    role_nouns,
)
from tenants.actors import Actor, Permissions, Scope

type Rights = dict[str, dict[str, str]]

SCOPE_LABELS: Mapping[str, Promise] = {"none": _("None"), "own": _("Own"), "team": _("Team"), "all": _("All")}
RIGHT_LABELS: Mapping[str, Promise] = {"": _("As the record"), READ: _("Read only"), HIDDEN: _("Hidden")}


@dataclass(frozen=True, slots=True)
class Preset:
    slug: str
    label: Promise
    help: Promise
    row: tuple[str, ...]

    def permissions(self) -> Permissions:
        """As far as nouns have owners. A note is part of what it is on, so it is read by whoever sees that."""
        row = dict(zip(ACTIONS, self.row, strict=True))
        return Permissions.from_json(
            {
                noun.slug: row | ({"view": "all"} if noun.slug == "note" else {})
                for noun in role_nouns()
                if not noun.is_shared
            }
        )


PRESETS = (
    Preset(
        "shared",
        _("Sees all, changes the own"),
        _("Everybody's records are open; what belongs to others is only looked at."),
        ("all", "all", "own", "own", "none", "own"),
    ),
    Preset(
        "team",
        _("Works in the team"),
        _("Records of the own team and the teams below it, and nobody else's."),
        ("team", "team", "team", "own", "none", "team"),
    ),
    Preset("own", _("Only the own"), _("For somebody who works alone."), ("own", "own", "own", "own", "none", "own")),
    Preset("look", _("Looks only"), _("Sees everything, changes nothing."), ("all", *("none",) * 5)),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """One choice of the grid. ``options`` are value, label, chosen, and whether the actor may give it."""

    name: str
    action: str
    label: str
    value: str
    options: tuple[tuple[str, str, bool, bool], ...]
    problem: str

    @property
    def heading(self) -> str:
        return str(ACTION_LABELS[self.action])

    @property
    def text(self) -> str:
        return next(label for _value, label, chosen, _may in self.options if chosen)


@dataclass(frozen=True, slots=True)
class Line:
    noun: RoleNoun
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Tick:
    name: str
    label: str
    ticked: bool
    may: bool
    problem: str


@dataclass(frozen=True, slots=True)
class FieldCell:
    field: RoleField
    cell: Cell


@dataclass(frozen=True, slots=True)
class FieldGroup:
    noun: RoleNoun
    fields: tuple[FieldCell, ...]
    narrowed: int
    has_problem: bool


@dataclass(frozen=True, slots=True)
class Grid:
    actions: tuple[str, ...]
    lines: tuple[Line, ...]
    shared: tuple[Tick, ...]
    powers: tuple[Tick, ...]
    groups: tuple[FieldGroup, ...]


def rights_sent(data: QueryDict) -> tuple[Rights, Rights]:
    """The matrix and the field rights of a form."""
    matrix: Rights = {"workspace": {}}
    fields: Rights = {}
    for noun in role_nouns():
        if noun.is_shared:
            may = "all" if data.get(f"s.{noun.slug}") else "none"
            matrix[noun.slug] = {"view": "all", **dict.fromkeys(("create", "edit", "delete", "bulk"), may)}
        else:
            matrix[noun.slug] = {action: data.get(f"m.{noun.slug}.{action}", "none") for action in ACTIONS}
            rights = {one.slug: data.get(f"f.{noun.slug}.{one.slug}", "") for one in noun.fields}
            fields[noun.slug] = {slug: right for slug, right in rights.items() if right}
    for power in GRANTABLE_POWERS:
        if data.get(f"p.{power}"):
            matrix["workspace"][power] = "all"
    return matrix, {slug: rights for slug, rights in fields.items() if rights}


def grid_of(actor: Actor, rights: Permissions, problems: Mapping[str, str] | None = None) -> Grid:
    """A role's rights to look at or to change; what the actor could not give is there, but not to be chosen."""
    wrong = problems or {}
    nouns = role_nouns()
    held = actor.permissions

    def cell(noun: RoleNoun, action: str) -> Cell:
        chosen = rights.scope(noun.slug, action)
        most = held.scope(noun.slug, action)
        options = tuple(
            (name, str(label), Scope[name.upper()] is chosen, Scope[name.upper()] <= most)
            for name, label in SCOPE_LABELS.items()
        )
        return Cell(
            f"m.{noun.slug}.{action}",
            action,
            f"{noun.label}: {ACTION_LABELS[action]}",
            chosen.name.lower(),
            options,
            wrong.get(f"{noun.slug}.{action}", ""),
        )

    def field_cell(noun: RoleNoun, one: RoleField) -> FieldCell:
        chosen = rights.fields.get(noun.slug, {}).get(one.slug, "")
        own = held.fields.get(noun.slug, {}).get(one.slug, "")
        strictness = list(RIGHT_LABELS)
        options = tuple(
            (
                right,
                str(label),
                right == chosen,
                strictness.index(right) >= strictness.index(own)
                and not (right == HIDDEN and one.stays)
                and not (right == READ and not one.is_editable),
            )
            for right, label in RIGHT_LABELS.items()
        )
        place = f"{noun.slug}.{one.slug}"
        label = f"{noun.label}: {one.label}"
        return FieldCell(one, Cell(f"f.{place}", "", label, chosen, options, wrong.get(place, "")))

    groups = []
    for noun in nouns:
        if noun.fields:
            cells = tuple(field_cell(noun, one) for one in noun.fields)
            narrowed = sum(1 for one in cells if one.cell.value)
            groups.append(FieldGroup(noun, cells, narrowed, any(one.cell.problem for one in cells)))
    return Grid(
        actions=tuple(str(label) for label in ACTION_LABELS.values()),
        lines=tuple(
            Line(noun, tuple(cell(noun, action) for action in ACTIONS)) for noun in nouns if not noun.is_shared
        ),
        shared=tuple(
            Tick(
                f"s.{noun.slug}",
                noun.label,
                bool(rights.scope(noun.slug, "edit")),
                bool(held.scope(noun.slug, "edit")),
                wrong.get(f"{noun.slug}.edit", ""),
            )
            for noun in nouns
            if noun.is_shared
        ),
        powers=tuple(
            Tick(
                f"p.{power}",
                str(label),
                bool(rights.scope("workspace", power)),
                bool(held.scope("workspace", power)),
                wrong.get(f"workspace.{power}", ""),
            )
            for power, label in GRANTABLE_POWERS.items()
        ),
        groups=tuple(groups),
    )
