"""A receiver of webhooks on a port of its own, that remembers what came and answers as it is told."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Came:
    body: bytes
    headers: dict[str, str]
    path: str

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """``answers`` are given in turn, the last one for ever; where ``together`` is set, 503 to whoever comes alone."""

    port: int = 0
    answers: list[int] = field(default_factory=lambda: [200])
    came: list[Came] = field(default_factory=list)
    together: threading.Barrier | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/"

    def take(self, came: Came) -> int:
        if self.together is not None:
            try:
                self.together.wait(10)
            except threading.BrokenBarrierError:
                return 503
        with self.lock:
            self.came.append(came)
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def of(self, kind: str) -> list[Came]:
        with self.lock:
            return [one for one in self.came if one.event["type"] == kind]

    def wait_for(self, count: int, kind: str, seconds: float = 30) -> list[Came]:
        end = time.monotonic() + seconds
        while len(self.of(kind)) < count:
            assert time.monotonic() < end, f"{len(self.of(kind))} of {count} {kind} came in {seconds} s"
            time.sleep(0.01)
        return self.of(kind)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(receiver.take(Came(body, headers, self.path)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
