"""What looks like a test is one: pytest runs it, nothing takes its place, it keeps to its budget, and what a mutation
takes out is there."""

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.depth import DEEP
from tests.mutations.guards import GUARDS, Guard
from tests.scheduling import MAX_CPU_SECONDS, hold_to_budget

TESTS = Path(__file__).resolve().parents[1]
ROOMS = "billing|crm|api|tenants|config|console|embedded|tests|bench"
IMPORTED = re.compile(rf"^\s*(?:from|import) ((?:{ROOMS})(?:\.\w+)*)", re.MULTILINE)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def test_no_test_stands_where_pytest_does_not_look() -> None:
    assert [place for path in sorted(TESTS.rglob("*.py")) for place in lost(path)] == []


def lost(path: Path) -> Iterator[str]:
    """Tests within a function, of a name that another takes after them, or in a file that is not collected."""
    tree = ast.parse(path.read_text())
    bodies = [tree.body, *(one.body for one in ast.walk(tree) if isinstance(one, ast.ClassDef))]
    shown = []
    for body in bodies:
        names = [one.name for one in body if isinstance(one, (*FUNCTIONS, ast.ClassDef)) and is_test(one.name)]
        yield from (f"{path.name}: {name} stands twice" for name in sorted(set(names)) if names.count(name) > 1)
        shown += names
    every = [one for one in ast.walk(tree) if isinstance(one, FUNCTIONS) and one.name.startswith("test_")]
    if len(every) > len([name for name in shown if name.startswith("test_")]):
        yield f"{path.name}: a test within a function"
    if every and not path.name.startswith("test_"):
        yield f"{path.name}: its tests are not collected"


def test_programs_that_run_in_a_process_of_their_own_import_what_is_there() -> None:
    """They are written as text, so no type checker sees a module that has moved."""
    texts = [
        (path.name, node.value)
        for folder in ("tests", "bench", "platform/embedded")
        for path in sorted((TESTS.parent / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    named = {(name, module) for name, text in texts for module in IMPORTED.findall(text)}
    assert len(named) > 10
    assert {one for one in named if not is_module(one[1])} == set()


def is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def is_test(name: str) -> bool:
    return name.startswith(("test_", "Test"))


@pytest.mark.parametrize("guard", GUARDS, ids=[guard.name for guard in GUARDS])
def test_what_make_test_mutations_takes_out_stands_there(guard: Guard) -> None:
    assert (TESTS.parent / guard.path).read_text().count(guard.code) == 1


@pytest.mark.skipif(DEEP, reason="what looks deeper takes longer")
def test_who_takes_far_too_long_says_why(request: pytest.FixtureRequest) -> None:
    hold_to_budget(request.node, MAX_CPU_SECONDS)
    with pytest.raises(pytest.fail.Exception, match="make it cheaper"):
        hold_to_budget(request.node, MAX_CPU_SECONDS + 1)
    request.node.add_marker(pytest.mark.slow("has a reason"))
    hold_to_budget(request.node, MAX_CPU_SECONDS + 1)
