"""Raw values become native ones, or are refused with a reason."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.records.fields.parsing import BadValue, as_json, blank, parse
from crm.records.schema.field import Choice, Field
from crm.records.schema.kinds import Kind
from tenants.actors import Actor, ActorKind, Permissions, TenantRef

MEMBER = UUID("01900000-0000-7000-8000-000000000001")
OTHER = UUID("01900000-0000-7000-8000-000000000002")
ACTOR = Actor(
    kind=ActorKind.MEMBER,
    tenant=TenantRef(OTHER, "t_x", "Acme", "acme", "active", "de", "EUR", "Europe/Berlin"),
    permissions=Permissions({}),
    member_id=MEMBER,
    time_zone=ZoneInfo("Europe/Berlin"),
)
EXTRAS: dict[Kind, dict[str, Any]] = {
    Kind.CHOICE: {"choices": (Choice(value="open", label="Open"), Choice(value="won", label="Won"))},
    Kind.RELATION: {"target": "company"},
    Kind.MEMBER: {"target": "member"},
    Kind.LINKS: {"target": "company", "through": "people.ContactCompany"},
    Kind.MONEY: {"currency": "currency"},
}


def labelled(value: str) -> dict[str, str]:
    return {"value": value, "label": ""}


def link(target: UUID, role: str = "") -> dict[str, Any]:
    return {"id": target, "role": role}


def field(kind: Kind, **more: Any) -> Field:
    return Field(slug="it", label="It", kind=kind, **(EXTRAS.get(kind, {}) | more))


@pytest.mark.parametrize(
    ("kind", "raw", "native"),
    [
        (Kind.TEXT, "  two\nlines\t", "two lines"),
        (Kind.TEXT, "e\u0301", "é"),
        (Kind.LONG_TEXT, "a\r\nb", "a\nb"),
        (Kind.URL, "example.com/x", "https://example.com/x"),
        (Kind.INTEGER, "1 200", 1200),
        (Kind.INTEGER, 3.0, 3),
        (Kind.DECIMAL, "-0.5", Decimal("-0.5")),
        (Kind.MONEY, 12.5, Decimal("12.5")),
        (Kind.MONEY, "1\u00a0234.50", Decimal("1234.50")),
        (Kind.MONEY, "1e3", BadValue),
        (Kind.PERCENT, "25 %", Decimal(25)),
        (Kind.CURRENCY, "eur", "EUR"),
        (Kind.BOOLEAN, "on", True),
        (Kind.BOOLEAN, 0, False),
        (Kind.DATE, "2026-02-28", date(2026, 2, 28)),
        (Kind.DATETIME, "2026-07-01T12:00", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        (Kind.DATETIME, "2026-07-01T12:00:00Z", datetime(2026, 7, 1, 12, tzinfo=UTC)),
        (Kind.CHOICE, "won", "won"),
        (Kind.EMAILS, "a@example.com; b@example.com", [labelled("a@example.com"), labelled("b@example.com")]),
        (Kind.PHONES, ["030/901820"], [{"value": "+49 30 901820", "label": ""}]),
        (Kind.PHONES, [{"value": "112", "label": "Help"}], [{"value": "112", "label": "Help"}]),
        (Kind.ADDRESS, {"street": " Am Tor 1 ", "city": ""}, {"street": "Am Tor 1"}),
        (Kind.RELATION, str(OTHER), OTHER),
        (Kind.MEMBER, "me", MEMBER),
        (Kind.LINKS, [{"id": str(OTHER), "role": "b"}, str(MEMBER)], [link(MEMBER), link(OTHER, "b")]),
        (Kind.REFERENCE, f"company:{OTHER}", {"type": "company", "id": OTHER}),
        (Kind.JSON_LIST, ["a", "b", "a"], ["a", "b"]),
    ],
)
def test_what_people_and_programs_write_is_understood(kind: Kind, raw: Any, native: Any) -> None:
    if native is BadValue:
        with pytest.raises(BadValue):
            parse(field(kind), raw, ACTOR)
    else:
        assert parse(field(kind), raw, ACTOR) == native


@pytest.mark.parametrize(
    ("kind", "raw", "code"),
    [
        (Kind.TEXT, "x" * 256, "too_long"),
        (Kind.TEXT, "a\x00b", "invalid"),
        (Kind.URL, "javascript://alert(1)", "invalid"),
        (Kind.URL, "http://[::1", "invalid"),
        (Kind.INTEGER, True, "invalid"),
        (Kind.INTEGER, "2147483648", "too_large"),
        (Kind.INTEGER, "1.5", "invalid"),
        (Kind.DECIMAL, "NaN", "invalid"),
        (Kind.DECIMAL, float("inf"), "invalid"),
        (Kind.DECIMAL, "9" * 30, "too_large"),
        (Kind.MONEY, "1,234.50", "invalid"),
        (Kind.MONEY, "1.00001", "too_precise"),
        (Kind.PERCENT, "-1", "too_small"),
        (Kind.CURRENCY, "XXZ", "unknown_choice"),
        (Kind.BOOLEAN, "maybe", "invalid"),
        (Kind.DATE, "2026-02-30", "invalid"),
        (Kind.DATE, "20260228", "invalid"),
        (Kind.DATE, datetime(2026, 1, 1), "invalid"),
        (Kind.DATETIME, "0001-01-01T00:00:00+14:00", "invalid"),
        (Kind.DATETIME, 1700000000, "invalid"),
        (Kind.DATETIME, "2026-12-12", "invalid"),
        (Kind.DATETIME, "20261212", "invalid"),
        (Kind.CHOICE, "opne", "unknown_choice"),
        (Kind.EMAILS, "not-an-address", "invalid"),
        (Kind.EMAILS, ["a@example.com"] * 51, "too_many"),
        (Kind.PHONES, "call me", "invalid"),
        (Kind.ADDRESS, {"planet": "Mars"}, "invalid"),
        (Kind.RELATION, "1", "invalid"),
        (Kind.RELATION, {"id": {"id": 1}}, "invalid"),
        (Kind.LINKS, 7, "invalid"),
        (Kind.REFERENCE, {"type": "spaceship", "id": str(OTHER)}, "unknown_choice"),
        (Kind.REFERENCE, {"type": ["x"], "id": str(OTHER)}, "unknown_choice"),
        (Kind.JSON_LIST, [{"a": 1}], "invalid"),
    ],
)
def test_what_cannot_be_kept_is_refused(kind: Kind, raw: Any, code: str) -> None:
    with pytest.raises(BadValue) as error:
        parse(field(kind), raw, ACTOR)
    assert error.value.code == code


names = st.text(max_size=6) | st.sampled_from(["id", "type", "value", "role"])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


@given(kind=st.sampled_from(list(Kind)), raw=json_values)
def test_any_json_is_either_refused_or_survives_a_journey_through_an_event(kind: Kind, raw: Any) -> None:
    one = field(kind)
    try:
        native = parse(one, raw, ACTOR)
    except BadValue:
        return
    assert parse(one, as_json(native), ACTOR) == native


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("nothing", [None, "", "  "])
def test_nothing_clears_a_field_of_any_kind(kind: Kind, nothing: Any) -> None:
    assert parse(field(kind), nothing, ACTOR) == blank(field(kind))


@pytest.mark.parametrize("kind", list(Kind))
@pytest.mark.parametrize("empty", [[], {}, (), [{}], [None], [[]], {"": None}, [{"label": "work"}], [{"type": None}]])
def test_an_empty_shape_clears_only_a_field_of_that_shape(kind: Kind, empty: Any) -> None:
    one = field(kind)
    if (empty in ([], ()) and isinstance(blank(one), list)) or (empty == {} and isinstance(blank(one), dict)):
        assert parse(one, empty, ACTOR) == blank(one)
    elif kind is Kind.CONDITION and empty == {"": None}:
        assert parse(one, empty, ACTOR) == empty, "the type's rules judge what it says"
    else:
        with pytest.raises(BadValue):
            parse(one, empty, ACTOR)


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_texts_are_kept_as_they_were_kept(text: str) -> None:
    one = field(Kind.TEXT)
    try:
        native = parse(one, text, ACTOR)
    except BadValue:
        return
    assert parse(one, native, ACTOR) == native
    assert "\x00" not in native
