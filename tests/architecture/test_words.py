"""The words of the house, where a test can hold them."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)
FOLDERS = ("api", "bench", "billing", "crm", "docs", "platform", "static", "templates", "tenants", "tests")
KINDS = {".py", ".html", ".js", ".css", ".md", ".txt"}
OLD = ("docs/adr/",)
"""Decisions stay as they were written."""
SOMEBODY = re.compile(r"(?<!\")\b(?:he|his|him|himself)\b(?!\")", re.IGNORECASE)


def test_nobody_is_he():
    """A person is they, or what they are here: the owner, the reader, the caller."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*")):
            name = str(path.relative_to(ROOT))
            if path.suffix not in KINDS or name.startswith(OLD) or "/migrations/" in name or path == Path(__file__):
                continue
            found += [f"{name}: {line.strip()}" for line in path.read_text().splitlines() if SOMEBODY.search(line)]
    assert found == []
