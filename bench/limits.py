"""What it costs a new contact that the plan limits contacts, against the write gate alone."""

import json
import subprocess
import sys

from bench.claim import Claim, script
from bench.stack import Stack


def measure(stack: Stack) -> list[Claim]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.limits_gate", stack.large.schema],
        env={**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    check, create, near, count = (found[name] for name in ("check", "create", "near", "count"))
    told = f"check {check * 1000:.1f} µs; create {create:.2f} ms; a count of {found['rows']:,} {count:.1f} ms"
    return [
        Claim("limit check far from the limit", "the create it belongs to", check / create, 0.01, True, told),
        Claim(
            "contact created among the last places of 100,000",
            "one far from the limit",
            near / create,
            0,
            detail=f"{near:.1f} ms; {create:.2f} ms",
        ),
    ]


if __name__ == "__main__":
    script(measure)
