#!/usr/bin/env python
"""Runs Django's commands with the project root and platform/ importable."""

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def join_running_copy() -> None:
    """Without a database in the environment, take over that of the copy that runs in DATA, if one does."""
    data = Path(os.environ.get("DATA", ROOT / "var"))
    if not os.environ.get("DATABASE_URL") and (data / "environment.json").exists():
        for name, value in json.loads((data / "environment.json").read_text()).items():
            os.environ.setdefault(name, value)


def main() -> None:
    for folder in (ROOT, ROOT / "platform"):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    join_running_copy()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
