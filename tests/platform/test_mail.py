"""The mail catcher keeps what is sent and shows it with its links."""

import json
import smtplib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    smtp, page = free_port(), free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "embedded.mail", str(smtp), str(page), str(tmp_path_factory.mktemp("mails"))],
        cwd=ROOT / "platform",
    )
    url = f"http://127.0.0.1:{page}"
    deadline = time.monotonic() + 60
    while True:
        try:
            read(f"{url}/mails.json")
            break
        except urllib.error.URLError:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    yield smtp, url
    process.terminate()
    assert process.wait(60) == 0


def read(url: str, host: str = "localhost") -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Host": host}), timeout=30) as answer:
        return str(answer.read().decode())


def send(port: int, to: str, subject: str, text: str, html: str = "") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "no-reply@localhost", to, subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
        server.send_message(message)


def test_a_mail_is_shown_with_its_links(catcher: tuple[int, str]) -> None:
    smtp, url = catcher
    link = "http://localhost:8000/verify/abc/?a=1&b=2"
    send(
        smtp, "zoë@example.com", "Grüße 🪟", f"Open {link}.", f'<p><a href="{link.replace("&", "&amp;")}">Open</a></p>'
    )
    mail = json.loads(read(f"{url}/mails.json?to=ZOË@example.com".replace("Ë", "%C3%8B")))[0]
    assert (mail["to"], mail["subject"], mail["links"]) == (["zoë@example.com"], "Grüße 🪟", [link])
    assert 'href="http://localhost:8000/verify/abc/?a=1&amp;b=2"' in read(url)


def test_the_newest_comes_first_and_the_page_runs_nothing_of_a_mail(catcher: tuple[int, str]) -> None:
    smtp, url = catcher
    send(smtp, "a@example.com", "Older", "one")
    send(smtp, "a@example.com", "<script>alert(1)</script>", '<img src=x onerror="alert(1)">')
    assert [mail["subject"] for mail in json.loads(read(f"{url}/mails.json?to=a@example.com"))] == [
        "<script>alert(1)</script>",
        "Older",
    ]
    assert "<script" not in read(url)
    assert "<img" not in read(url)


def test_a_page_elsewhere_cannot_read_the_mails_by_a_name_of_its_own(catcher: tuple[int, str]) -> None:
    _smtp, url = catcher
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(f"{url}/mails.json", host="attacker.example")
