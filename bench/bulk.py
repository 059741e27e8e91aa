"""50,000 deals changed in the background, cancelled in the middle, undone; against one deal a request by the API.

It fails when a row is not as it was. How many a second is compared, so a machine that is busy slows both.
"""

import json
import sys
import time
import urllib.request
from typing import Any

from bench.claim import Claim, script
from bench.stack import Stack

SINGLE = 200
FASTER = 5.0
CONTENT = (
    "SELECT md5(string_agg(md5((to_jsonb(deal) - 'version' - 'updated_at')::text), '' ORDER BY deal.id)) "
    "FROM sales_deal AS deal"
)


def measure(stack: Stack) -> list[Claim]:
    place = stack.large
    stack.settled(place)
    single = one_by_one(stack)
    amount = stack.rows(place, "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY amount)::text FROM sales_deal")[0][0]
    before = stack.rows(place, CONTENT)
    began = time.monotonic()
    body = {"filter": {"field": "amount", "op": "lt", "value": amount}, "values": {"expected_close": "2031-01-01"}}
    job = call(stack, "POST", "/deals/bulk", body)
    print(f"  {job['total']:,} deals fixed in {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    while (now := call(stack, "GET", f"/jobs/{job['id']}"))["done"] < job["total"] / 2:
        time.sleep(0.2)
    changed = now["done"] / (time.monotonic() - began)
    print(f"  {now['done']:,} changed, {changed:,.0f} a second")
    call(stack, "POST", f"/jobs/{job['id']}/cancel", {})
    stopped = ended(stack, job["id"])
    print(f"  {stopped['state']} at {stopped['done']:,}")
    began = time.monotonic()
    back = ended(stack, call(stack, "POST", f"/jobs/{job['id']}/undo", {})["id"])
    undone = back["changed"] / (time.monotonic() - began)
    print(f"  {back['changed']:,} undone, {undone:,.0f} a second")
    if stack.rows(place, CONTENT) != before or back["skipped"]:
        sys.exit("The rows are not as they were.")
    print("  all rows as before but for version and times")
    against = "one deal a request, one after another"
    told = f"{single:,.0f} deals/s one by one; cancelled at {stopped['done']:,}, all as before"
    return [
        Claim(
            "bulk change of 50,000 deals", against, changed / single, FASTER, detail=f"{changed:,.0f} deals/s; {told}"
        ),
        Claim("undo of what it did", against, undone / single, FASTER, detail=f"{undone:,.0f} deals/s; {told}"),
    ]


def one_by_one(stack: Stack) -> float:
    """How many deals a second are changed by as many requests, what is left as it was found."""
    page = call(stack, "GET", f"/deals?limit={SINGLE}")["data"]
    began = time.monotonic()
    for deal in page:
        call(stack, "PATCH", f"/deals/{deal['id']}", {"expected_close": "2031-01-02"})
    rate = len(page) / (time.monotonic() - began)
    for deal in page:
        call(stack, "PATCH", f"/deals/{deal['id']}", {"expected_close": deal["expected_close"]})
    stack.settled(stack.large)
    return rate


def ended(stack: Stack, job_id: str) -> dict[str, Any]:
    while (job := call(stack, "GET", f"/jobs/{job_id}"))["state"] in {"queued", "running"}:
        time.sleep(0.2)
    return job


def call(stack: Stack, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    place = stack.large
    asked = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}/api/v1{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Host": place.host, "Authorization": f"Bearer {place.key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(asked, timeout=60) as answer:
        found: dict[str, Any] = json.loads(answer.read())
    return found


if __name__ == "__main__":
    script(measure)
