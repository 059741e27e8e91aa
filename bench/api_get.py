"""API: one deal by its id."""

from collections.abc import Iterator
from itertools import cycle

from bench.claim import Claim, faster, script
from bench.load import Contender, compare, request
from bench.stack import Stack

DEALS = 400


def measure(stack: Stack) -> list[Claim]:
    ids = [
        id for (id,) in stack.rows(stack.small, f"SELECT id::text FROM sales_deal ORDER BY md5(id::text) LIMIT {DEALS}")
    ]

    def ours(client: int) -> Iterator[bytes]:
        return cycle([stack.small.ask("GET", f"/deals/{id}") for id in ids[client:] + ids[:client]])

    def naive(client: int) -> Iterator[bytes]:
        return cycle([stack.naive("GET", f"/small/deals/{id}") for id in ids[client:] + ids[:client]])

    def theirs(client: int) -> Iterator[bytes]:
        return cycle([request("GET", f"/small/deals/{id}", "localhost") for id in ids[client:] + ids[:client]])

    us, them, raw = compare(
        [
            Contender("ours", stack.port_of("ours"), ours),
            Contender("naive", stack.port_of("naive"), naive),
            Contender("raw", stack.port_of("raw"), theirs),
        ]
    )
    return [faster("API get one", us, them, 1.3), faster("API get one (for comparison)", us, raw, 0.0)]


if __name__ == "__main__":
    script(measure)
