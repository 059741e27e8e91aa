"""API list of 50 deals without a count; and the same at ten times as many rows and more."""

import json
from itertools import repeat

from bench.claim import Claim, faster, script, slower
from bench.load import Contender, compare, fetch, request
from bench.stack import Stack, Workspace


def ours(stack: Stack, workspace: Workspace, name: str = "ours") -> Contender:
    message = workspace.ask("GET", "/deals")
    return Contender(name, stack.port_of("ours"), lambda client: repeat(message))


def reference(stack: Stack, name: str) -> Contender:
    message = asked(stack, name)
    return Contender(name, stack.port_of(name), lambda client: repeat(message))


def asked(stack: Stack, name: str) -> bytes:
    path = "/small/deals"
    return stack.naive("GET", path) if name == "naive" else request("GET", path, "localhost")


def measure(stack: Stack) -> list[Claim]:
    names = ("raw", "plain", "naive")
    expected = json.loads(fetch(stack.port_of("ours"), stack.small.ask("GET", "/deals")))["data"]
    for name in names:
        got = json.loads(fetch(stack.port_of(name), asked(stack, name)))
        rows = got["data" if "data" in got else "results"]
        assert [row["id"] for row in rows] == [row["id"] for row in expected], name
        assert [row["contacts"] for row in rows] == [row["contacts"] for row in expected], name
    us, raw, plain, naive = compare([ours(stack, stack.small), *(reference(stack, name) for name in names)])
    claims = [
        faster("API list of 50", us, naive, 2.0),
        faster("API list of 50", us, raw, 0.2),
        faster("API list of 50 (for comparison)", us, plain, 0.0),
    ]
    small, large = compare([ours(stack, stack.small, "10,000 rows"), ours(stack, stack.large, "100,000 rows")])
    claims.append(slower("API list of 50 at 100,000 rows", large, small, 1.2))
    if "huge" in stack.workspaces:
        huge_space = stack.workspaces["huge"]
        small, huge = compare([ours(stack, stack.small, "10,000 rows"), ours(stack, huge_space, "many rows")])
        claims.append(slower(f"API list of 50 at {huge_space.rows:,} rows", huge, small, 1.2))
    return claims


if __name__ == "__main__":
    script(measure)
