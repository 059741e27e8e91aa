"""A missing or wrong declaration fails at import or here, never in production."""

from dataclasses import replace
from typing import Any

import pytest

from crm.records import checks
from crm.records.errors import UnknownType
from crm.records.events import dispatch
from crm.records.schema.field import Choice, Field, Misdeclared
from crm.records.schema.kinds import Kind
from crm.records.schema.policies import Everyone
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import Registry, registry
from tests.registrations import anew

NAME = Field(slug="name", label="Name", kind=Kind.TEXT)


def declare(**changes: Any) -> RecordType:
    given: dict[str, Any] = {
        "slug": "thing",
        "plural": "things",
        "label": "Thing",
        "label_plural": "Things",
        "icon": "box",
        "model": "people.Company",
        "fields": (NAME,),
        "visible": Everyone(),
    }
    return RecordType(**{slug: value for slug, value in (given | changes).items() if value is not ...})


def test_every_record_type_matches_its_model() -> None:
    assert checks.problems() == []


@pytest.mark.parametrize("type", ["deal.lost", "session.begun", "robot.*", "created"])
def test_a_reader_of_events_that_nobody_makes_is_refused(monkeypatch: pytest.MonkeyPatch, type: str) -> None:
    anew(monkeypatch, dispatch, "readers")
    dispatch.on("deal.stage_changed", "*.created", "settings.updated", type, name="ears", handler=lambda *_event: None)
    assert checks.problems() == [f"The reader ears wants events {type}, which nobody makes."]


def test_a_board_field_without_a_board_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until any noun can stand on a board, the button would lead back to the list."""
    monkeypatch.setattr(checks, "has_board_page", lambda record_type: False)
    assert any("its board field opens nothing" in problem for problem in checks.problems())
    monkeypatch.undo()
    assert checks.has_board_page(registry.get("deal"))
    assert not checks.has_board_page(registry.get("task"))


def test_a_type_without_a_visibility_rule_cannot_be_declared() -> None:
    with pytest.raises(TypeError):
        declare(visible=...)
    with pytest.raises(Misdeclared, match="visibility"):
        declare(visible=None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"title": "nme"},
        {"fields": (NAME, NAME)},
        {"fields": (NAME, Field(slug="version", label="V", kind=Kind.INTEGER))},
        {"default_columns": ("colour",)},
        {"default_sort": ("name",)},
        {"board_field": "name"},
        {"owner_field": "name"},
        {"event_types": ("other.happened",)},
        {"fields": (NAME, Field(slug="amount", label="A", kind=Kind.MONEY, currency="currency"))},
    ],
)
def test_a_contradiction_fails_at_import(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misdeclared):
        declare(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"slug": "Name"},
        {"kind": Kind.CHOICE},
        {"kind": Kind.RELATION},
        {"kind": Kind.LINKS, "target": "company"},
        {"kind": Kind.MEMBER, "target": "company"},
        {"kind": Kind.MONEY},
        {"kind": Kind.LONG_TEXT, "sortable": True},
        {"kind": Kind.BOOLEAN, "unique": True},
    ],
)
def test_a_field_that_cannot_work_fails_at_import(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misdeclared):
        Field(**({"slug": "it", "label": "It", "kind": Kind.TEXT} | wrong))
    with pytest.raises(Misdeclared):
        Choice(value="x", label="X", color="#ff0000")


def test_two_types_cannot_share_a_name() -> None:
    names = Registry()
    names.register(declare())
    with pytest.raises(Misdeclared):
        names.register(declare(slug="other", model="people.Contact"))
    with pytest.raises(UnknownType):
        names.get("spaceship")


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"target": "spaceship"}, "no record type"),
        ({"target": "deal"}, "does not lead to deal"),
        ({"slug": "owned_by"}, "no such column"),
    ],
)
def test_a_declaration_that_its_model_does_not_bear_out_is_found(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], problem: str
) -> None:
    company = registry.get("company")
    fields = tuple(replace(one, **changed) if one.slug == "parent" else one for one in company.fields)
    monkeypatch.setattr(registry, "all", lambda: (replace(company, fields=fields),))
    assert any(problem in found for found in checks.problems())


def test_a_column_too_short_and_one_of_the_wrong_kind_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    company = registry.get("company")
    wrong: dict[str, dict[str, Any]] = {"name": {"max_length": 500}, "domain": {"kind": Kind.DATE}}
    fields = tuple(replace(one, **wrong.get(one.slug, {})) for one in company.fields)
    monkeypatch.setattr(registry, "all", lambda: (replace(company, fields=fields, subtitle=""),))
    found = checks.problems()
    assert any("500 characters do not fit into 200" in one for one in found)
    assert any("date cannot be kept in a CharField" in one for one in found)


def test_every_record_type_can_be_a_key() -> None:
    """Statements are prepared once a type, and kept by it."""
    assert len({record_type: record_type.slug for record_type in registry.all()}) == len(registry.all())
