"""API: moving a deal to another stage, ours with rules, history and event."""

from collections.abc import Iterator
from itertools import count

from bench.claim import Claim, faster, script
from bench.load import CLIENTS, Contender, compare
from bench.stack import Stack


def measure(stack: Stack) -> list[Claim]:
    stages = [
        id
        for (id,) in stack.rows(stack.small, "SELECT id::text FROM sales_stage WHERE kind = 'open' ORDER BY position")
    ]
    deals = [
        id
        for (id,) in stack.rows(
            stack.small,
            "SELECT deal.id::text FROM sales_deal deal JOIN sales_stage stage ON stage.id = deal.stage_id "
            "WHERE stage.kind = 'open' ORDER BY md5(deal.id::text) LIMIT 1600",
        )
    ]

    def moves(own: list[str]) -> Iterator[tuple[str, dict[str, str]]]:
        for number in count():
            turn, place = divmod(number, len(own))
            yield own[place], {"stage": stages[(turn + place) % len(stages)]}

    half = len(deals) // 2

    def ours(client: int) -> Iterator[bytes]:
        own = deals[:half][client::CLIENTS]
        return (stack.small.ask("PATCH", f"/deals/{id}", body) for id, body in moves(own))

    def naive(client: int) -> Iterator[bytes]:
        own = deals[half:][client::CLIENTS]
        return (stack.naive("PATCH", f"/small/deals/{id}", body) for id, body in moves(own))

    us, them = compare(
        [
            Contender("ours", stack.port_of("ours"), ours, lambda: stack.settled(stack.small)),
            Contender("naive", stack.port_of("naive"), naive),
        ]
    )
    return [faster("deal stage move", us, them, 1.2)]


if __name__ == "__main__":
    script(measure)
