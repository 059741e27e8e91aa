"""The board of 10,000 deals as HTML, the first 25 cards a column with sums, against plain JSON of the same cards."""

import json
from itertools import repeat

from bench.claim import Claim, script, slower
from bench.load import Contender, compare, fetch, request
from bench.stack import Stack


def measure(stack: Stack) -> list[Claim]:
    page = stack.small.look("/deals/board/")
    plain = request("GET", "/small/board", "localhost")
    html = fetch(stack.port_of("ours"), page).decode()
    cards = json.loads(fetch(stack.port_of("plain"), plain))["cards"]
    assert len(cards) == 150
    missing = [card["name"] for card in cards if card["name"] not in html]
    assert not missing, missing[:3]
    us, them = compare(
        [
            Contender("ours", stack.port_of("ours"), lambda client: repeat(page)),
            Contender("plain", stack.port_of("plain"), lambda client: repeat(plain)),
        ]
    )
    return [slower("board of 10,000 deals as HTML", us, them, 4.0)]


if __name__ == "__main__":
    script(measure)
