"""1,000 workspaces compared with Stripe as each night, against the same questions asked of Stripe alone."""

import json
import subprocess
import sys

from bench.claim import Claim, script
from bench.stack import Stack

WORKSPACES = 1_000


def measure(stack: Stack) -> list[Claim]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.reconcile_all", str(WORKSPACES)],
        env={**stack.environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    each, asked = (found[name] / found["accounts"] * 1000 for name in ("reconciled", "asked"))
    told = (
        f"{found['accounts']:,} in {found['reconciled']:.0f} s,"
        f" {found['turns']} turns of {found['longest']:.0f} s at most;"
        f" {each:.0f} ms each, of which {asked:.0f} ms are Stripe's stand-in"
    )
    return [Claim("a workspace reconciled", "its answers of Stripe alone", each / asked, 0, detail=told)]


if __name__ == "__main__":
    script(measure)
