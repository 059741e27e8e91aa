"""Searching contacts by a name, an email and a phone number."""

import json
from collections.abc import Iterator
from itertools import cycle
from urllib.parse import quote

from bench.claim import Claim, faster, script, slower
from bench.load import Contender, compare, fetch
from bench.stack import Stack, Workspace

SAMPLES = 100


def terms(stack: Stack, workspace: Workspace, what: str) -> list[str]:
    """What people type: a first and a last name, an address, a number with blanks in it."""
    columns = {
        "name": "name",
        "email": "emails_keys[1]",
        "phone": "regexp_replace(phones_keys[1], '(.{3})(.{2})(.{4})', '\\1 \\2 \\3 ')",
    }
    statement = f"SELECT {columns[what]} FROM people_contact ORDER BY md5(id::text) LIMIT {SAMPLES}"
    return [term for (term,) in stack.rows(workspace, statement)]


def measure(stack: Stack) -> list[Claim]:
    claims = []
    for what in ("name", "email", "phone"):
        found = {one.size: terms(stack, one, what) for one in (stack.small, stack.large)}

        def ours(workspace: Workspace, name: str, found: dict[str, list[str]] = found) -> Contender:
            messages = [workspace.ask("GET", f"/contacts?search={quote(term)}") for term in found[workspace.size]]
            assert json.loads(fetch(stack.port_of("ours"), messages[0]))["data"], found[workspace.size][0]
            return Contender(name, stack.port_of("ours"), lambda client: cycle(messages[client:] + messages[:client]))

        def naive(client: int, what: str = what, found: dict[str, list[str]] = found) -> Iterator[bytes]:
            typed = [term.replace(" ", "") if what == "phone" else term for term in found["large"]]
            paths = [f"/large/contacts?search={quote(term)}" for term in typed[client:] + typed[:client]]
            return cycle([stack.naive("GET", path) for path in paths])

        large, them = compare([ours(stack.large, "ours"), Contender("naive", stack.port_of("naive"), naive)], rounds=3)
        claims.append(faster(f"search by {what} at 100,000", large, them, 10.0))
        small, large = compare([ours(stack.small, "10,000 rows"), ours(stack.large, "100,000 rows")], rounds=3)
        claims.append(slower(f"search by {what} at 100,000", large, small, 2.0))
    return claims


if __name__ == "__main__":
    script(measure)
