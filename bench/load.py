"""A load of HTTP requests over a few connections that are kept open, and what it says of the answers."""

import select
import socket
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

CLIENTS = 8
type Requests = Iterator[bytes]


class Refused(RuntimeError):
    """A server answered with something else than success."""


@dataclass(slots=True)
class Measured:
    """What one contender did: requests a second and the median time of one, in each round."""

    name: str
    rates: list[float] = field(default_factory=list)
    medians: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(self.rates)

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return statistics.median(self.medians)

    @property
    def p95(self) -> float:
        return statistics.median(self.high)

    def __str__(self) -> str:
        return f"{self.name}: {self.rate:,.0f} a second, p50 {self.p50:.2f} ms, p95 {self.p95:.2f} ms"


@dataclass(frozen=True, slots=True)
class Contender:
    """A server and what is asked of it. ``requests`` makes the endless requests of one client, given its number."""

    name: str
    port: int
    requests: Callable[[int], Requests]
    after_round: Callable[[], None] | None = None


def request(method: str, path: str, host: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Accept: */*"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body or method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def run(port: int, requests: list[Requests], seconds: float) -> tuple[int, float, list[float]]:
    """Send each client's requests one after another; how many were answered, in how long, and each one's time."""
    poll = select.epoll()
    clients: dict[int, tuple[socket.socket, Requests]] = {}
    started: dict[int, float] = {}
    buffers: dict[int, bytearray] = {}
    times: list[float] = []
    begin = time.perf_counter()
    end = begin + seconds
    for one in requests:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number = connection.fileno()
        poll.register(number, select.EPOLLIN)
        clients[number] = connection, one
        buffers[number] = bytearray()
        started[number] = time.perf_counter()
        connection.sendall(next(one))
    while clients:
        for number, _event in poll.poll(30):
            connection, more = clients[number]
            got = connection.recv(1 << 18)
            if not got:
                raise Refused("The connection was closed.")
            buffer = buffers[number]
            buffer += got
            if not complete(buffer):
                continue
            now = time.perf_counter()
            times.append(now - started[number])
            if not buffer.startswith(b"HTTP/1.1 2"):
                raise Refused(bytes(buffer[:2000]).decode(errors="replace"))
            buffer.clear()
            if now >= end:
                poll.unregister(number)
                connection.close()
                del clients[number]
                continue
            started[number] = now
            connection.sendall(next(more))
    poll.close()
    return len(times), time.perf_counter() - begin, times


def complete(buffer: bytearray) -> bool:
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return False
    top = bytes(buffer[:head]).lower()
    place = top.find(b"content-length:")
    if place >= 0:
        length = int(top[place + 15 :].split(b"\r\n", 1)[0])
        return len(buffer) >= head + 4 + length
    if b"transfer-encoding: chunked" in top:
        return buffer.endswith(b"0\r\n\r\n")
    return True


def fetch(port: int, message: bytes) -> bytes:
    """The body of one answer."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(message)
        buffer = bytearray()
        while not complete(buffer):
            got = connection.recv(1 << 18)
            if not got:
                break
            buffer += got
    if not buffer.startswith(b"HTTP/1.1 2"):
        raise Refused(bytes(buffer[:2000]).decode(errors="replace"))
    return bytes(buffer.partition(b"\r\n\r\n")[2])


def compare(
    contenders: list[Contender], *, rounds: int = 5, seconds: float = 2.0, clients: int = CLIENTS
) -> list[Measured]:
    """Measure the contenders in turn, round by round, after each has warmed up."""
    measured = [Measured(one.name) for one in contenders]
    streams = [[one.requests(client) for client in range(clients)] for one in contenders]
    for one, requests in zip(contenders, streams, strict=True):
        run(one.port, requests, 1.0)
        if one.after_round:
            one.after_round()
    for _round in range(rounds):
        for one, requests, result in zip(contenders, streams, measured, strict=True):
            count, took, times = run(one.port, requests, seconds)
            result.rates.append(count / took)
            result.medians.append(statistics.median(times) * 1000)
            result.high.append(statistics.quantiles(times, n=20)[-1] * 1000)
            if one.after_round:
                one.after_round()
    return measured
