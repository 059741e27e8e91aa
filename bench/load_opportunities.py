"""Load a folder of real CRM data through the API, and compare what the API then says with the files.

``python -m bench.load_opportunities FOLDER``; the folder holds accounts.csv, sales_teams.csv and sales_pipeline.csv.
Agents and their managers become members by invitation, accounts companies, opportunities deals. BENCH_PORT and
BENCH_DATA say where the product is started for it.
"""

import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from threading import local
from typing import Any
from urllib.parse import urlencode

from bench.stack import ROOT, product

SUBDOMAIN = "opportunities"
CLIENTS = 6
SPELLING = {"GTXPro": "GTX Pro", "technolgy": "technology"}
STAGES = {"New": "Prospecting", "Qualified": "Engaging", "Won": "Won", "Lost": "Lost"}
SIZES = ((10, "1-10"), (50, "11-50"), (200, "51-200"), (1000, "201-1000"))


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="", encoding="utf-8-sig") as file:
        return [
            {key: SPELLING.get(value.strip(), value.strip()) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def day(text: str) -> date | None:
    """The files write month/day/year."""
    if not text:
        return None
    month, number, year = text.split("/")
    return date(int(year), int(month), int(number))


@dataclass
class Totals:
    """How many deals an agent has in a stage, what they are worth, how many lack a company, and when they closed."""

    count: int = 0
    amount: Decimal = field(default_factory=Decimal)
    without_company: int = 0
    closed: Counter[str] = field(default_factory=Counter)

    def add(self, amount: str | None, company: bool, closed_on: str | None) -> None:
        self.count += 1
        self.amount += Decimal(amount or 0)
        self.without_company += not company
        self.closed[closed_on or ""] += 1


def of_files(folder: Path) -> dict[tuple[str, str], Totals]:
    """What the CSV holds, by agent and stage."""
    totals: dict[tuple[str, str], Totals] = {}
    for row in rows_of(folder, "sales_pipeline.csv"):
        closed = day(row["close_date"])
        found = totals.setdefault((row["sales_agent"], row["deal_stage"]), Totals())
        found.add(row["close_value"], bool(row["account"]), closed.isoformat() if closed else None)
    return totals


class Api:
    """Speaks to the API with a key, over one connection a thread."""

    def __init__(self, port: int, host: str, key: str) -> None:
        self.port = port
        self.headers = {"Host": host, "Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.threads = local()

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        connection = getattr(self.threads, "connection", None)
        if connection is None:
            connection = self.threads.connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body) if body is not None else None, self.headers)
            answer = connection.getresponse()
        except RemoteDisconnected:
            # The server closes a connection that was idle; what only reads may simply be asked again.
            connection.close()
            if method != "GET":
                raise
            return self.ask(method, path)
        content = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {content.decode()[:600]}")
        return json.loads(content) if content else None

    def all(self, noun: str, **query: str) -> Iterable[dict[str, Any]]:
        cursor = None
        while True:
            page = self.ask(
                "GET", f"/{noun}?{urlencode({'limit': '500', **query, **({'cursor': cursor} if cursor else {})})}"
            )
            yield from page["data"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def post_all(self, noun: str, bodies: list[dict[str, Any]]) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(CLIENTS) as pool:
            return list(pool.map(lambda body: self.ask("POST", f"/{noun}", body), bodies))


def stages_made(api: Api) -> dict[str, str]:
    """Give the default pipeline the stages of the files; returns their ids by name."""
    ids = {}
    for stage in api.all("stages"):
        if name := STAGES.get(stage["name"]):
            api.ask("PATCH", f"/stages/{stage['id']}", {"name": name, "required_fields": []})
            ids[name] = stage["id"]
        else:
            api.ask("DELETE", f"/stages/{stage['id']}")
    return ids


def companies_made(api: Api, folder: Path) -> dict[str, str]:
    """The accounts as companies, then who belongs to whom; returns their ids by name."""
    rows = rows_of(folder, "accounts.csv")
    bodies = [
        {
            "name": row["account"],
            "kind": "customer",
            "industry": row["sector"],
            "size": next((size for most, size in SIZES if int(row["employees"]) <= most), "1000+"),
            "address": {"country": row["office_location"]},
            "description": f"Founded {row['year_established']}, {row['revenue']} million USD a year.",
        }
        for row in rows
    ]
    ids = {made["name"]: made["id"] for made in api.post_all("companies", bodies)}
    for row in rows:
        if row["subsidiary_of"]:
            api.ask("PATCH", f"/companies/{ids[row['account']]}", {"parent": ids[row["subsidiary_of"]]})
    return ids


def deals_made(api: Api, folder: Path, members: Mapping[str, str], stages: Mapping[str, str]) -> int:
    companies = companies_made(api, folder)
    bodies = []
    for row in rows_of(folder, "sales_pipeline.csv"):
        closed = day(row["close_date"])
        bodies.append(
            {
                "name": f"{row['product']} {row['opportunity_id']}",
                "owner": members[row["sales_agent"]],
                "company": companies[row["account"]] if row["account"] else None,
                "stage": stages[row["deal_stage"]],
                "amount": row["close_value"] or None,
                "currency": "USD",
                "closed_on": closed.isoformat() if closed else None,
            }
        )
    return len(api.post_all("deals", bodies))


def of_api(api: Api, members: Mapping[str, str], stages: Mapping[str, str]) -> dict[tuple[str, str], Totals]:
    """What the API says of the deals, by agent and stage."""
    agents = {member_id: name for name, member_id in members.items()}
    names = {stage_id: name for name, stage_id in stages.items()}
    totals: dict[tuple[str, str], Totals] = {}
    for deal in api.all("deals", fields="owner,stage,amount,company,closed_on"):
        found = totals.setdefault((agents[deal["owner"]], names[deal["stage"]]), Totals())
        found.add(deal["amount"], deal["company"] is not None, deal["closed_on"])
    return totals


def compared(files: Mapping[tuple[str, str], Totals], api: Mapping[tuple[str, str], Totals]) -> list[str]:
    """A line for each agent and stage in which the two differ."""
    differences = []
    for key in sorted(files.keys() | api.keys()):
        wanted, found = files.get(key, Totals()), api.get(key, Totals())
        if wanted != found:
            differences.append(f"{key[0]}, {key[1]}: the files have {wanted}, the API {found}")
    return differences


def main() -> int:
    if len(sys.argv) != 2 or not (folder := Path(sys.argv[1])).joinpath("sales_pipeline.csv").is_file():
        print("usage: python -m bench.load_opportunities FOLDER, which holds sales_pipeline.csv", file=sys.stderr)
        return 2
    port = int(os.environ.get("BENCH_PORT", "8400"))
    with product(port, Path(os.environ.get("BENCH_DATA", ROOT / "var" / "bench")).resolve()) as environment:
        made = subprocess.run(
            [sys.executable, "-m", "bench.load_opportunities_workspace", str(folder), SUBDOMAIN],
            env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        workspace = json.loads(made.stdout.splitlines()[-1])
        api = Api(port, workspace["host"], workspace["key"])
        members = {member["name"]: member["id"] for member in api.all("members")}
        print(f"{workspace['invited']} members by invitation")
        stages = stages_made(api)
        began = time.monotonic()
        count = deals_made(api, folder, members, stages)
        seconds = time.monotonic() - began
        print(f"{count:,} opportunities through the API in {seconds:.0f} s, {count / seconds:.0f} a second")
        files, found = of_files(folder), of_api(api, members, stages)
    for name in STAGES.values():
        at = [one for (_agent, stage), one in found.items() if stage == name]
        print(f"{name}: {sum(one.count for one in at):,} deals, {sum(one.amount for one in at):,.2f} USD")
    differences = compared(files, found)
    print("\n".join(differences) or f"equal: {len(files)} totals by agent and stage, read back through the API")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
