"""JSON is read as it was written, or refused with a word."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.strict_json import DEEPEST, NotJson, read_json


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + "1" + closing * depth


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        ("", "invalid_json"),
        ("{", "invalid_json"),
        ("NaN", "invalid_json"),
        ('{"a": Infinity}', "invalid_json"),
        ('{"a": 1e999}', "invalid_json"),
        ('"\\ud800"', "invalid_json"),
        ("\ud800", "invalid_json"),
        (b'"\xff"', "invalid_json"),
        (nested(DEEPEST + 1, "[", "]"), "too_deep"),
        (nested(260, '{"not":', "}"), "too_deep"),
        (nested(100_000, "[", "]"), "invalid_json"),
        ("123456789012345678901234567890", "number_too_long"),
        ('{"amount": 12345678901234.56789}', "number_too_long"),
        ("[18446744073709551616]", "number_too_long"),
        ('{"amount": 1, "amount": 2}', "invalid_json"),
        ('[{"a": {"b": 1, "c": 2, "\\u0062": 3}}]', "invalid_json"),
    ],
)
def test_what_cannot_be_kept_as_written_is_refused(raw: bytes | str, code: str) -> None:
    with pytest.raises(NotJson) as refused:
        read_json(raw)
    assert refused.value.code == code


@pytest.mark.parametrize(
    "raw",
    [
        '[{"a": {"a": 1}}, {"a": 2}]',
        nested(DEEPEST, "[", "]"),
        "18446744073709551615",
        "0.30000000000000004",
        '"123456789012345678901234567890"',
    ],
)
def test_what_can_be_kept_is_read(raw: str) -> None:
    assert read_json(raw) == json.loads(raw)


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(values)
def test_whatever_is_json_comes_back_the_same(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
