"""The costliest questions that are not refused: a tree of conditions, a list in thousands of groups, a long search.

One client asks each, again and again: how long somebody waits for it, not how many can be answered at once.
"""

from itertools import cycle
from typing import Any
from urllib.parse import quote

from bench.claim import Claim, script
from bench.load import Contender, compare
from bench.stack import Stack, Workspace

LONGEST_MS = 300.0


def any_of(field: str, operator: str, value: str, times: int) -> dict[str, Any]:
    return {"any": [{"field": field, "op": operator, "value": value % place} for place in range(times)]}


LISTS = [(field, sign) for field in ("last_name", "first_name") for sign in "abcd"][:7]


def lists(field: str, sign: str) -> dict[str, Any]:
    return {"field": field, "op": "in", "value": [f"zzqx{sign}{place}" for place in range(500)]}


def questions(workspace: Workspace) -> dict[str, bytes]:
    """Each at the edge of what ``crm.records.query.language.MAX_COST`` and the limits of a search let through."""
    words = " ".join("abcdefghij"[place % 10] + "aeiou"[place % 5] for place in range(40))
    trees = {
        "16 texts": ("contacts", any_of("last_name", "contains", "zzqx%d", 16)),
        "2 parts of emails": ("contacts", any_of("emails", "contains", "zzqx%d", 2)),
        "5 links": ("deals", any_of("contacts.last_name", "eq", "zzqx%d", 5)),
        "7 lists of 500 texts": ("contacts", {"any": [lists(*one) for one in LISTS]}),
        "50 numbers": ("deals", any_of("amount", "eq", "-%d", 50)),
    }
    asked = {
        f"{name} of 100,000": workspace.ask("POST", f"/{noun}/query", {"filter": tree, "include": "count"})
        for name, (noun, tree) in trees.items()
    }
    asked["a search of 40 words, counted"] = workspace.ask("GET", f"/contacts?include=count&search={quote(words)}")
    asked["a list in 10,000 groups"] = workspace.look("/deals/?group=company")
    return asked


def asking(stack: Stack, name: str, message: bytes) -> Contender:
    return Contender(name, stack.port_of("ours"), lambda _client: cycle([message]))


def measure(stack: Stack) -> list[Claim]:
    claims = []
    for name, message in questions(stack.large).items():
        plain = asking(stack, "a plain list", stack.large.ask("GET", "/contacts"))
        ours, _other = compare([asking(stack, name, message), plain], rounds=1, clients=1)
        took = f"p50 {ours.p50:.0f} ms"
        claims.append(Claim(name, f"{LONGEST_MS:.0f} ms", ours.p50 / LONGEST_MS, 1.0, at_most=True, detail=took))
    return claims


if __name__ == "__main__":
    script(measure)
