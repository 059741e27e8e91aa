"""requirements.lock: exact, hashed, complete, and free of addresses."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
REQUIREMENT = re.compile(
    r"^([A-Za-z0-9._-]+)==([^\s;\\]+)( ; [^\\]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.M
)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_line_is_an_exact_version_with_hashes_and_nothing_else() -> None:
    assert LOCK
    assert REQUIREMENT.sub("", LOCK) == ""


def test_it_holds_no_address_or_path() -> None:
    assert not re.search(r"https?:|file:|://|index-url|find-links| @ ", LOCK)


def test_what_the_project_asks_for_is_in_it() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = [*project["project"]["dependencies"], *project["dependency-groups"]["dev"]]
    locked = {normal(found[0]) for found in REQUIREMENT.findall(LOCK)}
    assert {normal(re.split(r"[=<>!~\[; ]", line)[0]) for line in wanted} <= locked
