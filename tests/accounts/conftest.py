"""Browsers that go from host to host as real ones do, and the mails they wait for."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core import mail
from django.http import HttpResponse
from django.test import Client

from tenants.db.scopes import shared
from tenants.workspaces.hosts import public_url

PORT = f":{urlsplit(public_url('')).port}" if urlsplit(public_url("")).port else ""


class Browser:
    """One browser: a cookie jar for each host, following redirects between them."""

    def __init__(self) -> None:
        self.jars: dict[str, Client] = {}
        self.url = public_url("/")
        self.trail: list[str] = []

    def client(self, host: str) -> Client:
        return self.jars.setdefault(host, Client(headers={"host": f"{host}{PORT}"}))

    def _send(self, method: str, url: str, data: Any, follow: bool, headers: dict[str, str]) -> Any:
        self.trail = []
        for _hop in range(12):
            parts = urlsplit(url)
            host = parts.hostname or urlsplit(self.url).hostname or ""
            path = f"{parts.path}{'?' + parts.query if parts.query else ''}"
            self.url = f"http://{host}{path}"
            self.trail.append(self.url)
            with shared():
                send = getattr(self.client(host), method)
                response: HttpResponse = (
                    send(path, data, headers=headers) if data is not None else send(path, headers=headers)
                )
            if not follow or response.status_code not in (301, 302, 303, 307, 308):
                return response
            method, data, url = "get", None, response["Location"]
        raise AssertionError(f"Round and round: {self.trail}")

    def get(self, url: str, *, follow: bool = True, **headers: str) -> Any:
        return self._send("get", url, None, follow, headers)

    def post(self, url: str, data: dict[str, Any] | None = None, *, follow: bool = True, **headers: str) -> Any:
        return self._send("post", url, data or {}, follow, headers)

    def forget(self) -> None:
        self.jars.clear()


@pytest.fixture
def browser(db: None) -> Browser:
    return Browser()


@pytest.fixture
def other_browser(db: None) -> Browser:
    return Browser()


@pytest.fixture
def mails(db: None, celery_eager: None, django_capture_on_commit_callbacks: Any) -> list[Any]:
    """The mails that went out, delivered as soon as the transaction they belong to would commit."""
    mail.outbox.clear()
    return mail.outbox


def link_in(message: Any) -> str:
    """The first address in a mail's text."""
    found = re.search(r"https?://\S+", str(message.body))
    assert found is not None, message.body
    return found[0]


@pytest.fixture
def committing(django_capture_on_commit_callbacks: Callable[..., Any]) -> Callable[[], Any]:
    """``with committing():`` runs what waits for the commit at the end of the block."""
    return lambda: django_capture_on_commit_callbacks(execute=True)
