"""What the documents say of the house is so."""

import re
import tomllib
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)
PATH = re.compile(r"`((?:tenants|billing|crm|api|platform|templates|static|tests|bench|docs)/[\w./-]*)`")


def test_each_file_and_folder_that_they_name_is_there():
    named = {
        (document.name, path)
        for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md"))
        for path in PATH.findall(document.read_text())
    }
    assert len(named) > 40
    assert {one for one in named if not (ROOT / one[1]).exists()} == set()


def test_the_floors_are_those_that_the_linter_holds():
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [floors] = [one["layers"] for one in contracts if one["name"] == "A room imports only from the floors below it"]
    assert " → ".join(floors) in (ROOT / "docs/architecture.md").read_text()
