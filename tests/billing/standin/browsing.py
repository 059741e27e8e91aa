"""A browser without scripts on the stand-in's pages: it follows no redirect, so that tests see where one leads."""

import http.client
from dataclasses import dataclass
from html import unescape
from urllib.parse import urlencode, urlsplit

CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}
PERSON = {"name": "Jutta Köln", "country": "DE", "line1": "Domkloster 4", "postal_code": "50667", "city": "Köln"}
DECLINED = "4000 0000 0000 0002"
FAILS_LATER = "4000 0000 0000 0341"
ASKS_BANK = "4000 0025 0000 3155"


@dataclass(frozen=True)
class Shown:
    status: int
    text: str
    location: str
    headers: dict[str, str]
    body: bytes


def visit(
    url: str, form: dict[str, str] | None = None, *, host: str = "", headers: dict[str, str] | None = None
) -> Shown:
    """GET ``url``, or POST ``form`` to it."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)
    headers = {"Host": host or address.netloc, **(headers or {})}
    path = f"{address.path}?{address.query}" if address.query else address.path
    try:
        if form is None:
            connection.request("GET", path, headers=headers)
        else:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request("POST", path, urlencode(form), headers)
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    found = {name.lower(): value for name, value in answer.headers.items()}
    text = unescape(body.decode()) if found.get("content-type", "").startswith("text/") else ""
    return Shown(answer.status, text, found.get("location", ""), found, body)
