"""Webhooks taken a second by the running product: signature checked, kept, queued; against a page that does nothing."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from itertools import count
from typing import Any

from bench.claim import Claim, faster, script
from bench.load import Contender, compare, request
from bench.stack import Stack


def signed(secret: str, event: dict[str, Any], host: str) -> bytes:
    body = json.dumps(event).encode()
    now = int(time.time())
    mark = hmac.new(secret.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return request(
        "POST", "/billing/webhooks/stripe/", host, headers={"Stripe-Signature": f"t={now},v1={mark}"}, body=body
    )


def measure(stack: Stack) -> list[Claim]:
    host = f"localhost:{stack.port}"
    secret = stack.environment["STRIPE_WEBHOOK_SECRET"]
    run = f"{time.time_ns():x}"

    def events(client: int) -> Iterator[bytes]:
        for number in count():
            about = {"object": "subscription", "id": f"sub_{client}_{number}", "customer": "cus_nobody"}
            event = {
                "id": f"evt_{run}_{client}_{number}",
                "object": "event",
                "api_version": "2026-10-28.endive",
                "created": int(time.time()),
                "livemode": False,
                "type": "customer.subscription.updated",
                "data": {"object": about},
            }
            yield signed(secret, event, host)

    def nothing(client: int) -> Iterator[bytes]:
        while True:
            yield request("GET", "/healthz", host)

    taken, empty = compare(
        [Contender("webhooks", stack.port, events), Contender("a page that does nothing", stack.port, nothing)]
    )
    return [faster("webhooks taken a second", taken, empty, 0)]


if __name__ == "__main__":
    script(measure)
