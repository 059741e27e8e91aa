"""Bodies as the web server itself takes them off the wire: in chunks, packed, broken and too large."""

import gzip
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from tests.stack import Stack

CHUNK = 64 * 1024


class Wire:
    """One connection to the demo workspace, with its key."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def send(self, method: str, path: str, *pieces: bytes, **headers: str) -> tuple[int, Any]:
        """The status and the JSON of the answer to these bytes of a body, sent after a head that says no length."""
        demo = self.stack.demo
        given = {
            "Host": demo["workspace_host"],
            "Authorization": f"Bearer {demo['api_key']}",
            "Content-Type": "application/json",
            "Transfer-Encoding": "chunked",
            "Connection": "close",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{method} /api/v1{path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items() if value)]
        with socket.create_connection(("127.0.0.1", self.stack.port), timeout=60) as wire:
            try:
                wire.sendall("\r\n".join([*lines, "", ""]).encode())
                for piece in pieces:
                    wire.sendall(piece)
            except OSError:
                pass  # refused before all of it was sent
            response = http.client.HTTPResponse(wire)
            response.begin()
            return response.status, json.loads(response.read() or b"null")


def chunks(body: bytes, size: int = CHUNK) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
    yield b"0\r\n\r\n"


@pytest.fixture
def wire(stack: Stack) -> Wire:
    return Wire(stack)


def test_chunks_are_read_and_what_is_broken_does_nothing(wire: Wire) -> None:
    status, company = wire.send("POST", "/companies", *chunks(b'{"name": "In chunks"}', 5))
    assert (status, company["name"]) == (201, "In chunks")
    path = f"/companies/{company['id']}"
    status, company = wire.send(
        "PATCH", path, *chunks(gzip.compress(b'{"name": "Packed"}'), 7), Content_Encoding="gzip"
    )
    assert (status, company["name"]) == (200, "Packed")
    query = b'{"filter": {"field": "name", "op": "eq", "value": "no such name"}}'
    assert wire.send("POST", "/companies/query", *chunks(query))[1]["data"] == []

    broken = {
        "a chunk without its size": (b"ZZ\r\n" + b'{"name": "A"}\r\n0\r\n\r\n',),
        "a second chunk without its size": (b'8\r\n{"name":\r\n', b"ZZ\r\n", b' "A"}\r\n0\r\n\r\n'),
        "a chunk longer than it says": (b'4\r\n{"name": "A"}\r\n0\r\n\r\n',),
        "no body at all": (b"0\r\n\r\n",),
    }
    answers = {what: wire.send("PATCH", path, *pieces)[0] for what, pieces in broken.items()}
    assert answers == dict.fromkeys(broken, 400)
    large = b'{"name": "' + b"x" * (6 * 1024 * 1024) + b'"}'
    assert wire.send("PATCH", path, *chunks(large))[0] == 413
    assert wire.send("PATCH", path, Transfer_Encoding="")[0] == 400
    assert wire.send("PATCH", path, Transfer_Encoding="", Content_Length="0")[0] == 400
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert wire.send("PATCH", path, *chunks(b"name=A"), **form)[0] == 411
    assert wire.stack.api("GET", path).body["name"] == "Packed"
