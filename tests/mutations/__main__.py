"""What guards the money is taken out, one thing at a time, and the test named beside it has to go red.

``make test-mutations``, or ``python -m tests.mutations dedupe lock`` for some of them. It works on a copy of the
project; their tests are run on the untouched copy first and have to be green there. Takes a few minutes.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from tests.mutations.guards import GUARDS, Guard

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "var", "__pycache__", "*_cache")
RED, GREEN = 1, 0
"""What pytest ends with; anything else is no answer."""


def main() -> int:
    wanted = [guard for guard in GUARDS if not sys.argv[1:] or guard.name in sys.argv[1:]]
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    from embedded.postgres import running

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mutations-")))
        url = stack.enter_context(running(folder / "postgres", durable=False))
        copy = folder / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT, symlinks=True)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        environment = {
            **os.environ,
            "DATABASE_ADMIN_URL": url,
            "PYTHONPATH": f"{copy}:{copy / 'platform'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        tests = " ".join(dict.fromkeys(guard.test for guard in wanted))
        if (ended := run(copy, tests, environment)) != GREEN:
            print(f"The tests are not green by themselves: pytest ended with {ended}.")
            return 1
        bad = [problem for guard in wanted if (problem := tried(copy, guard, environment))]
    for problem in bad:
        print(problem)
    print(f"{len(wanted) - len(bad)} of {len(wanted)} guards are held by a test.")
    return 1 if bad else 0


def tried(copy: Path, guard: Guard, environment: Mapping[str, str]) -> str:
    """What is wrong with a guard or its test; empty when the test goes red without it."""
    path = copy / guard.path
    text = path.read_text()
    if text.count(guard.code) != 1:
        return f"{guard.name}: the code to take out stands {text.count(guard.code)} times in {guard.path}."
    path.write_text(text.replace(guard.code, guard.without))
    try:
        ended = run(copy, guard.test, environment)
    finally:
        path.write_text(text)
    print(f"{guard.name}: {'red' if ended == RED else f'ended with {ended}'} without {guard.what}", flush=True)
    return "" if ended == RED else f"{guard.name}: {guard.test} does not go red without {guard.what}."


def run(copy: Path, test: str, environment: Mapping[str, str]) -> int:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n0",
        "-x",
        "--no-header",
        "-p",
        "no:cacheprovider",
        *test.split(),
    ]
    ended = subprocess.run(command, cwd=copy, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
