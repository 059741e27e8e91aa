"""Templates can be read line by line."""

from pathlib import Path

import pytest

TEMPLATES = Path(__file__).parents[2] / "templates"
WIDEST = 120


@pytest.mark.parametrize("folder", ["billing", "public"])
def test_no_line_is_wider_than_a_line_of_code(folder: str) -> None:
    lines = [
        f"{page.relative_to(TEMPLATES)}:{number}"
        for page in sorted((TEMPLATES / folder).rglob("*.html"))
        for number, line in enumerate(page.read_text().splitlines(), 1)
        if len(line) > WIDEST and page.parent.name != "mail"
    ]
    assert lines == []
