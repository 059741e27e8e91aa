"""Stands between the network and the product: visitors may be slow, its threads may not wait for them.

An event loop takes bodies in, within limits of time and size, and gives answers out; a thread of the pool is taken for
the time between, in which the request is all there. ADR 0457.
"""

import asyncio
import io
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import structlog

log = structlog.get_logger("rapport.web")

type Environ = dict[str, Any]
type Headers = list[tuple[bytes, bytes]]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Application = Callable[..., Any]

MEMORY_BYTES = 256 * 1024
"""What is larger lies in a file while it comes in, and goes out in pieces."""
PIECE_BYTES = 64 * 1024
PATIENCE_SECONDS = 30.0
"""For a body to begin, and for each piece of an answer to be taken."""
LEAST_BYTES_A_SECOND = 8 * 1024
"""How quick a body comes at least, after the first ``PATIENCE_SECONDS``."""
SLOW_SECONDS = 1.0
MAX_SLOW = 64
"""Bodies of one network address that may be on their way for longer than ``SLOW_SECONDS`` at once, in one process."""


UNREAD = "rapport.unread"
"""The key of the environment under which the product finds why a body is not there."""
BROKEN, TOO_SLOW, TOO_MANY = "broken", "too_slow", "too_many"


class Unread(Exception):
    """A body that is not all there: ``why`` is told to the product, which answers it as ``config.incoming`` says."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Download:
    """What the product answers with a file: given as it is, and sent by the event loop."""

    def __init__(self, file: IO[bytes], block_size: int = PIECE_BYTES) -> None:
        self.file = file

    def __iter__(self) -> "Download":
        return self

    def __next__(self) -> bytes:
        piece = self.file.read(PIECE_BYTES)
        if not piece:
            raise StopIteration
        return piece

    def close(self) -> None:
        self.file.close()


class Answer:
    """Status, headers and body of an answer; ``file`` where the body is one."""

    def __init__(self) -> None:
        self.status = 500
        self.headers: Headers = []
        self.body = b""
        self.file: Download | None = None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: object = None) -> None:
        self.status = int(status.partition(" ")[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]


class Buffered:
    """An ASGI application out of a WSGI one."""

    def __init__(
        self, application: Application, *, threads: int, max_body: int, client: Callable[[Environ], str]
    ) -> None:
        self.application = application
        self.pool = ThreadPoolExecutor(threads, "request")
        self.max_body = max_body
        self.client = client
        self.slow: Counter[str] = Counter()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise ValueError(f"There is nothing here for {scope['type']!r}.")
        environ = environ_of(scope)
        try:
            body = await self._body(environ, receive)
        except Unread as broken:
            body = io.BytesIO()
            environ[UNREAD] = broken.why
        with body:
            environ["wsgi.input"] = body
            answer = await asyncio.get_running_loop().run_in_executor(self.pool, self._answer, environ)
        try:
            await _send(answer, send)
        except (TimeoutError, OSError, RuntimeError):
            log.info("answer.not_taken", path=environ["PATH_INFO"])
        finally:
            if answer.file is not None:
                await asyncio.get_running_loop().run_in_executor(self.pool, answer.file.close)

    def _answer(self, environ: Environ) -> Answer:
        """In a thread of the pool: what the product says to a request that is all there."""
        answer = Answer()
        content = self.application(environ, answer.start)
        if isinstance(content, Download):
            answer.file = content
            return answer
        try:
            answer.body = b"".join(content)
        finally:
            if hasattr(content, "close"):
                content.close()
        return answer

    async def _body(self, environ: Environ, receive: Receive) -> IO[bytes]:
        """The body, all of it, or Unread. One that is too long by its own word is not read: the product says so."""
        length = environ.get("CONTENT_LENGTH", "")
        if not length and "HTTP_TRANSFER_ENCODING" not in environ:
            return io.BytesIO()
        if length.isdecimal() and len(length) < 16 and int(length) > self.max_body:
            return io.BytesIO()
        waiting = asyncio.ensure_future(_read(receive, self.max_body))
        try:
            done, _pending = await asyncio.wait({waiting}, timeout=SLOW_SECONDS)
            return waiting.result() if done else await self._slowly(self.client(environ), waiting)
        finally:
            waiting.cancel()

    async def _slowly(self, client: str, waiting: "asyncio.Future[IO[bytes]]") -> IO[bytes]:
        if self.slow[client] >= MAX_SLOW:
            raise Unread(TOO_MANY)
        self.slow[client] += 1
        try:
            return await waiting
        finally:
            self.slow[client] -= 1
            if not self.slow[client]:
                del self.slow[client]


def environ_of(scope: Message) -> Environ:
    """The WSGI environment of a request, without a body."""
    server, port = scope.get("server") or ("", "")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": Download,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if "_" in name:
            continue  # X_Forwarded_For would be taken for X-Forwarded-For
        key = name.upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        before = environ.get(key)
        environ[key] = value if before is None else f"{before}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
    return environ


async def _read(receive: Receive, most: int) -> IO[bytes]:
    body = tempfile.SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115
    began, size, more = time.monotonic(), 0, True
    try:
        while more and size <= most:
            left = began + PATIENCE_SECONDS + size / LEAST_BYTES_A_SECOND - time.monotonic()
            message = await asyncio.wait_for(receive(), min(left, PATIENCE_SECONDS))
            if message["type"] != "http.request":
                raise Unread(BROKEN)
            size += len(message["body"])
            body.write(message["body"])
            more = bool(message.get("more_body"))
    except BaseException as problem:
        body.close()
        if isinstance(problem, TimeoutError):
            raise Unread(TOO_SLOW) from None
        raise
    body.seek(0)
    return body


async def _send(answer: Answer, send: Send) -> None:
    await _soon(send({"type": "http.response.start", "status": answer.status, "headers": answer.headers}))
    if answer.file is None and len(answer.body) <= MEMORY_BYTES:
        await _soon(send({"type": "http.response.body", "body": answer.body}))
        return
    pieces = answer.file or Download(io.BytesIO(answer.body))
    for piece in pieces:
        await _soon(send({"type": "http.response.body", "body": piece, "more_body": True}))
    await _soon(send({"type": "http.response.body", "body": b""}))


async def _soon(sending: Awaitable[None]) -> None:
    await asyncio.wait_for(sending, PATIENCE_SECONDS)
