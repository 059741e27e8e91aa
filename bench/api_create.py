"""API: creating a deal, ours with rules, event and wake-up, against one that writes nothing but the row."""

from collections.abc import Iterator
from itertools import count

from bench.claim import Claim, faster, script
from bench.load import Contender, compare
from bench.stack import Stack


def measure(stack: Stack) -> list[Claim]:
    pairs = stack.rows(
        stack.small,
        "SELECT company.id::text, stage.id::text, stage.pipeline_id::text, member.id::text "
        "FROM people_company company, sales_stage stage, workspace_member member WHERE stage.kind = 'open' "
        "ORDER BY md5(company.id::text) LIMIT 200",
    )

    def bodies(client: int) -> Iterator[dict[str, str]]:
        for number in count():
            company, stage, pipeline, owner = pairs[(client + number) % len(pairs)]
            yield {
                "name": f"Measured {client} {number}",
                "company": company,
                "stage": stage,
                "pipeline": pipeline,
                "owner": owner,
                "amount": "1200.50",
                "currency": "EUR",
                "expected_close": "2027-05-31",
            }

    def ours(client: int) -> Iterator[bytes]:
        return (stack.small.ask("POST", "/deals", body) for body in bodies(client))

    def naive(client: int) -> Iterator[bytes]:
        return (stack.naive("POST", "/small/deals", body) for body in bodies(client))

    us, them = compare(
        [
            Contender("ours", stack.port_of("ours"), ours, lambda: stack.settled(stack.small)),
            Contender("naive", stack.port_of("naive"), naive),
        ]
    )
    return [faster("API create", us, them, 1.0)]


if __name__ == "__main__":
    script(measure)
