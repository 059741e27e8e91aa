"""The library's own way to the network, which remembers what went over it to be held against what is declared."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stripe import RequestsClient, StripeClient

from tests.billing.standin.declared import answer_problems, parameter_problems


@dataclass(frozen=True)
class Exchange:
    method: str
    path: str
    form: str
    status: int
    body: Any
    headers: Mapping[str, str]

    def problems(self) -> list[str]:
        """What is not as declared. Parameters of what was refused were meant to be wrong."""
        if self.status >= 300:
            return []
        found = parameter_problems(self.method, self.path, self.form) + answer_problems(
            self.method, self.path, self.body
        )
        return [f"{self.method.upper()} {self.path}: {one}" for one in found]


class Recording(RequestsClient):
    def __init__(self) -> None:
        super().__init__()
        self.exchanges: list[Exchange] = []

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, *, _usage: Any = None
    ) -> Any:
        body, status, answered = super().request(method, url, headers, post_data)
        address = urlsplit(url)
        form = address.query if method.lower() in {"get", "delete"} else str(post_data or "")
        self.exchanges.append(Exchange(method, address.path, form, status, json.loads(body), dict(answered)))
        return body, status, answered

    def problems(self) -> list[str]:
        return [problem for one in self.exchanges for problem in one.problems()]


@dataclass
class Api:
    """The library at work against the stand-in or, by a key of test mode, against Stripe."""

    client: StripeClient
    recording: Recording

    @property
    def v1(self) -> Any:
        return self.client.v1

    @property
    def last(self) -> Exchange:
        return self.recording.exchanges[-1]


def api(key: str, url: str | None = None) -> Api:
    recording = Recording()
    addresses: Any = {"api": url} if url else {}
    return Api(StripeClient(key, base_addresses=addresses, http_client=recording, max_network_retries=0), recording)
