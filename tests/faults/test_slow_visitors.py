"""Hundreds of visitors who send or read slowly hold nobody up. Takes seconds: it starts a web server of its own."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedded.programs import web_server
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
VISITORS = 200
HEAD = "POST /signin/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"


class Server:
    """One process of the web server with four threads, as ``make run`` starts it."""

    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=60)

    def page(self, path: str = "/signin/") -> int:
        """The status of a page for a visitor who is in no way slow."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer.status

    def sent(self, *pieces: bytes) -> int:
        """The status that a request in these bytes is answered with; 0 where the connection was closed instead."""
        with self.connect() as wire:
            for piece in pieces:
                wire.sendall(piece)
            response = http.client.HTTPResponse(wire)
            try:
                response.begin()
            except (http.client.HTTPException, OSError):
                return 0
            return response.status


@pytest.fixture(scope="module")
def server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    data = tmp_path_factory.mktemp("slow")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATA": str(data),
        "PORT": str(port),
    }
    command = [sys.executable, "-m", *web_server("127.0.0.1", port, 1)]
    with (data / "web.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    found = Server(port)
    try:
        deadline = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if found.page("/healthz") == 200:
                    break
            assert process.poll() is None, (data / "web.log").read_text()
            assert time.monotonic() < deadline, (data / "web.log").read_text()
            time.sleep(0.1)
        yield found
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def test_who_sends_a_body_slowly_holds_nobody_up(server: Server) -> None:
    with contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(server.connect()) for _number in range(VISITORS)]
        for wire in slow:
            wire.sendall(f"{HEAD}Content-Length: 1000\r\n\r\nemail=".encode())
        for _round in range(10):
            assert server.page() == 200
            for wire in slow:
                with contextlib.suppress(OSError):
                    wire.sendall(b"x")
    assert server.page() == 200


def test_who_sends_a_head_slowly_holds_nobody_up(server: Server) -> None:
    with contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(server.connect()) for _number in range(VISITORS)]
        for _round in range(5):
            for wire in slow:
                wire.sendall(b"GET / HTTP/1.1\r\nX-More: " if not _round else b"x")
            assert server.page() == 200


def test_who_does_not_read_holds_nobody_up(server: Server) -> None:
    with contextlib.ExitStack() as open_ones:
        for _number in range(VISITORS):
            wire = open_ones.enter_context(socket.socket())
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
            wire.connect(("127.0.0.1", server.port))
            wire.sendall(b"GET /static/css/components.css HTTP/1.1\r\nHost: localhost\r\n\r\n" * 5)
        for _round in range(5):
            assert server.page() == 200


def test_of_one_address_only_so_many_are_waited_for(server: Server) -> None:
    with contextlib.ExitStack() as open_ones:
        slow = [open_ones.enter_context(server.connect()) for _number in range(100)]
        for wire in slow:
            wire.sendall(f"{HEAD}Content-Length: 1000\r\n\r\n".encode())
        answered = 0
        deadline = time.monotonic() + 60
        while answered < 100 - 64:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            answered = 0
            for wire in slow:
                wire.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    answered += wire.recv(12, socket.MSG_PEEK).endswith(b"429")
        assert answered == 100 - 64


def test_a_body_in_two_pieces_is_read_whole(server: Server) -> None:
    head = f"{HEAD}Content-Length: 12\r\nConnection: close\r\n\r\n".encode()
    assert server.sent(head, b"email=", b"a%40b.") in {200, 403, 422}
    assert server.sent(head, b"email=a%40b.") in {200, 403, 422}


def test_a_body_that_breaks_off_does_nothing(server: Server) -> None:
    with server.connect() as wire:
        wire.sendall(f"{HEAD}Content-Length: 1000\r\n\r\nemail=".encode())
        wire.shutdown(socket.SHUT_WR)
        assert wire.recv(100)[:12] in {b"HTTP/1.1 400", b""}
