"""The list, the board and search for a role that reaches as far as its team, against one that sees everything."""

from itertools import cycle, repeat
from urllib.parse import quote

from bench.claim import Claim, script, slower
from bench.load import Contender, compare
from bench.search import terms
from bench.stack import Stack, Workspace

MOST = 1.2


def lists(stack: Stack, workspace: Workspace, name: str) -> Contender:
    message = workspace.ask("GET", "/deals")
    return Contender(name, stack.port_of("ours"), lambda client: repeat(message))


def boards(stack: Stack, workspace: Workspace, name: str) -> Contender:
    message = workspace.look("/deals/board/")
    return Contender(name, stack.port_of("ours"), lambda client: repeat(message))


def searches(stack: Stack, workspace: Workspace, name: str) -> Contender:
    messages = [workspace.ask("GET", f"/contacts?search={quote(term)}") for term in terms(stack, workspace, "name")]
    return Contender(name, stack.port_of("ours"), lambda client: cycle(messages[client:] + messages[:client]))


def measure(stack: Stack) -> list[Claim]:
    claims = []
    for work, asked, workspace in (
        ("API list of 50 at 100,000 rows, role by team", lists, stack.large),
        ("board of 10,000 deals as HTML, role by team", boards, stack.small),
        ("search by name at 100,000, role by team", searches, stack.large),
    ):
        team, everything = compare(
            [asked(stack, workspace.by_team, "by team"), asked(stack, workspace, "role that sees all")]
        )
        claims.append(slower(work, team, everything, MOST))
    return claims


if __name__ == "__main__":
    script(measure)
