"""The product's own mail catcher as a process, and what it caught."""

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from tests.stack import ROOT, free_port


@dataclass(frozen=True)
class Catcher:
    smtp: int
    page: str
    folder: Path

    def mails(self, to: str = "") -> list[dict[str, Any]]:
        """The newest first."""
        with urllib.request.urlopen(f"{self.page}/mails.json", timeout=30) as answer:
            return [mail for mail in json.loads(answer.read()) if not to or to in mail["to"]]

    def raw(self, mail: dict[str, Any]) -> EmailMessage:
        found = message_from_bytes((self.folder / f"{mail['id']}.eml").read_bytes(), policy=default)
        assert isinstance(found, EmailMessage)
        return found

    def forget(self) -> None:
        for path in self.folder.glob("*.eml"):
            path.unlink()


@contextmanager
def catching(folder: Path) -> Iterator[Catcher]:
    smtp, page = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.mail", str(smtp), str(page), str(folder)], cwd=ROOT / "platform"
    )
    catcher = Catcher(smtp, f"http://127.0.0.1:{page}", folder)
    deadline = time.monotonic() + 60
    while True:
        try:
            catcher.mails()
            break
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    try:
        yield catcher
    finally:
        process.terminate()
        assert process.wait(60) == 0
