"""The mail catcher: takes every mail on a loopback port, delivers none, and shows them on a page.

``python -m embedded.mail SMTP_PORT PAGE_PORT FOLDER``; both ports on 127.0.0.1. The page lists the newest first at
``/``; ``/mails.json`` gives the same as ``[{id, at, from, to, subject, text, html, links}]``, ``?to=`` narrows both to
one address.
"""

import email
import email.policy
import json
import re
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from html import escape, unescape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"
KEPT = 500
LINK = re.compile(r"https?://[^\s<>\"')\]]*[^\s<>\"')\].,;:!?]")
STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem }
article { border-top: 1px solid #8886; padding: 1rem 0 }
h2 { font-size: 1.05rem; margin: 0 }
p { margin: .25rem 0; opacity: .75 }
pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
"""


class Box:
    """Mails as files, named so that their order is that of arrival."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lock = threading.Lock()

    def add(self, content: bytes, recipients: list[str]) -> None:
        with self.lock:
            name = f"{time.time_ns():020d}"
            draft = self.folder / f".{name}"
            draft.write_bytes(f"X-Envelope-To: {', '.join(recipients)}\r\n".encode() + content)
            draft.replace(self.folder / f"{name}.eml")
            for old in sorted(self.folder.glob("*.eml"))[:-KEPT]:
                old.unlink()

    def mails(self, to: str = "") -> list[dict[str, Any]]:
        found = (described(path) for path in sorted(self.folder.glob("*.eml"), reverse=True))
        return [mail for mail in found if not to or to.lower() in (address.lower() for address in mail["to"])]


def described(path: Path) -> dict[str, Any]:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text, html = body_of(message, "plain"), body_of(message, "html")
    links = LINK.findall(text) + [unescape(link) for link in LINK.findall(html)]
    return {
        "id": path.stem,
        "at": datetime.fromtimestamp(int(path.stem) / 1e9, UTC).isoformat(),
        "from": str(message.get("From", "")),
        "to": [address.strip() for address in str(message.get("X-Envelope-To", "")).split(",") if address.strip()],
        "subject": str(message.get("Subject", "")),
        "text": text,
        "html": html,
        "links": list(dict.fromkeys(links)),
    }


def body_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""


def page_of(mails: list[dict[str, Any]]) -> str:
    shown = "".join(article_of(mail) for mail in mails) or "<p>No mail yet.</p>"
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Mails</title>'
        '<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/style.css"></head>'
        f"<body><h1>Mails</h1><p>Caught on this machine; none was delivered.</p>{shown}</body></html>"
    )


def article_of(mail: dict[str, Any]) -> str:
    text = LINK.sub(lambda found: f"\0{found[0]}\0", mail["text"] or re.sub(r"<[^>]+>", " ", mail["html"]))
    parts = [
        f'<a href="{escape(part)}">{escape(part)}</a>' if index % 2 else escape(part)
        for index, part in enumerate(text.split("\0"))
    ]
    return (
        f"<article><h2>{escape(mail['subject'])}</h2>"
        f"<p>To {escape(', '.join(mail['to']))} · {escape(mail['at'][:19].replace('T', ' '))} UTC</p>"
        f"<pre>{''.join(parts)}</pre></article>"
    )


class Handler:
    def __init__(self, box: Box) -> None:
        self.box = box

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        content = envelope.original_content or b""
        self.box.add(content, list(envelope.rcpt_tos))
        return "250 Caught"


class Page(BaseHTTPRequestHandler):
    box: Box

    def do_GET(self) -> None:
        """Answer only to loopback names, so that no page elsewhere can read the mails by a name of its own."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in {"127.0.0.1", "localhost"}:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "Not found")
            return
        address = urlsplit(self.path)
        to = parse_qs(address.query).get("to", [""])[0]
        if address.path == "/mails.json":
            self._send(HTTPStatus.OK, "application/json", json.dumps(self.box.mails(to), indent=1))
        elif address.path == "/style.css":
            self._send(HTTPStatus.OK, "text/css", STYLE)
        elif address.path == "/":
            self._send(HTTPStatus.OK, "text/html", page_of(self.box.mails(to)))
        else:
            self._send(HTTPStatus.NOT_FOUND, "text/plain", "Not found")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the page is read by people and tests, and its log by nobody."""

    def _send(self, status: HTTPStatus, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'self'")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    smtp_port, page_port, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    box = Box(folder)
    Page.box = box
    controller = Controller(Handler(box), hostname=HOST, port=smtp_port, enable_SMTPUTF8=True)
    controller.start()
    server = ThreadingHTTPServer((HOST, page_port), Page)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    controller.stop()


if __name__ == "__main__":
    main()
