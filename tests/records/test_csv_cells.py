"""Cells of a CSV file: harmless in every spreadsheet, and read back as they were."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm.records.fields.csv_cells import guarded

STARTS = re.compile(r"(?:^|[;|\t\r\n])[ \u00a0]*[=+\-@\uff1d\uff0b\uff0d\uff20](?P<rest>[^;|\t\r\n]*)")
texts = st.text(alphabet="=+-@'; |\t\n\r19a.,()%\uff1d\u00a0", max_size=30)


def read_back(cell: str) -> str:
    """What somebody does who reads the file: take one apostrophe from before each formula."""
    return re.sub(r"((?:^|[;|\t\r\n])[ \u00a0]*)'('*[=+\-@\uff1d\uff0b\uff0d\uff20])", r"\1\2", cell)


@given(texts)
def test_every_text_is_read_back_as_it_was(text: str) -> None:
    assert read_back(guarded(text)) == text


@given(texts)
def test_no_cell_begins_a_formula_whatever_parts_it(text: str) -> None:
    for found in STARTS.finditer(guarded(text)):
        assert not re.search(r"[a-zA-Z='+@|!]", found["rest"].partition(",")[0]), guarded(text)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1+1", " '=1+1"),
        ("1;=1+1", "1;'=1+1"),
        ("a\t=1+1", "a\t'=1+1"),
        ("a\n-cmd|' /C calc'!A0", "a\n'-cmd|' /C calc'!A0"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("+1-1", "'+1-1"),
        ("-2-3", "'-2-3"),
        ("'=1+1", "''=1+1"),
        ("+49 30 901820 Tom", "'+49 30 901820 Tom"),
        ("\uff1d1+1", "'\uff1d1+1"),
    ],
)
def test_what_would_be_a_formula_is_guarded(text: str, cell: str) -> None:
    assert guarded(text) == cell


@pytest.mark.parametrize(
    "text",
    [
        "+49 30 901820",
        "+1 650-253-0000 ext. 101",
        "+44 20 7946 0018 x5",
        "+4930901820",
        "+49 30 901820, +1 650-253-0000",
        "-5",
        "-5.00",
        "-12.5 %",
        "a - b",
        "Jean-Luc",
        "a;b",
        "'tis",
        "1;-5",
        "",
    ],
)
def test_numbers_phones_and_plain_words_stay_as_they_are(text: str) -> None:
    assert guarded(text) == text
