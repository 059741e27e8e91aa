"""What the product is given of a request as the server took it in, and what the server is given of the answer."""

import asyncio
import io
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.test import Client

from config import buffering
from config.buffering import Buffered, environ_of
from tenants.actors import TenantRef
from tenants.workspaces.hosts import tenant_host

SCOPE: dict[str, Any] = {
    "type": "http",
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "server": ("127.0.0.1", "8000"),
    "client": ("203.0.113.9", "4711"),
    "headers": [(b"host", b"crm.example")],
}


def done(work: Coroutine[Any, Any, None]) -> None:
    """In a thread of its own: in that of the tests Playwright's loop may run."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


def asked(*messages: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...] = (), **options: Any) -> Any:
    """What the server is told, as a list of messages, by an application that answers with what it got."""
    sent: list[dict[str, Any]] = []
    waiting = list(messages)

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(3600)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def run() -> None:
        application = options.get("application", echo)
        front = Buffered(application, threads=1, max_body=1000, client=lambda environ: environ["REMOTE_ADDR"])
        await front({**SCOPE, "method": "POST", "headers": [*SCOPE["headers"], *headers]}, receive, send)

    done(run())
    return sent


def echo(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"got ", environ.get(buffering.UNREAD, "").encode(), environ["wsgi.input"].read()]


def piece(body: bytes, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}


def test_an_address_reaches_the_product_byte_by_byte() -> None:
    environ = environ_of({**SCOPE, "raw_path": b"/a%2Fb/%C3%A4/%ff%00", "query_string": b"q=%C3%A4&\xc3"})
    assert environ["PATH_INFO"] == "/a/b/Ã¤/ÿ\x00"
    assert environ["QUERY_STRING"] == "q=%C3%A4&Ã"
    assert (environ["REMOTE_ADDR"], environ["SERVER_PORT"], environ["SERVER_PROTOCOL"]) == (
        "203.0.113.9",
        "8000",
        "HTTP/1.1",
    )


def test_headers_given_twice_are_joined_and_lookalikes_dropped() -> None:
    headers = [
        (b"x-forwarded-for", b"1.1.1.1"),
        (b"x-forwarded-for", b"2.2.2.2"),
        (b"x_forwarded_for", b"6.6.6.6"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"content-type", b"text/plain"),
    ]
    environ = environ_of({**SCOPE, "headers": headers})
    assert environ["HTTP_X_FORWARDED_FOR"] == "1.1.1.1,2.2.2.2"
    assert environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["CONTENT_TYPE"] == "text/plain"
    assert "HTTP_CONTENT_TYPE" not in environ


@pytest.mark.parametrize("headers", [((b"content-length", b"6"),), ((b"transfer-encoding", b"chunked"),)])
def test_a_body_in_pieces_is_one_for_the_product(headers: Any) -> None:
    start, body = asked(piece(b"abc", more=True), piece(b"def"), headers=headers)
    assert (start["status"], body["body"]) == (200, b"got abcdef")


def test_half_a_body_never_reaches_the_product() -> None:
    _start, body = asked(piece(b"abc", more=True), {"type": "http.disconnect"}, headers=((b"content-length", b"6"),))
    assert body["body"] == b"got broken"


def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffering, "PATIENCE_SECONDS", 0.05)
    _start, body = asked(piece(b"abc", more=True), headers=((b"content-length", b"6"),))
    assert body["body"] == b"got too_slow"


def test_drop_by_drop_is_too_slow_however_long_it_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each piece comes in time, all together do not."""
    monkeypatch.setattr(buffering, "PATIENCE_SECONDS", 0.2)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.05)
        return piece(b"x", more=True)

    async def run() -> None:
        await buffering._read(receive, 1000)

    with pytest.raises(buffering.Unread) as refusal:
        done(run())
    assert refusal.value.why == buffering.TOO_SLOW


def test_no_more_of_a_long_body_is_read_than_shows_it() -> None:
    """The product refuses it in its own words: in chunks when it meets more than it takes, else by its length."""
    pieces = [piece(b"x" * 600, more=True) for _number in range(5)]
    _start, body = asked(*pieces, headers=((b"transfer-encoding", b"chunked"),))
    assert len(body["body"]) == len(b"got ") + 1200
    _start, body = asked(piece(b"x" * 5000), headers=((b"content-length", b"5000"),))
    assert body["body"] == b"got "


def test_a_long_answer_goes_out_in_pieces_and_a_file_is_closed() -> None:
    file = io.BytesIO(b"x" * 200_000)

    def download(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "200000")])
        return environ["wsgi.file_wrapper"](file, 8192)

    start, *pieces = asked(application=download)
    assert (b"content-length", b"200000") in start["headers"]
    assert b"".join(one["body"] for one in pieces) == b"x" * 200_000
    assert len(pieces) > 2
    assert not pieces[-1].get("more_body")
    assert file.closed


def test_an_answer_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffering, "PATIENCE_SECONDS", 0.05)
    closed: list[bool] = []

    class File(io.BytesIO):
        def close(self) -> None:
            closed.append(True)
            super().close()

    def download(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        return environ["wsgi.file_wrapper"](File(b"x" * 1000), 8192)

    async def receive() -> dict[str, Any]:
        return piece(b"")

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await asyncio.sleep(3600)

    async def run() -> None:
        front = Buffered(download, threads=1, max_body=1000, client=lambda environ: "")
        await front(SCOPE, receive, send)

    done(run())
    assert closed


@pytest.mark.parametrize(
    ("why", "status", "code"),
    [
        (buffering.BROKEN, 400, "incomplete_body"),
        (buffering.TOO_SLOW, 408, "too_slow"),
        (buffering.TOO_MANY, 429, "too_many"),
    ],
)
def test_a_program_is_told_why_in_the_apis_way(tenant_a: TenantRef, db: None, why: str, status: int, code: str) -> None:
    client = Client(headers={"host": tenant_host(tenant_a)})
    client.defaults[buffering.UNREAD] = why
    answer = client.post("/api/v1/companies", {}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
