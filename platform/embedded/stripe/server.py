"""The process on loopback: ``/v1/…`` is the API, ``/_standin/…`` its control, everything else a page (``pages``).

``serve(port, folder)`` starts it in threads of this process and gives a Server, whose ``store`` pages and tests may
use.
"""

import json
import secrets
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import stripe

from embedded.stripe import expansion, idempotency
from embedded.stripe.control import Control, Journal, Seen
from embedded.stripe.delivery import Delivery
from embedded.stripe.engine.due import happen
from embedded.stripe.errors import NotValid, Refused
from embedded.stripe.faults import Fault, Faults
from embedded.stripe.pages.routes import HEADERS, respond
from embedded.stripe.params import checked, decoded, listing, text
from embedded.stripe.resources import ROUTES
from embedded.stripe.resources.routing import Route
from embedded.stripe.shape import shaped
from embedded.stripe.store import Body, Cause, Store

HOST = "127.0.0.1"
LARGEST = 1_000_000
LOOPBACK = {"127.0.0.1", "localhost"}
OWN_PAGES = {"same-origin", "none"}
"""What browsers say of where a form or a script that sends something stands; programs say nothing."""


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    query: str
    body: bytes
    headers: dict[str, str]

    @property
    def params(self) -> str:
        return self.body.decode("utf-8", "replace") if self.method == "POST" else self.query


@dataclass(frozen=True)
class Reply:
    """``cut`` closes the connection without a word."""

    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


CUT = Reply(0, b"", cut=True)


class Server:
    """The stand-in at work. ``url`` is where it listens; ``close`` stops it and lets go of the folder.

    ``observe``, where a test sets it, is called with each request to the API and what it is answered.
    """

    def __init__(self, port: int, folder: Path) -> None:
        server = self

        class Handler(_Handler):
            standin = server

        self.http = _Http((HOST, port), Handler)
        self.url = f"http://{HOST}:{self.http.server_address[1]}"
        self.store = Store(folder, happen, origin=self.url)
        self.faults = Faults()
        self.journal = Journal()
        self.delivery = Delivery(self.store)
        self.control = Control(self.store, self.faults, self.journal, self.delivery)
        self.in_flight = idempotency.InFlight()
        self.observe: Callable[[Request, Reply], None] | None = None
        self._thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def start(self) -> None:
        self._thread.start()
        self.delivery.start()

    def close(self) -> None:
        self.delivery.stop()
        self.http.shutdown()
        self._thread.join()
        self.http.server_close()
        self.store.close()

    def answer(self, request: Request) -> Reply:
        if urlsplit(f"//{request.headers.get('host', '')}").hostname not in LOOPBACK:
            return Reply(404, b"Not found", "text/plain")
        if request.method != "GET" and request.headers.get("sec-fetch-site", "none") not in OWN_PAGES:
            return Reply(403, b"Pages elsewhere may not do anything here", "text/plain")
        if request.path.startswith("/v1/"):
            return self._api(request)
        if request.path.startswith("/_standin/"):
            return self._control(request)
        try:
            page = respond(self.store, request.method, request.path, request.query, request.params)
        except Exception:
            traceback.print_exc()
            return Reply(500, b"Something went wrong in the stand-in: see its log.", "text/plain", dict(HEADERS))
        return Reply(page.status, page.body, page.kind, HEADERS | page.headers)

    def _control(self, request: Request) -> Reply:
        try:
            given = json.loads(request.body or b"{}")
            answer = self.control.answer(request.method, request.path.removeprefix("/_standin/"), given)
            return _json(200, answer)
        except Refused as error:
            return _json(error.status, error.body(""))
        except (KeyError, TypeError, ValueError) as error:
            return _json(
                400, {"error": {"type": "invalid_request_error", "message": f"{type(error).__name__}: {error}"}}
            )

    def _api(self, request: Request) -> Reply:
        began = time.time()
        identity = f"req_{secrets.token_urlsafe(10)}"
        fault = self.faults.take(f"{request.method} {request.path}")
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if fault and fault.kind == "drop":
            reply = CUT
        else:
            try:
                with self.in_flight.hold(f"{key}") if key else _nothing():
                    reply = self._work(request, identity, key, fault)
            except Refused as error:
                reply = _json(error.status, error.body(identity), error.headers)
            except Exception:
                traceback.print_exc()
                reply = _json(500, _broken().body(identity))
        replayed = "Idempotent-Replayed" in reply.headers
        params = {} if reply.status == 401 else _seen(request)
        if self.observe:
            self.observe(request, reply)
        self.journal.add(
            Seen(identity, request.method, request.path, params, key, reply.status, replayed, began, time.time())
        )
        told = {"Request-Id": identity, "Stripe-Version": stripe.api_version, **reply.headers}
        return Reply(reply.status, reply.body, reply.kind, told, reply.cut)

    def _work(self, request: Request, identity: str, key: str | None, fault: Fault | None) -> Reply:
        kind = fault.kind if fault else ""
        if fault and kind == "delay":
            time.sleep(fault.seconds)
        if kind == "500":
            raise _broken()
        if kind == "429":
            raise Refused("Request rate limit exceeded.", status=429, code="rate_limit")
        _allowed(request)
        route, ids = _route(request)
        mark = idempotency.fingerprint(request.method, request.path, request.body)
        with self.store.lock:
            if key:
                with self.store.transaction():
                    kept = idempotency.kept(self.store, key, mark)
                if kept:
                    return Reply(kept.status, kept.body.encode(), headers={"Idempotent-Replayed": "true"})
            reply = self._act(request, route, ids, identity, key, mark, broken=kind == "500_after")
        return CUT if kind == "cut" else reply

    def _act(
        self,
        request: Request,
        route: Route,
        ids: tuple[str, ...],
        identity: str,
        key: str | None,
        mark: str,
        *,
        broken: bool,
    ) -> Reply:
        params = checked({**route.params, "expand": listing(text)}, decoded(request.params))
        wishes = params.pop("expand", None) or []
        try:
            with self.store.transaction(Cause(identity, key)):
                status, answer = self._done(route, params, ids, wishes, identity, broken=broken)
                body = json.dumps(answer, ensure_ascii=False)
                if key:
                    idempotency.keep(self.store, key, mark, status, body)
        except NotValid:
            raise
        except Refused as error:
            if key:
                with self.store.transaction():
                    idempotency.keep(self.store, key, mark, error.status, json.dumps(error.body(identity)))
            raise
        return Reply(status, body.encode())

    def _done(
        self, route: Route, params: Body, ids: tuple[str, ...], wishes: list[str], identity: str, *, broken: bool
    ) -> tuple[int, Body]:
        """Status and answer of what was done, a refusal whose traces stay among them."""
        try:
            answer: Body = shaped(expansion.expanded(self.store, route.answer(self.store, params, *ids), wishes))
        except Refused as error:
            if not error.keeps:
                raise
            return error.status, error.body(identity)
        return (500, _broken().body(identity)) if broken else (200, answer)


