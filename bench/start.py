"""From a clean clone without .venv to /readyz 200, and the second start; the README's table is written from it."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.stack import ROOT

GIVE_UP_SECONDS = 900.0


def ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
        connection.request("GET", "/readyz", headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status == 200
    return False


def start(clone: Path, port: int) -> tuple[float, float]:
    """Seconds until the packages are installed, and until ready; stopped again by Ctrl-C's signal."""
    began = time.monotonic()
    installed = 0.0
    environment = {name: os.environ[name] for name in os.environ if name in {"PATH", "HOME", "LANG"} or "PIP" in name}
    with (clone / "console").open("w") as console:
        run = subprocess.Popen(
            ["make", "run", f"PORT={port}"],
            cwd=clone,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
        while not ready(port):
            if not installed and (clone / "var" / "lock").exists():
                installed = time.monotonic() - began
            if run.poll() is not None or time.monotonic() - began > GIVE_UP_SECONDS:
                raise SystemExit((clone / "console").read_text())
            time.sleep(0.05)
        seconds = time.monotonic() - began
        os.killpg(run.pid, signal.SIGINT)
        run.wait(60)
    return installed, seconds


def write(page: Path, rows: dict[str, float]) -> None:
    text = page.read_text()
    for label, seconds in rows.items():
        text, found = re.subn(rf"(?m)^\| {re.escape(label)} \|.*$", f"| {label} | {seconds:.1f} |", text)
        if not found:
            raise SystemExit(f"{page} has no row {label!r}")
    page.write_text(text)


def main() -> None:
    port = int(os.environ.get("PORT", "8000"))
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "rapport"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        installing, first = start(clone, port)
        _none, second = start(clone, port)
    rows = {
        "clean clone, no `.venv`, to `/readyz` 200": first,
        "of these, installing the packages": installing,
        "the second start": second,
    }
    if "--write" in sys.argv:
        write(ROOT / "README.md", rows)
    for label, seconds in rows.items():
        print(f"{label}: {seconds:.1f} s")
    print(f"second start / first: {second / first:.2f}×")


if __name__ == "__main__":
    main()