def _broken() -> Refused:
    return Refused(
        "Sorry! There was an error while talking to one of our backends. Support has been notified.",
        status=500,
        kind="api_error",
    )


class _nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _allowed(request: Request) -> None:
    """A test key, and the version that we speak."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token:
        raise NotValid("You did not provide an API key.", status=401)
    if scheme != "Bearer" or not token.startswith("sk_test_") or len(token) < 12:
        raise NotValid(f"Invalid API Key provided: {token[:8]}****. The stand-in takes sk_test_ keys only.", status=401)
    version = request.headers.get("stripe-version")
    if version not in (None, stripe.api_version):
        raise NotValid(f"Invalid Stripe API version: {version}. The stand-in speaks {stripe.api_version}.")


def _route(request: Request) -> tuple[Route, tuple[str, ...]]:
    for route in ROUTES:
        ids = route.matches(request.method, request.path)
        if ids is not None:
            return route, ids
    raise NotValid(
        f"Unrecognized request URL ({request.method}: {request.path}). If you are trying to list "
        "objects, remove the trailing slash.",
        status=404,
    )


def _seen(request: Request) -> Body:
    try:
        return decoded(request.params)
    except Refused:
        return {}


def _json(status: int, body: Body, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body, ensure_ascii=False).encode(), headers=headers or {})


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class _Handler(BaseHTTPRequestHandler):
    standin: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what was asked is at ``/_standin/requests``."""

    def _answer(self) -> None:
        told = self.headers.get("Content-Length") or "0"
        length = int(told) if told.isascii() and told.isdigit() else LARGEST + 1
        if length > LARGEST:
            self.close_connection = True
            self._send(Reply(413, b"Too large", "text/plain"))
            return
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(length) if length else b""
        self._send(self.standin.answer(Request(self.command, address.path, address.query, body, headers)))

    def _send(self, reply: Reply) -> None:
        if reply.cut:
            self.close_connection = True
            return
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.kind)
        self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)


def serve(port: int, folder: Path) -> Server:
    """Start it on that port of 127.0.0.1, 0 for any free one."""
    server = Server(port, folder)
    server.start()
    return server
